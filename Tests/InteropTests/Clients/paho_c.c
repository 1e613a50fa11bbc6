// Eclipse Paho's C client (MQTTAsync), told what to do line by line: see PROTOCOL.md.
#include "lines.h"
#include <MQTTAsync.h>

struct client {
    char name[64];
    int version;
    MQTTAsync handle;
    int is_leaving;
    struct client *next;
};

// What waits for callbacks.
struct answer {
    int number;
    int open;
    struct client *client;
};

static struct client *clients;
static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;

static struct client *client_named(const char *name) {
    for (struct client *client = clients; client; client = client->next) {
        if (!strcmp(client->name, name)) return client;
    }
    return NULL;
}

static struct answer *answer_to(const struct request *request, int open, struct client *client) {
    struct answer *answer = malloc(sizeof *answer);
    *answer = (struct answer){request->number, open, client};
    return answer;
}

static void put_properties(const MQTTProperties *properties) {
    for (int i = 0; i < properties->count; i++) {
        const MQTTProperty *property = &properties->array[i];
        printf(" p%d=", property->identifier);
        switch (property_form(property->identifier)) {
        case 'B': printf("%d", property->value.byte); break;
        case 'H': printf("%d", property->value.integer2); break;
        case 'I': case 'V': printf("%u", property->value.integer4); break;
        case 'P':
            put(property->value.data.data, property->value.data.len);
            printf("%%00");
            put(property->value.value.data, property->value.value.len);
            break;
        default: put(property->value.data.data, property->value.data.len);
        }
    }
}

static void add_properties(MQTTProperties *properties, const struct request *request, char letter) {
    for (int i = 0; i < request->count; i++) {
        const struct field *field = &request->fields[i];
        if (field->key[0] != letter || field->key[1] < '0' || field->key[1] > '9') continue;
        MQTTProperty property = {.identifier = atoi(field->key + 1)};
        const char *name, *value;
        switch (property_form(property.identifier)) {
        case 'B': property.value.byte = (unsigned char)atoi(field->bytes); break;
        case 'H': property.value.integer2 = (unsigned short)atoi(field->bytes); break;
        case 'I': case 'V': property.value.integer4 = (unsigned)strtoul(field->bytes, NULL, 10); break;
        case 'P':
            split_pair(field, &name, &value);
            property.value.data = (MQTTLenString){(int)strlen(name), (char *)name};
            property.value.value = (MQTTLenString){(int)strlen(value), (char *)value};
            break;
        default: property.value.data = (MQTTLenString){field->length, field->bytes};
        }
        MQTTProperties_add(properties, &property);
    }
}

// Whether it was the last of what the answer waits for.
static int is_complete(struct answer *answer) {
    pthread_mutex_lock(&counting);
    int open = --answer->open;
    pthread_mutex_unlock(&counting);
    return open == 0;
}

static void done(void *context) {
    struct answer *answer = context;
    if (!is_complete(answer)) return;
    succeeded(answer->number);
    free(answer);
}

static void on_success(void *context, MQTTAsync_successData *data) { (void)data; done(context); }
static void on_success5(void *context, MQTTAsync_successData5 *data) { (void)data; done(context); }

static void on_failure(void *context, MQTTAsync_failureData *data) {
    struct answer *answer = context;
    failed(answer->number, "refused: %d %s", data ? data->code : -1, data && data->message ? data->message : "");
}

static void on_failure5(void *context, MQTTAsync_failureData5 *data) {
    struct answer *answer = context;
    failed(answer->number, "refused: %d %s", data->reasonCode ? (int)data->reasonCode : data->code,
           data->message ? data->message : "");
}

static void on_connected(void *context, MQTTAsync_successData *data) {
    struct answer *answer = context;
    begin_line("%d ok present=%d", answer->number, data->alt.connect.sessionPresent);
    end_line();
}

static void on_connected5(void *context, MQTTAsync_successData5 *data) {
    struct answer *answer = context;
    begin_line("%d ok present=%d", answer->number, data->alt.connect.sessionPresent);
    put_properties(&data->properties);
    end_line();
}

static void on_subscribed(void *context, MQTTAsync_successData *data) {
    struct answer *answer = context;
    begin_line("%d ok code=%d", answer->number, data->alt.qos);
    end_line();
}

