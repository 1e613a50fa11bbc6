// paho-bench publish|receive PORT QOS COUNT [FOLDER], or version: with a folder, messages are kept in its files until
// they are done.
#include "measure.h"
#include <MQTTAsync.h>
#include <semaphore.h>
#include <stdatomic.h>

static int count, qos;
static atomic_int seen;
static sem_t room, done;
static MQTTAsync client;

static void connected(void *context, MQTTAsync_successData *data)
{
    (void)context, (void)data;
    sem_post(&done);
}

static void lost(void *context, char *cause)
{
    (void)context, (void)cause;
    fail("disconnected", 0);
}

static void subscribed(void *context, MQTTAsync_successData *data)
{
    (void)context, (void)data;
    puts("READY");
    fflush(stdout);
}

static void published(void *context, MQTTAsync_successData *data)
{
    (void)context, (void)data;
    sem_post(&room);
    if (++seen == count) sem_post(&done);
}

static void failed(void *context, MQTTAsync_failureData *data)
{
    (void)context;
    fail("a request failed", data ? data->code : 0);
}

static int arrived(void *context, char *topic, int length, MQTTAsync_message *message)
{
    (void)context, (void)length;
    if (seen == 0) begin();
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    if (++seen == count) {
        report();
        sem_post(&done);
    }
    return 1;
}

static void publish(const char *topic, int level)
{
    static const char payload[PAYLOAD];
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.onSuccess = published;
    response.onFailure = failed;
    sem_wait(&room);
    int code = MQTTAsync_send(client, topic, sizeof payload, payload, level, 0, &response);
    if (code) fail("publishing", code);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        for (MQTTAsync_nameValue *info = MQTTAsync_getVersionInfo(); info->name; info++) {
            if (strcmp(info->name, "Version") == 0) printf("Paho C %s\n", info->value);
        }
        return 0;
    }
    if (argc < 5) fail("usage: paho-bench publish|receive PORT QOS COUNT [FOLDER]", argc);
    char address[64];
    snprintf(address, sizeof address, "tcp://127.0.0.1:%d", atoi(argv[2]));
    qos = atoi(argv[3]);
    count = atoi(argv[4]);
    // No more than the window: messages that wait inside the library wait for its sending thread, which an
    // acknowledgement does not wake. Only another message does, or the end of a second.
    sem_init(&room, 0, qos == 0 ? 1000 : WINDOW);
    sem_init(&done, 0, 0);
    int code = MQTTAsync_create(
        &client, address, "paho-bench", argc > 5 ? MQTTCLIENT_PERSISTENCE_DEFAULT : MQTTCLIENT_PERSISTENCE_NONE,
        argc > 5 ? argv[5] : NULL);
    if (code) fail("creating", code);
    MQTTAsync_setCallbacks(client, NULL, lost, arrived, NULL);
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    options.keepAliveInterval = 60;
    options.cleansession = 1;
    options.maxInflight = WINDOW;
    options.onSuccess = connected;
    options.onFailure = failed;
    code = MQTTAsync_connect(client, &options);
    if (code) fail("connecting", code);
    sem_wait(&done);
    if (strcmp(argv[1], "receive") == 0) {
        MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
        response.onSuccess = subscribed;
        response.onFailure = failed;
        MQTTAsync_subscribe(client, TOPIC, qos, &response);
        sem_wait(&done);
        return 0;
    }
    int messages = count;
    if (qos == 0) count++;
    begin();
    for (int number = 0; number < messages; number++) publish(TOPIC, qos);
    if (qos == 0) publish(END_TOPIC, 1);
    sem_wait(&done);
    report();
    return 0;
}
