// libmosquitto, told what to do line by line: see PROTOCOL.md.
#include "lines.h"
#include <mosquitto.h>
#include <mqtt_protocol.h>

struct client {
    char name[64];
    int version;
    struct mosquitto *handle;
    int is_leaving, is_connecting;
    // Guarded by the lock of the client's own, which is held while something is sent, so that its answer finds it.
    pthread_mutex_t lock;
    int connect_number, disconnect_number;
    int open[65536];
    int outstanding[65536];
    struct client *next;
};

static struct client *clients;

static struct client *client_named(const char *name) {
    for (struct client *client = clients; client; client = client->next) {
        if (!strcmp(client->name, name)) return client;
    }
    return NULL;
}

static void put_properties(const mosquitto_property *properties) {
    for (; properties; properties = mosquitto_property_next(properties)) {
        int identifier = mosquitto_property_identifier(properties);
        uint8_t byte;
        uint16_t half;
        uint32_t integer;
        char *name = NULL, *value = NULL;
        void *data = NULL;
        printf(" p%d=", identifier);
        switch (property_form(identifier)) {
        case 'B':
            mosquitto_property_read_byte(properties, identifier, &byte, false);
            printf("%d", byte);
            break;
        case 'H':
            mosquitto_property_read_int16(properties, identifier, &half, false);
            printf("%d", half);
            break;
        case 'I':
            mosquitto_property_read_int32(properties, identifier, &integer, false);
            printf("%u", integer);
            break;
        case 'V':
            mosquitto_property_read_varint(properties, identifier, &integer, false);
            printf("%u", integer);
            break;
        case 'P':
            mosquitto_property_read_string_pair(properties, identifier, &name, &value, false);
            put(name, (int)strlen(name));
            printf("%%00");
            put(value, (int)strlen(value));
            break;
        case 'D':
            mosquitto_property_read_binary(properties, identifier, &data, &half, false);
            put(data, half);
            break;
        default:
            mosquitto_property_read_string(properties, identifier, &value, false);
            put(value, (int)strlen(value));
        }
        free(name);
        free(value);
        free(data);
    }
}

static mosquitto_property *properties_of(const struct request *request, char letter) {
    mosquitto_property *properties = NULL;
    for (int i = 0; i < request->count; i++) {
        const struct field *field = &request->fields[i];
        if (field->key[0] != letter || field->key[1] < '0' || field->key[1] > '9') continue;
        int identifier = atoi(field->key + 1);
        const char *name, *value;
        unsigned long number = strtoul(field->bytes, NULL, 10);
        switch (property_form(identifier)) {
        case 'B': mosquitto_property_add_byte(&properties, identifier, (uint8_t)number); break;
        case 'H': mosquitto_property_add_int16(&properties, identifier, (uint16_t)number); break;
        case 'I': mosquitto_property_add_int32(&properties, identifier, (uint32_t)number); break;
        case 'V': mosquitto_property_add_varint(&properties, identifier, (uint32_t)number); break;
        case 'D': mosquitto_property_add_binary(&properties, identifier, field->bytes, (uint16_t)field->length); break;
        case 'P':
            split_pair(field, &name, &value);
            mosquitto_property_add_string_pair(&properties, identifier, name, value);
            break;
        default: mosquitto_property_add_string(&properties, identifier, field->bytes);
        }
    }
    return properties;
}

static void on_connect(struct mosquitto *handle, void *context, int code, int flags, const mosquitto_property *all) {
    (void)handle;
    struct client *client = context;
    client->is_connecting = 0;
    if (code) {
        client->is_leaving = 1;
        failed(client->connect_number, "refused: %d", code);
        return;
    }
    begin_line("%d ok present=%d", client->connect_number, flags & 1);
    put_properties(all);
    end_line();
}

static void on_disconnect(struct mosquitto *handle, void *context, int code, const mosquitto_property *all) {
    struct client *client = context;
    if (client->disconnect_number) {
        succeeded(client->disconnect_number);
    } else if (client->is_connecting) {
        client->is_connecting = 0;
        failed(client->connect_number, "closed: %d", code);
    } else if (!client->is_leaving) {
        begin_line("ended %s code=%d", client->name, code);
        put_properties(all);
        end_line();
    }
    // It would connect again by itself.
    client->is_leaving = 1;
    mosquitto_disconnect(handle);
}

static void on_message(struct mosquitto *handle, void *context, const struct mosquitto_message *message,
                       const mosquitto_property *all) {
    (void)handle;
    begin_line("message %s topic=", ((struct client *)context)->name);
    put(message->topic, (int)strlen(message->topic));
    printf(" qos=%d retain=%d", message->qos, message->retain);
    put_payload(message->payload, message->payloadlen);
    put_properties(all);
    end_line();
}

// The request that a message belongs to; 0 while it waits for others.
static int completed(struct client *client, int mid) {
    pthread_mutex_lock(&client->lock);
    int number = client->open[mid];
    client->open[mid] = 0;
    int *outstanding = &client->outstanding[number & 65535];
    if (number && --*outstanding > 0) number = 0;
    pthread_mutex_unlock(&client->lock);
    return number;
}

static void on_publish(struct mosquitto *handle, void *context, int mid, int code, const mosquitto_property *all) {
    (void)handle, (void)all;
    int number = completed(context, mid);
    if (!number) return;
    if (code >= 128) failed(number, "refused: %d", code); else succeeded(number);
}

static void on_subscribe(struct mosquitto *handle, void *context, int mid, int count, const int *codes,
                         const mosquitto_property *all) {
    (void)handle, (void)count, (void)all;
    int number = completed(context, mid);
    begin_line("%d ok code=%d", number, codes[0]);
    end_line();
}

