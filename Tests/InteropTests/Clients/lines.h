// The line protocol of PROTOCOL.md, for the clients that are written in C.
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAXIMUM_FIELDS = 64 };

// A value, decoded; `bytes` has a zero behind it.
struct field {
    char *key;
    char *bytes;
    int length;
};

struct request {
    int number;
    char *verb;
    char *client;
    struct field fields[MAXIMUM_FIELDS];
    int count;
};

static pthread_mutex_t output = PTHREAD_MUTEX_INITIALIZER;

static int hex(char digit) {
    if (digit >= '0' && digit <= '9') return digit - '0';
    return (digit | 32) - 'a' + 10;
}

static int decode(char *text) {
    char *out = text;
    for (char *in = text; *in; in++) {
        if (*in == '%' && in[1] && in[2]) {
            *out++ = (char)(hex(in[1]) << 4 | hex(in[2]));
            in += 2;
        } else {
            *out++ = *in;
        }
    }
    *out = 0;
    return (int)(out - text);
}

static int is_plain(unsigned char byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
           memchr("-._~/", byte, 5) != NULL;
}

// Inside output lines only, with the lock held.
static void put(const void *bytes, int length) {
    const unsigned char *byte = bytes;
    for (int i = 0; i < length; i++) {
        if (is_plain(byte[i])) {
            putchar(byte[i]);
        } else {
            printf("%%%02X", byte[i]);
        }
    }
}

static uint32_t crc32_of(const unsigned char *bytes, int length) {
    uint32_t crc = ~0u;
    for (int i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0xEDB88320u & -(crc & 1));
    }
    return ~crc;
}

static void put_payload(const void *bytes, int length) {
    if (length > 64) {
        printf(" digest=%d:%08x", length, crc32_of(bytes, length));
    } else {
        printf(" payload=");
        put(bytes, length);
    }
}

static void begin_line(const char *format, ...) {
    pthread_mutex_lock(&output);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
}

static void end_line(void) {
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&output);
}

static void failed(int number, const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    begin_line("%d failed text=", number);
    put(text, (int)strlen(text));
    end_line();
}

static void succeeded(int number) {
    begin_line("%d ok", number);
    end_line();
}

// - Returns: 0 at the end of the input.
static int read_request(struct request *request) {
    static char *line;
    static size_t capacity;
    if (getline(&line, &capacity, stdin) < 0) return 0;
    line[strcspn(line, "\n")] = 0;
    char *rest = line;
    request->number = atoi(strsep(&rest, " "));
    request->verb = strsep(&rest, " ");
    request->client = strsep(&rest, " ");
    request->count = 0;
    while (rest && request->count < MAXIMUM_FIELDS) {
        struct field *field = &request->fields[request->count++];
        char *pair = strsep(&rest, " ");
        field->key = strsep(&pair, "=");
        field->bytes = pair ? pair : "";
        field->length = pair ? decode(pair) : 0;
    }
    return 1;
}

static const struct field *find(const struct request *request, const char *key) {
    for (int i = 0; i < request->count; i++) {
        if (!strcmp(request->fields[i].key, key)) return &request->fields[i];
    }
    return NULL;
}

static const char *text(const struct request *request, const char *key) {
    const struct field *field = find(request, key);
    return field ? field->bytes : NULL;
}

static int number(const struct request *request, const char *key, int otherwise) {
    const struct field *field = find(request, key);
    return field ? (int)strtol(field->bytes, NULL, 10) : otherwise;
}

// The payload that the request names, to be freed.
static char *payload_of(const struct request *request, int *length) {
    const struct field *field = find(request, "payload");
    const char *path = text(request, "file");
    char *bytes = NULL;
    *length = 0;
    if (path) {
        FILE *file = fopen(path, "rb");
        if (!file) return NULL;
        fseek(file, 0, SEEK_END);
        *length = (int)ftell(file);
        rewind(file);
        bytes = malloc((size_t)*length + 1);
        *length = (int)fread(bytes, 1, (size_t)*length, file);
        fclose(file);
    } else if (field) {
        *length = field->length;
        bytes = malloc((size_t)*length + 1);
        memcpy(bytes, field->bytes, (size_t)*length);
    }
    return bytes;
}

// How a property's value is written (5.0 §2.2.2.2): Byte, Half word, Integer, Variable, String, Data, Pair.
static char property_form(int identifier) {
    switch (identifier) {
    case 1: case 23: case 25: case 36: case 37: case 40: case 41: case 42: return 'B';
    case 19: case 33: case 34: case 35: return 'H';
    case 2: case 17: case 24: case 39: return 'I';
    case 11: return 'V';
    case 9: case 22: return 'D';
    case 38: return 'P';
    default: return 'S';
    }
}

// A pair's value was decoded as a whole: its halves are parted by a zero.
static void split_pair(const struct field *field, const char **name, const char **value) {
    *name = field->bytes;
    *value = field->bytes + strlen(field->bytes) + 1;
}
