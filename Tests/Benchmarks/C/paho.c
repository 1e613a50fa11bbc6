// paho-bench publish|receive PORT QOS COUNT [FOLDER]: with a folder, messages are kept in its files until they are done.
#include "measure.h"
#include <MQTTAsync.h>
#include <semaphore.h>
#include <unistd.h>

static int count, seen, qos;
static sem_t room, done;

static void connected(void *context, MQTTAsync_successData *data)
{
    (void)context, (void)data;
    sem_post(&done);
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

int main(int argc, char **argv)
{
    if (argc < 5) fail("usage: paho-bench publish|receive PORT QOS COUNT [FOLDER]", argc);
    char address[64];
    snprintf(address, sizeof address, "tcp://127.0.0.1:%d", atoi(argv[2]));
    qos = atoi(argv[3]);
    count = atoi(argv[4]);
    sem_init(&room, 0, 1000);
    sem_init(&done, 0, 0);
    MQTTAsync client;
    int code = MQTTAsync_create(
        &client, address, "paho-bench", argc > 5 ? MQTTCLIENT_PERSISTENCE_DEFAULT : MQTTCLIENT_PERSISTENCE_NONE,
        argc > 5 ? argv[5] : NULL);
    if (code) fail("creating", code);
    MQTTAsync_setCallbacks(client, NULL, NULL, arrived, NULL);
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    options.keepAliveInterval = 60;
    options.cleansession = 1;
    options.maxInflight = 20;
    options.onSuccess = connected;
    options.onFailure = failed;
    code = MQTTAsync_connect(client, &options);
    if (code) fail("connecting", code);
    sem_wait(&done);
    if (strcmp(argv[1], "receive") == 0) {
        MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
        response.onSuccess = subscribed;
        response.onFailure = failed;
        MQTTAsync_subscribe(client, "bench/t", qos, &response);
        sem_wait(&done);
        return 0;
    }
    // Seen now and then: a message whose callback never comes. Whether this program or the library is to blame is not known.
    alarm(10);
    char payload[100];
    memset(payload, 'x', sizeof payload);
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.onSuccess = published;
    response.onFailure = failed;
    begin();
    for (int number = 0; number < count; number++) {
        sem_wait(&room);
        code = MQTTAsync_send(client, "bench/t", sizeof payload, payload, qos, 0, &response);
        if (code) fail("publishing", code);
    }
    sem_wait(&done);
    report();
    return 0;
}
