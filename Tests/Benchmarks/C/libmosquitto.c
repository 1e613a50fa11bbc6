// libmosquitto-bench publish|receive PORT QOS COUNT
#include "measure.h"
#include <mosquitto.h>
#include <semaphore.h>

static int count, seen, qos;
// Room in the window of messages that were given to the library and are not done.
static sem_t room, done;

static void on_connect(struct mosquitto *client, void *context, int code)
{
    (void)client, (void)context;
    if (code) fail("CONNACK", code);
    sem_post(&done);
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
        // Seen: mosquitto_loop_forever did not come back from a goodbye in the middle of many messages.
        exit(0);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) fail("usage: libmosquitto-bench publish|receive PORT QOS COUNT", argc);
    int port = atoi(argv[2]);
    qos = atoi(argv[3]);
    count = atoi(argv[4]);
    sem_init(&room, 0, 1000);
    sem_init(&done, 0, 0);
    mosquitto_lib_init();
    struct mosquitto *client = mosquitto_new("libmosquitto-bench", true, NULL);
    mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, 20);
    mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_connect_callback_set(client, on_connect);
    mosquitto_publish_callback_set(client, on_publish);
    mosquitto_subscribe_callback_set(client, on_subscribe);
    mosquitto_message_callback_set(client, on_message);
    int code = mosquitto_connect(client, "127.0.0.1", port, 60);
    if (code) fail("connecting", code);
    if (strcmp(argv[1], "receive") == 0) {
        mosquitto_subscribe(client, NULL, "bench/t", qos);
        mosquitto_loop_forever(client, -1, 1);
        return 0;
    }
    mosquitto_loop_start(client);
    sem_wait(&done);
    char payload[100];
    memset(payload, 'x', sizeof payload);
    begin();
    for (int number = 0; number < count; number++) {
        sem_wait(&room);
        code = mosquitto_publish(client, NULL, "bench/t", sizeof payload, payload, qos, false);
        if (code) fail("publishing", code);
    }
    sem_wait(&done);
    report();
    mosquitto_disconnect(client);
    mosquitto_loop_stop(client, false);
    return 0;
}
