// What every benchmarked program says when it is done: RESULT seconds, CPU seconds and peak memory in kB.
#ifndef MEASURE_H
#define MEASURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

// The same for everybody.
enum { WINDOW = 20, PAYLOAD = 100 };
#define TOPIC "bench/t"
// QoS 0 is not acknowledged: a message of QoS 1 behind the last one shows that the broker has taken them all.
#define END_TOPIC "bench/end"

static double wall_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// User and system time of all threads.
static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
        + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// Not ru_maxrss, which a program inherits from the one that started it.
static long peak_kilobytes(void)
{
    char line[256];
    long peak = 0;
    FILE *status = fopen("/proc/self/status", "r");
    if (!status) return 0;
    while (fgets(line, sizeof line, status)) {
        if (sscanf(line, "VmHWM: %ld", &peak) == 1) break;
    }
    fclose(status);
    return peak;
}

static double wall_begin, cpu_begin;

static void begin(void)
{
    wall_begin = wall_seconds();
    cpu_begin = cpu_seconds();
}

static void report(void)
{
    printf("RESULT %.6f %.6f %ld\n", wall_seconds() - wall_begin, cpu_seconds() - cpu_begin, peak_kilobytes());
    fflush(stdout);
}

static void fail(const char *what, int code)
{
    fprintf(stderr, "%s: %d\n", what, code);
    exit(1);
}

#endif
