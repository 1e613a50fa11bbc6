// brokerload flow|connect|idle [options]: loads one broker with many clients and measures the broker.
//
// One thread, one core (-c), nothing allocated while it measures: it is to be cheaper than any broker, and says how
// busy it was itself. A broker never has more than a bounded number of messages to deliver: how much it can carry is
// measured, not what it drops. What it drops all the same is counted.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char usage[] =
    "usage: brokerload flow|connect|idle -p PORT -b BROKER-PID [options]\n"
    "  flow      publishers (-n) to subscribers (-m) on topics of their own or shared (-t), messages per second\n"
    "  connect   CONNECT, CONNACK, DISCONNECT, end of the connection: 64 at a time, connections per second\n"
    "  idle      memory without and with subscribed clients (-m) that have nothing to do\n"
    "  -v 4|5    MQTT 3.1.1 or 5.0                -q QOS      of publishers and subscribers\n"
    "  -w COUNT  messages of a publisher on their way, at most\n"
    "  -s SECONDS of measuring, after half a second that is not measured\n"
    "  -r MICROSECONDS  from one message to the next, one at a time: shows how long they take\n"
    "  -k        sessions of subscribers are persistent\n"
    "  -c CPU    this program's core\n";

enum {
    PAYLOAD = 100,
    INPUT = 256 * 1024,
    OUTPUT = 32 * 1024,
    PARTIAL = 1024,
    // Connections being made at the same time: fewer than any broker's backlog.
    AT_ONCE = 64,
    KEEP_ALIVE = 60,
    SAMPLES = 1 << 20,
};

enum { CONNECT = 1, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, PINGREQ = 12, PINGRESP,
       DISCONNECT };

enum mode { FLOW, CONNECTS, IDLE };

struct client {
    int descriptor;
    uint32_t number;
    bool subscriber, ready, leaving, wants_out;
    // A publisher's: its next message, what the broker has not acknowledged, and the deliveries it still owes.
    uint32_t sequence;
    uint16_t identifier;
    long in_flight, receive_maximum, in_air;
    // A subscriber's: the sequence it expects next from each publisher.
    uint32_t *expected;
    size_t partial_length, output_length;
    uint8_t partial[PARTIAL], output[OUTPUT];
};

static enum mode mode;
static int port, broker, version = 4, qos, topics = 1, cpu = -1;
static long publisher_count, subscriber_count, window = 20, fan_out, pace;
static double seconds = 2;
static bool persistent;

static int poller;
static struct client *publishers, *subscribers;
static long handshakes, readied, ended, pongs;
static uint64_t published, delivered, duplicates;
static int64_t last_delivery;
static uint32_t *samples;
static size_t sample_count;

// MARK: What there is to know of a process

static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time)) fail("reading a clock: %s", strerror(errno));
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static int64_t now(void) { return nanoseconds(CLOCK_MONOTONIC); }

// User and system time of all threads, to the nanosecond: /proc/PID/stat only has hundredths of a second.
static int64_t broker_time(void)
{
    clockid_t clock;
    if (clock_getcpuclockid(broker, &clock)) fail("the broker, process %d, is gone", broker);
    return nanoseconds(clock);
}

// A line of a file in /proc/PID, in kB.
static long kilobytes(const char *file, const char *field)
{
    char path[64], line[256];
    long value = -1;
    snprintf(path, sizeof path, "/proc/%d/%s", broker, file);
    FILE *stream = fopen(path, "r");
    if (!stream) fail("%s: %s", path, strerror(errno));
    while (value < 0 && fgets(line, sizeof line, stream)) {
        if (strncmp(line, field, strlen(field)) == 0) sscanf(line + strlen(field), ": %ld", &value);
    }
    fclose(stream);
    return value;
}

// MARK: Packets

// Room for one more packet of at most this size; what the broker does not take in time is its fault.
static uint8_t *room(struct client *client, size_t size)
{
    if (client->output_length + size > OUTPUT) fail("the broker does not read what client %u sends", client->number);
    return client->output + client->output_length;
}

static uint8_t *put16(uint8_t *to, unsigned value)
{
    *to++ = (uint8_t)(value >> 8);
    *to++ = (uint8_t)value;
    return to;
}

static uint8_t *put_text(uint8_t *to, const char *text)
{
    size_t length = strlen(text);
    return (uint8_t *)mempcpy(put16(to, (unsigned)length), text, length);
}