static void on_unsubscribe(struct mosquitto *handle, void *context, int mid, const mosquitto_property *all) {
    (void)handle, (void)all;
    succeeded(completed(context, mid));
}

static void connect_client(const struct request *request) {
    struct client *client = calloc(1, sizeof *client);
    const char *identifier = text(request, "id");
    snprintf(client->name, sizeof client->name, "%s", request->client);
    pthread_mutex_init(&client->lock, NULL);
    client->version = number(request, "version", 4);
    client->connect_number = request->number;
    client->is_connecting = 1;
    client->handle =
        mosquitto_new(identifier && *identifier ? identifier : NULL, number(request, "clean", 1) != 0, client);
    mosquitto_int_option(client->handle, MOSQ_OPT_PROTOCOL_VERSION,
                         client->version == 5   ? MQTT_PROTOCOL_V5
                         : client->version == 4 ? MQTT_PROTOCOL_V311
                                                : MQTT_PROTOCOL_V31);
    mosquitto_connect_v5_callback_set(client->handle, on_connect);
    mosquitto_disconnect_v5_callback_set(client->handle, on_disconnect);
    mosquitto_message_v5_callback_set(client->handle, on_message);
    mosquitto_publish_v5_callback_set(client->handle, on_publish);
    mosquitto_subscribe_v5_callback_set(client->handle, on_subscribe);
    mosquitto_unsubscribe_v5_callback_set(client->handle, on_unsubscribe);
    client->next = clients;
    clients = client;

    int result = 0;
    if (find(request, "user")) mosquitto_username_pw_set(client->handle, text(request, "user"), text(request, "password"));
    if (find(request, "ca")) {
        result = mosquitto_tls_set(client->handle, text(request, "ca"), NULL, text(request, "cert"),
                                   text(request, "key"), NULL);
    }
    if (!result && find(request, "willtopic")) {
        const struct field *payload = find(request, "willpayload");
        result = mosquitto_will_set_v5(client->handle, text(request, "willtopic"), payload ? payload->length : 0,
                                       payload ? payload->bytes : NULL, number(request, "willqos", 0),
                                       number(request, "willretain", 0) != 0,
                                       client->version == 5 ? properties_of(request, 'w') : NULL);
    }
    if (!result) {
        mosquitto_property *properties = client->version == 5 ? properties_of(request, 'p') : NULL;
        const char *path = text(request, "path");
        result = mosquitto_connect_bind_v5(client->handle, path ? path : text(request, "host"),
                                           path ? 0 : number(request, "port", 1883),
                                           number(request, "keepalive", 60), NULL, properties);
        mosquitto_property_free_all(&properties);
    }
    if (!result) result = mosquitto_loop_start(client->handle);
    if (result) failed(request->number, "connect: %s", mosquitto_strerror(result));
}

static void subscribe(const struct request *request, struct client *client) {
    int mid = 0;
    int options = number(request, "nl", 0) * MQTT_SUB_OPT_NO_LOCAL |
                  number(request, "rap", 0) * MQTT_SUB_OPT_RETAIN_AS_PUBLISHED | number(request, "rh", 0) << 4;
    mosquitto_property *properties = client->version == 5 ? properties_of(request, 'p') : NULL;
    pthread_mutex_lock(&client->lock);
    int result = mosquitto_subscribe_v5(client->handle, &mid, text(request, "filter"), number(request, "qos", 0),
                                        client->version == 5 ? options : 0, properties);
    client->open[mid] = request->number;
    pthread_mutex_unlock(&client->lock);
    mosquitto_property_free_all(&properties);
    if (result) failed(request->number, "subscribe: %s", mosquitto_strerror(result));
}

static void unsubscribe(const struct request *request, struct client *client) {
    int mid = 0;
    pthread_mutex_lock(&client->lock);
    int result = mosquitto_unsubscribe(client->handle, &mid, text(request, "filter"));
    client->open[mid] = request->number;
    pthread_mutex_unlock(&client->lock);
    if (result) failed(request->number, "unsubscribe: %s", mosquitto_strerror(result));
}

static void publish(const struct request *request, struct client *client) {
    int count = number(request, "count", 0), length = 0;
    char *payload = payload_of(request, &length);
    mosquitto_property *properties = client->version == 5 ? properties_of(request, 'p') : NULL;
    int result = 0;
    pthread_mutex_lock(&client->lock);
    client->outstanding[request->number & 65535] = count ? count : 1;
    for (int i = 0; i < (count ? count : 1) && !result; i++) {
        int mid = 0;
        char digits[16];
        int digit_count = snprintf(digits, sizeof digits, "%d", i);
        result = mosquitto_publish_v5(client->handle, &mid, text(request, "topic"), count ? digit_count : length,
                                      count ? digits : payload, number(request, "qos", 0),
                                      number(request, "retain", 0) != 0, properties);
        client->open[mid] = request->number;
    }
    pthread_mutex_unlock(&client->lock);
    mosquitto_property_free_all(&properties);
    free(payload);
    if (result) failed(request->number, "publish: %s", mosquitto_strerror(result));
}

static void disconnect(const struct request *request, struct client *client) {
    mosquitto_property *properties = client->version == 5 ? properties_of(request, 'p') : NULL;
    client->disconnect_number = request->number;
    client->is_leaving = 1;
    int result = mosquitto_disconnect_v5(client->handle, number(request, "reason", 0), properties);
    mosquitto_property_free_all(&properties);
    if (result) failed(request->number, "disconnect: %s", mosquitto_strerror(result));
}

int main(void) {
    mosquitto_lib_init();
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