static void on_subscribed5(void *context, MQTTAsync_successData5 *data) {
    struct answer *answer = context;
    begin_line("%d ok code=%d", answer->number, data->reasonCode);
    end_line();
}

static void on_not_subscribed(void *context, MQTTAsync_failureData *data) {
    struct answer *answer = context;
    begin_line("%d ok code=%d", answer->number, data->code);
    end_line();
}

static void on_not_subscribed5(void *context, MQTTAsync_failureData5 *data) {
    struct answer *answer = context;
    begin_line("%d ok code=%d", answer->number, data->reasonCode);
    end_line();
}

static int on_message(void *context, char *topic, int length, MQTTAsync_message *message) {
    struct client *client = context;
    begin_line("message %s topic=", client->name);
    put(topic, length ? length : (int)strlen(topic));
    printf(" qos=%d retain=%d", message->qos, message->retained);
    put_payload(message->payload, message->payloadlen);
    put_properties(&message->properties);
    end_line();
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

static void ended(struct client *client, int code) {
    if (client->is_leaving) return;
    client->is_leaving = 1;
    begin_line("ended %s code=%d", client->name, code);
    end_line();
}

static void on_disconnect(void *context, MQTTProperties *properties, enum MQTTReasonCodes code) {
    (void)properties;
    ended(context, code);
}

static void on_lost(void *context, char *cause) {
    (void)cause;
    ended(context, 0);
}

static void connect_client(const struct request *request) {
    const char *transport = text(request, "transport");
    int version = number(request, "version", 4);
    struct client *client = calloc(1, sizeof *client);
    snprintf(client->name, sizeof client->name, "%s", request->client);
    client->version = version;

    char uri[256];
    const char *scheme = !strcmp(transport, "tcp") ? "tcp" : !strcmp(transport, "tls") ? "ssl" : transport;
    snprintf(uri, sizeof uri, "%s://%s:%s%s", scheme, text(request, "host"), text(request, "port"),
             transport[0] == 'w' ? "/mqtt" : "");
    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
    create.MQTTVersion = version == 5 ? MQTTVERSION_5 : version == 4 ? MQTTVERSION_3_1_1 : MQTTVERSION_3_1;
    create.maxBufferedMessages = 10000;
    const char *identifier = text(request, "id");
    int result = MQTTAsync_createWithOptions(&client->handle, uri, identifier ? identifier : "",
                                             MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
    if (result) return failed(request->number, "create: %d", result);
    MQTTAsync_setCallbacks(client->handle, client, on_lost, on_message, NULL);
    MQTTAsync_setDisconnected(client->handle, client, on_disconnect);
    client->next = clients;
    clients = client;

    MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer;
    MQTTAsync_connectOptions connect5 = MQTTAsync_connectOptions_initializer5;
    if (version == 5) connect = connect5;
    int clean = number(request, "clean", 1);
    if (version == 5) {
        connect.cleanstart = clean;
        connect.onSuccess5 = on_connected5;
        connect.onFailure5 = on_failure5;
    } else {
        connect.MQTTVersion = create.MQTTVersion;
        connect.cleansession = clean;
        connect.onSuccess = on_connected;
        connect.onFailure = on_failure;
    }
    connect.keepAliveInterval = number(request, "keepalive", 60);
    connect.maxInflight = 20;
    connect.username = text(request, "user");
    connect.password = text(request, "password");
    connect.context = answer_to(request, 1, client);

    MQTTAsync_SSLOptions ssl = MQTTAsync_SSLOptions_initializer;
    if (find(request, "ca")) {
        ssl.trustStore = text(request, "ca");
        ssl.keyStore = text(request, "cert");
        ssl.privateKey = text(request, "key");
        ssl.verify = 1;
        connect.ssl = &ssl;
    }
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    MQTTProperties properties = MQTTProperties_initializer, will_properties = MQTTProperties_initializer;
    if (find(request, "willtopic")) {
        const struct field *payload = find(request, "willpayload");
        will.topicName = text(request, "willtopic");
        will.payload.data = payload ? payload->bytes : "";
        will.payload.len = payload ? payload->length : 0;
        will.qos = number(request, "willqos", 0);
        will.retained = number(request, "willretain", 0);
        connect.will = &will;
    }
    if (version == 5) {
        add_properties(&properties, request, 'p');
        connect.connectProperties = &properties;
        if (connect.will) {
            add_properties(&will_properties, request, 'w');
            connect.willProperties = &will_properties;
        }
    }
    result = MQTTAsync_connect(client->handle, &connect);
    if (result) failed(request->number, "connect: %d", result);
    MQTTProperties_free(&properties);
    MQTTProperties_free(&will_properties);
}

static MQTTAsync_responseOptions response(struct client *client, struct answer *answer) {
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.context = answer;
    if (client->version == 5) {
        options.onSuccess5 = on_success5;
        options.onFailure5 = on_failure5;
    } else {
        options.onSuccess = on_success;
        options.onFailure = on_failure;
    }
    return options;
}

static void subscribe(const struct request *request, struct client *client) {
    MQTTAsync_responseOptions options = response(client, answer_to(request, 1, client));
    if (client->version == 5) {
        options.onSuccess5 = on_subscribed5;
        options.onFailure5 = on_not_subscribed5;
        options.subscribeOptions.noLocal = (unsigned char)number(request, "nl", 0);
        options.subscribeOptions.retainAsPublished = (unsigned char)number(request, "rap", 0);
        options.subscribeOptions.retainHandling = (unsigned char)number(request, "rh", 0);
        add_properties(&options.properties, request, 'p');
    } else {
        options.onSuccess = on_subscribed;
        options.onFailure = on_not_subscribed;
    }
    int result = MQTTAsync_subscribe(client->handle, text(request, "filter"), number(request, "qos", 0), &options);
    if (result) failed(request->number, "subscribe: %d", result);
    MQTTProperties_free(&options.properties);
}

static void unsubscribe(const struct request *request, struct client *client) {
    MQTTAsync_responseOptions options = response(client, answer_to(request, 1, client));
    int result = MQTTAsync_unsubscribe(client->handle, text(request, "filter"), &options);
    if (result) failed(request->number, "unsubscribe: %d", result);
}

static void publish(const struct request *request, struct client *client) {
    int count = number(request, "count", 0), length = 0;
    char *payload = payload_of(request, &length);
    MQTTAsync_responseOptions options = response(client, answer_to(request, count ? count : 1, client));
    MQTTAsync_message message = MQTTAsync_message_initializer;
    message.qos = number(request, "qos", 0);
    message.retained = number(request, "retain", 0);
    if (client->version == 5) add_properties(&message.properties, request, 'p');
    for (int i = 0; i < (count ? count : 1); i++) {
        char digits[16];
        message.payload = count ? digits : payload;
        message.payloadlen = count ? snprintf(digits, sizeof digits, "%d", i) : length;
        int result = MQTTAsync_sendMessage(client->handle, text(request, "topic"), &message, &options);
        if (result) {
            failed(request->number, "send: %d", result);
            break;
        }
    }
    MQTTProperties_free(&message.properties);
    free(payload);
}

static void disconnect(const struct request *request, struct client *client) {
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    MQTTAsync_disconnectOptions options5 = MQTTAsync_disconnectOptions_initializer5;
    if (client->version == 5) options = options5;
    options.context = answer_to(request, 1, client);
    options.timeout = 1000;
    if (client->version == 5) {
        options.onSuccess5 = on_success5;
        options.onFailure5 = on_failure5;
        options.reasonCode = number(request, "reason", 0);
        add_properties(&options.properties, request, 'p');
    } else {
        options.onSuccess = on_success;
        options.onFailure = on_failure;
    }
    client->is_leaving = 1;
    int result = MQTTAsync_disconnect(client->handle, &options);
    if (result) failed(request->number, "disconnect: %d", result);
    MQTTProperties_free(&options.properties);
}

int main(void) {
    MQTTAsync_init_options init = MQTTAsync_init_options_initializer;
    init.do_openssl_init = 1;
    MQTTAsync_global_init(&init);
    struct request request;
    while (read_request(&request)) {
        if (!strcmp(request.verb, "connect")) {
            connect_client(&request);
            continue;
        }
        struct client *client = client_named(request.client);
        if (!client) {
            failed(request.number, "there is no client of this name");
        } else if (!strcmp(request.verb, "subscribe")) {
            subscribe(&request, client);
        } else if (!strcmp(request.verb, "unsubscribe")) {
            unsubscribe(&request, client);
        } else if (!strcmp(request.verb, "publish")) {
            publish(&request, client);
        } else if (!strcmp(request.verb, "disconnect")) {
            disconnect(&request, client);
        }
    }
    return 0;
}