static unsigned get16(const uint8_t *from) { return (unsigned)from[0] << 8 | from[1]; }

// Everything sent here has a remaining length below 128.
static void put_packet(struct client *client, uint8_t first, const uint8_t *body, const uint8_t *end)
{
    size_t length = (size_t)(end - body);
    uint8_t *to = room(client, length + 2);
    to[0] = first;
    to[1] = (uint8_t)length;
    memcpy(to + 2, body, length);
    client->output_length += length + 2;
}

// Acknowledgements and what follows them: without a reason code, that is a success, in either version.
static void put_answer(struct client *client, uint8_t first, unsigned identifier)
{
    uint8_t body[2];
    put_packet(client, first, body, put16(body, identifier));
}

static void put_connect(struct client *client)
{
    uint8_t body[100], *end = put_text(body, "MQTT");
    bool keeps = persistent && client->subscriber;
    *end++ = (uint8_t)version;
    *end++ = keeps ? 0 : 2;
    end = put16(end, KEEP_ALIVE);
    if (version == 5) {
        *end++ = keeps ? 5 : 0;
        // The session's expiry interval, an hour.
        if (keeps) *end++ = 17, end = put16(put16(end, 0), 3600);
    }
    char name[32];
    snprintf(name, sizeof name, "load-%c%u", client->subscriber ? 's' : 'p', client->number);
    put_packet(client, CONNECT << 4, body, put_text(end, name));
}

static const char *topic(const struct client *client)
{
    static char text[32];
    snprintf(text, sizeof text, "bench/%u", client->number % (unsigned)topics);
    return text;
}

static void put_subscribe(struct client *client)
{
    uint8_t body[100], *end = put16(body, 1);
    if (version == 5) *end++ = 0;
    end = put_text(end, topic(client));
    *end++ = (uint8_t)qos;
    put_packet(client, SUBSCRIBE << 4 | 2, body, end);
}

static void put_publish(struct client *client, int64_t time)
{
    uint8_t body[160] = {0}, *end = put_text(body, topic(client));
    if (qos > 0) {
        if (++client->identifier == 0) client->identifier = 1;
        end = put16(end, client->identifier);
        client->in_flight++;
    }
    if (version == 5) *end++ = 0;
    memcpy(end, &client->number, 4);
    memcpy(end + 4, &client->sequence, 4);
    memcpy(end + 8, &time, 8);
    put_packet(client, (uint8_t)(PUBLISH << 4 | qos << 1), body, end + PAYLOAD);
    client->sequence++;
    client->in_air += fan_out;
    published++;
}

// The broker may allow fewer messages in flight than we would have.
static void read_receive_maximum(struct client *client, const uint8_t *at, size_t length)
{
    const uint8_t *end = at + length;
    while (at + 3 <= end) {
        switch (*at) {
        case 0x21: client->receive_maximum = (long)get16(at + 1); return;
        case 0x13: case 0x22: at += 3; break;
        case 0x11: case 0x27: at += 5; break;
        case 0x24: case 0x25: case 0x28: case 0x29: case 0x2a: at += 2; break;
        case 0x26: at += 3 + get16(at + 1); at += at + 2 <= end ? 2 + get16(at) : 2; break;
        default: at += 3 + get16(at + 1);
        }
    }
}

// MARK: Connections

static void watch(struct client *client, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = client};
    if (epoll_ctl(poller, operation, client->descriptor, &event)) fail("epoll_ctl: %s", strerror(errno));
}

static void flush(struct client *client)
{
    if (client->output_length == 0) return;
    ssize_t sent = send(client->descriptor, client->output, client->output_length, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN) fail("sending as client %u: %s", client->number, strerror(errno));
        sent = 0;
    }
    client->output_length -= (size_t)sent;
    memmove(client->output, client->output + sent, client->output_length);
    bool wants_out = client->output_length > 0;
    if (wants_out != client->wants_out) watch(client, EPOLL_CTL_MOD, EPOLLIN | (wants_out ? EPOLLOUT : 0));
    client->wants_out = wants_out;
}

