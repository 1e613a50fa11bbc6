// libmosquitto-bench publish|receive PORT QOS COUNT, or version
#include "measure.h"
#include <mosquitto.h>
#include <semaphore.h>
#include <stdatomic.h>

static int count, qos;
static atomic_int seen;
// Room for messages that were given to the library and are not done: it queues without a limit of its own.
static sem_t room, done;

static void on_connect(struct mosquitto *client, void *context, int code)
{
    (void)client, (void)context;
    if (code) fail("CONNACK", code);
    sem_post(&done);
}

static void on_disconnect(struct mosquitto *client, void *context, int code)
{
    (void)client, (void)context;
    if (code) fail("disconnected", code);
}

static void on_subscribe(struct mosquitto *client, void *context, int mid, int granted, const int *list)
{
    (void)client, (void)context, (void)mid, (void)granted, (void)list;
    puts("READY");
    fflush(stdout);
}

static void on_publish(struct mosquitto *client, void *context, int mid)
{
    (void)client, (void)context, (void)mid;
    sem_post(&room);
    if (++seen == count) sem_post(&done);
}

static void on_message(struct mosquitto *client, void *context, const struct mosquitto_message *message)
{
    (void)client, (void)context, (void)message;
    if (seen == 0) begin();
    if (++seen == count) {
        report();
        exit(0);
    }
}

static void publish(struct mosquitto *client, const char *topic, int level)
{
    static const char payload[PAYLOAD];
    sem_wait(&room);
    int code = mosquitto_publish(client, NULL, topic, sizeof payload, payload, level, false);
    if (code) fail("publishing", code);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        int major, minor, revision;
        mosquitto_lib_version(&major, &minor, &revision);
        printf("libmosquitto %d.%d.%d\n", major, minor, revision);
        return 0;
    }
    if (argc != 5) fail("usage: libmosquitto-bench publish|receive PORT QOS COUNT", argc);
    int port = atoi(argv[2]);
    qos = atoi(argv[3]);
    count = atoi(argv[4]);
    sem_init(&room, 0, 1000);
    sem_init(&done, 0, 0);
    mosquitto_lib_init();
    // No fixed identifier: while one receives, another one publishes what it is to receive.
    struct mosquitto *client = mosquitto_new(NULL, true, NULL);
    mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, WINDOW);
    mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_callback_set(client, on_connect);
    mosquitto_disconnect_callback_set(client, on_disconnect);
    mosquitto_publish_callback_set(client, on_publish);
    mosquitto_subscribe_callback_set(client, on_subscribe);
    mosquitto_message_callback_set(client, on_message);
    int code = mosquitto_connect(client, "127.0.0.1", port, 60);
    if (code) fail("connecting", code);
    if (strcmp(argv[1], "receive") == 0) {
        mosquitto_subscribe(client, NULL, TOPIC, qos);
        mosquitto_loop_forever(client, -1, 1);
        return 0;
    }
    mosquitto_loop_start(client);
    sem_wait(&done);
    int messages = count;
    if (qos == 0) count++;
    begin();
    for (int number = 0; number < messages; number++) publish(client, TOPIC, qos);
    if (qos == 0) publish(client, END_TOPIC, 1);
    sem_wait(&done);
    report();
    mosquitto_disconnect(client);
    mosquitto_loop_stop(client, false);
    return 0;
}