static void start(struct client *client)
{
    // At once on a loopback: the kernel makes the connection, whatever the broker does.
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    client->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->descriptor < 0 || connect(client->descriptor, (struct sockaddr *)&address, sizeof address)) {
        fail("connecting client %u: %s", client->number, strerror(errno));
    }
    int on = 1;
    setsockopt(client->descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (mode == CONNECTS) {
        // The broker has closed it when we do: no end of the connection has to be remembered for a minute.
        struct linger none = {.l_onoff = 1};
        setsockopt(client->descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    }
    fcntl(client->descriptor, F_SETFL, O_NONBLOCK);
    client->ready = client->leaving = client->wants_out = false;
    client->partial_length = client->output_length = 0;
    client->receive_maximum = 65535;
    handshakes++;
    watch(client, EPOLL_CTL_ADD, EPOLLIN);
    put_connect(client);
    flush(client);
}

static void become_ready(struct client *client)
{
    client->ready = true;
    handshakes--;
    readied++;
}

static void take_connack(struct client *client, const uint8_t *body, size_t length)
{
    if (length < 2 || body[1]) fail("CONNACK refuses client %u: %d", client->number, length < 2 ? -1 : body[1]);
    if (mode == CONNECTS) {
        client->leaving = true;
        put_packet(client, DISCONNECT << 4, NULL, NULL);
        return;
    }
    // Below 128 bytes of properties their length is one byte, and what we look for is there.
    if (version == 5 && length > 3 && body[2] < 128) read_receive_maximum(client, body + 3, length - 3);
    if (client->subscriber) {
        put_subscribe(client);
    } else {
        become_ready(client);
    }
}

static void take_delivery(struct client *client, const uint8_t *payload)
{
    uint32_t number, sequence;
    memcpy(&number, payload, 4);
    memcpy(&sequence, payload + 4, 4);
    if (number >= publisher_count) fail("a message of publisher %u, of whom nobody knows", number);
    struct client *publisher = &publishers[number];
    uint32_t *expected = &client->expected[number / (unsigned)topics];
    if ((int32_t)(sequence - *expected) < 0) {
        duplicates++;
        return;
    }
    // What is missing before it will not come any more.
    publisher->in_air -= 1 + (long)(sequence - *expected);
    *expected = sequence + 1;
    delivered++;
    if (pace) {
        int64_t sent;
        memcpy(&sent, payload + 8, 8);
        if (sample_count < SAMPLES) samples[sample_count++] = (uint32_t)(now() - sent);
    }
}

static void take_publish(struct client *client, uint8_t first, const uint8_t *body, size_t length)
{
    int level = first >> 1 & 3;
    size_t head = 2 + (length < 2 ? 0 : get16(body)) + (level ? 2 : 0) + (version == 5 ? 1 : 0);
    if (level != qos || length != head + PAYLOAD) {
        fail("client %u got %zu bytes with QoS %d, not its message with QoS %d", client->number, length, level, qos);
    }
    if (level) put_answer(client, (level == 1 ? PUBACK : PUBREC) << 4, get16(body + 2 + get16(body)));
    take_delivery(client, body + head);
}

static void take_packet(struct client *client, uint8_t first, const uint8_t *body, size_t length)
{
    unsigned identifier = length >= 2 ? get16(body) : 0;
    int type = first >> 4;
    if (version == 5 && type >= PUBACK && type <= PUBCOMP && length > 2 && body[2] >= 0x80) {
        fail("client %u got reason code %d in a packet of type %d", client->number, body[2], type);
    }
    switch (type) {
    case CONNACK: take_connack(client, body, length); break;
    case PUBLISH: take_publish(client, first, body, length); break;
    case PUBACK: case PUBCOMP: client->in_flight--; break;
    case PUBREC: put_answer(client, PUBREL << 4 | 2, identifier); break;
    case PUBREL: put_answer(client, PUBCOMP << 4, identifier); break;
    case SUBACK:
        if (length < 3 || body[length - 1] != qos) fail("SUBACK does not grant client %u QoS %d", client->number, qos);
        become_ready(client);
        break;
    case PINGRESP: pongs++; break;
    default: fail("client %u got a packet of type %d, reason %d", client->number, type, length ? body[0] : 0);
    }
}

static void end_of(struct client *client)
{
    if (!client->leaving) fail("the broker closed the connection of client %u", client->number);
    close(client->descriptor);
    handshakes--;
    ended++;
    start(client);
}

static void receive(struct client *client)
{
    static uint8_t input[PARTIAL + INPUT];
    memcpy(input, client->partial, client->partial_length);
    ssize_t count = recv(client->descriptor, input + client->partial_length, INPUT, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
        end_of(client);
        return;
    }
    const uint8_t *at = input, *end = input + client->partial_length + count;
    while (end - at >= 2) {
        const uint8_t *body = at + 1;
        size_t length = 0;
        int shift = 0;
        bool more = true;
        while (more && body < end && shift <= 21) {
            length |= (size_t)(*body & 127) << shift;
            more = *body++ & 128;
            shift += 7;
        }
        if (more || (size_t)(end - body) < length) break;
        take_packet(client, *at, body, length);
        at = body + length;
    }
    client->partial_length = (size_t)(end - at);
    if (client->partial_length > PARTIAL) fail("client %u got a packet that is too long", client->number);
    memcpy(client->partial, at, client->partial_length);
    flush(client);
}

// Waits for something to happen, at most so many milliseconds, and does what is to be done then.
static void turn(int timeout)
{
    static struct epoll_event events[512];
    int count = epoll_wait(poller, events, 512, timeout);
    for (int index = 0; index < count; index++) {
        struct client *client = events[index].data.ptr;
        if (events[index].events & EPOLLOUT) flush(client);
        if (events[index].events & ~(uint32_t)EPOLLOUT) receive(client);
    }
}

static struct client *make(long count, bool subscriber)
{
    struct client *clients = calloc((size_t)count + 1, sizeof *clients);
    if (!clients) fail("no memory for %ld clients", count);
    for (long number = 0; number < count; number++) {
        clients[number].number = (uint32_t)number;
        clients[number].subscriber = subscriber;
        if (subscriber) clients[number].expected = calloc((size_t)publisher_count / (size_t)topics + 1, 4);
    }
    return clients;
}

static void open_all(struct client *clients, long count)
{
    int64_t deadline = now() + INT64_C(60000000000);
    long started = 0, before = readied;
    while (readied - before < count) {
        while (started < count && handshakes < AT_ONCE) start(&clients[started++]);
        turn(1000);
        if (now() > deadline) fail("%ld of %ld clients are connected after a minute", readied - before, count);
    }
}

// MARK: What is measured

// The broker's and our own time, and something counted, from its making on.
struct meter {
    int64_t wall, broker, own;
    uint64_t count;
};

static struct meter measure(uint64_t count)
{
    return (struct meter){now(), broker_time(), nanoseconds(CLOCK_PROCESS_CPUTIME_ID), count};
}

static void report(const struct meter *begin, const struct meter *end)
{
    double wall = (double)(end->wall - begin->wall), count = (double)(end->count - begin->count);
    double broker_share = (double)(end->broker - begin->broker), own_share = (double)(end->own - begin->own);
    printf("RESULT rate %.1f cpu %.3f busy %.3f load %.3f", count * 1e9 / wall,
        count > 0 ? broker_share / 1e3 / count : 0, broker_share / wall, own_share / wall);
}

static int by_size(const void *left, const void *right)
{
    uint32_t first = *(const uint32_t *)left, second = *(const uint32_t *)right;
    return (first > second) - (first < second);
}

static void publish_what_may(int64_t time)
{
    for (long number = 0; number < publisher_count; number++) {
        struct client *client = &publishers[number];
        while (client->in_flight < window && client->in_flight < client->receive_maximum
            && client->in_air + fan_out <= window * fan_out && client->output_length < OUTPUT / 2) {
            put_publish(client, time);
        }
        // What waits for EPOLLOUT is sent then.
        if (!client->wants_out) flush(client);
    }
}

static bool all_is_done(void)
{
    for (long number = 0; number < publisher_count; number++) {
        if (publishers[number].in_flight > 0) return false;
    }
    return delivered >= published * (uint64_t)fan_out;
}

// QoS 0 behind which nothing comes any more: what is missing is taken for lost, and others may take its place.
static void forgive_losses(int64_t time)
{
    if (qos > 0 || time - last_delivery < INT64_C(1000000000)) return;
    last_delivery = time;
    for (long number = 0; number < publisher_count; number++) publishers[number].in_air = 0;
}

static void flow(void)
{
    fan_out = subscriber_count / topics;
    subscribers = make(subscriber_count, true);
    publishers = make(publisher_count, false);
    samples = calloc(SAMPLES, sizeof *samples);
    open_all(subscribers, subscriber_count);
    open_all(publishers, publisher_count);

    struct meter begin = {0}, end = {0};
    int64_t start = last_delivery = now(), due = start, warm = start + 500000000, stop = warm + (int64_t)(seconds * 1e9);
    uint64_t seen = 0;
    bool publishing = true;
    while (publishing || !all_is_done()) {
        int64_t time = now();
        if (delivered != seen) seen = delivered, last_delivery = time;
        if (!begin.wall && time >= warm) {
            begin = measure(delivered);
            sample_count = 0;
        }
        if (publishing && time >= stop) {
            end = measure(delivered);
            publishing = false;
        }
        if (publishing && (!pace || time >= due)) {
            publish_what_may(time);
            if (pace) due = time + pace * 1000;
        }
        // A message that is waited for is not to find us asleep.
        turn(pace ? 0 : 100);
        if (publishing) forgive_losses(time);
        if (!publishing && time - last_delivery > INT64_C(5000000000)) break;
    }
    report(&begin, &end);
    printf(" sent %lu lost %ld duplicates %lu", published * (uint64_t)fan_out,
        (long)(published * (uint64_t)fan_out - delivered), duplicates);
    if (sample_count) {
        qsort(samples, sample_count, sizeof *samples, by_size);
        printf(" p50 %.1f p99 %.1f", samples[sample_count / 2] / 1e3, samples[sample_count * 99 / 100] / 1e3);
    }
    printf("\n");
}

static void connects(void)
{
    publisher_count = AT_ONCE;
    publishers = make(AT_ONCE, false);
    for (int number = 0; number < AT_ONCE; number++) start(&publishers[number]);
    struct meter begin = {0};
    int64_t warm = now() + 500000000, stop = warm + (int64_t)(seconds * 1e9);
    for (int64_t time = now(); time < stop; time = now()) {
        if (!begin.wall && time >= warm) begin = measure((uint64_t)ended);
        turn(100);
    }
    struct meter end = measure((uint64_t)ended);
    report(&begin, &end);
    printf("\n");
}

static void rest(double duration)
{
    for (int64_t stop = now() + (int64_t)(duration * 1e9); now() < stop;) turn(50);
}

static void report_memory(const char *name)
{
    printf(" rss%s %ld anon%s %ld pss%s %ld", name, kilobytes("smaps_rollup", "Rss"), name,
        kilobytes("status", "RssAnon"), name, kilobytes("smaps_rollup", "Pss"));
}

static void idle(void)
{
    // Everybody has a topic of their own.
    topics = (int)subscriber_count;
    subscribers = make(subscriber_count, true);
    rest(1);
    printf("RESULT");
    report_memory("-before");
    open_all(subscribers, subscriber_count);
    // Everybody has been heard of once more, as after a minute.
    for (long number = 0; number < subscriber_count; number++) {
        put_packet(&subscribers[number], PINGREQ << 4, NULL, NULL);
        flush(&subscribers[number]);
        if (number % AT_ONCE == 0) turn(0);
    }
    for (int64_t deadline = now() + INT64_C(10000000000); pongs < subscriber_count; turn(100)) {
        if (now() > deadline) fail("%ld of %ld answers to PINGREQ", pongs, subscriber_count);
    }
    rest(1);
    report_memory("");
    printf(" clients %ld\n", subscriber_count);
}

int main(int argc, char **argv)
{
    static const char *const modes[] = {"flow", "connect", "idle"};
    int found = 3;
    for (int index = 0; argc > 1 && index < 3; index++) {
        if (strcmp(argv[1], modes[index]) == 0) found = index;
    }
    mode = (enum mode)found;
    for (int option; (option = getopt(argc - 1, argv + 1, "p:b:v:q:n:m:t:w:s:r:c:k")) != -1;) {
        switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'b': broker = atoi(optarg); break;
        case 'v': version = atoi(optarg); break;
        case 'q': qos = atoi(optarg); break;
        case 'n': publisher_count = atol(optarg); break;
        case 'm': subscriber_count = atol(optarg); break;
        case 't': topics = atoi(optarg); break;
        case 'w': window = atol(optarg); break;
        case 's': seconds = atof(optarg); break;
        case 'r': pace = atol(optarg); break;
        case 'c': cpu = atoi(optarg); break;
        case 'k': persistent = true; break;
        default: found = 3;
        }
    }
    if (found == 3 || !port || !broker || topics < 1) {
        fputs(usage, stderr);
        return 64;
    }
    if (cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        if (sched_setaffinity(0, sizeof set, &set)) fail("core %d: %s", cpu, strerror(errno));
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(EPOLL_CLOEXEC);
    switch (mode) {
    case FLOW: flow(); break;
    case CONNECTS: connects(); break;
    case IDLE: idle(); break;
    }
    return 0;
}
