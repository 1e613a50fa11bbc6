#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

// The C library's own functions would change the user of all threads, with locks and signals; and on 32-bit machines the
// plain numbers are those of the calls from the days of 16-bit users.
#ifdef SYS_setresuid32
#define SET_USER SYS_setresuid32
#define SET_GROUP SYS_setresgid32
#define SET_GROUPS SYS_setgroups32
#else
#define SET_USER SYS_setresuid
#define SET_GROUP SYS_setresgid
#define SET_GROUPS SYS_setgroups
#endif

enum { report_descriptor = 3 };

__attribute__((noreturn)) static void give_up(int report, enum clinux_step step)
{
    struct clinux_failure failure = {.step = step, .code = errno};
    ssize_t count;
    do {
        count = write(report, &failure, sizeof failure);
    } while (count < 0 && errno == EINTR);
    _exit(127);
}

static int limit(int resource, uint64_t value)
{
    if (value == 0) return 0;
    struct {
        uint64_t current, highest;
    } limit, now;
    if (syscall(SYS_prlimit64, 0, resource, NULL, &now) != 0) return -1;
    limit.highest = value < now.highest ? value : now.highest;
    limit.current = limit.highest;
    return (int)syscall(SYS_prlimit64, 0, resource, &limit, NULL);
}

static void close_others(void)
{
    if (syscall(SYS_close_range, report_descriptor + 1, UINT_MAX, 0) == 0) return;
    // A kernel older than 5.9, or a filter that does not know the call. All of ours are closed on exec; this is for what
    // others have left open.
    struct rlimit files;
    rlim_t end = 65536;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < end) end = files.rlim_cur;
    for (int descriptor = report_descriptor + 1; descriptor < (int)end; descriptor++) close(descriptor);
}

/// Moves a descriptor out of the way of the standard ones.
static int moved(int descriptor) { return fcntl(descriptor, F_DUPFD_CLOEXEC, report_descriptor + 1); }

__attribute__((noreturn)) static void become(const struct clinux_program *program, pid_t parent, int report)
{
    // The report first, so that what follows can be told.
    int moved_report = moved(report);
    if (moved_report < 0) give_up(report, clinux_step_descriptors);
    int input = moved(program->input), output = moved(program->output), errors = moved(program->errors);
    if (input < 0 || output < 0 || errors < 0) give_up(moved_report, clinux_step_descriptors);
    if (dup3(moved_report, report_descriptor, O_CLOEXEC) < 0) give_up(moved_report, clinux_step_descriptors);
    report = report_descriptor;
    if (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(errors, 2) < 0) give_up(report, clinux_step_descriptors);
    close_others();

    // The C library keeps some signals to itself, and yet they may have come to us ignored. All zeros is the default, no
    // flags and no mask, in whatever order the machine's structure has them.
    char none[64] = {0};
    for (int signal = 1; signal <= 64; signal++) syscall(SYS_rt_sigaction, signal, none, NULL, 8);
    setsid();

    // Not worth a failure: a filter may forbid it.
    int adjustment = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (adjustment >= 0) {
        ssize_t count = write(adjustment, "500", 3);
        (void)count;
        close(adjustment);
    }

    // No core: it would be as large as the memory, on an SD card.
    uint64_t no_core[2] = {0, 0};
    syscall(SYS_prlimit64, 0, RLIMIT_CORE, no_core, NULL);
    if (limit(RLIMIT_DATA, program->memory) != 0 || limit(RLIMIT_CPU, program->processor_time) != 0
        || limit(RLIMIT_NOFILE, program->files) != 0 || limit(RLIMIT_NPROC, program->processes) != 0)
        give_up(report, clinux_step_limits);

    if (program->changes_user) {
        if (syscall(SET_GROUPS, program->group_count, program->groups) != 0
            || syscall(SET_GROUP, program->group, program->group, program->group) != 0
            || syscall(SET_USER, program->user, program->user, program->user) != 0
            || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
            give_up(report, clinux_step_user);
    }

    // After the change of user, which clears it. Whoever lost its parent before this is not told any more.
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent) _exit(127);

    if (chdir(program->directory) != 0) give_up(report, clinux_step_directory);

    sigset_t none_blocked;
    sigemptyset(&none_blocked);
    sigprocmask(SIG_SETMASK, &none_blocked, NULL);
    execve(program->path, program->arguments, program->environment);
    give_up(report, clinux_step_program);
}

int clinux_start(const struct clinux_program *program, struct clinux_failure *failure)
{
    int report[2];
    failure->step = clinux_step_process;
    if (pipe2(report, O_CLOEXEC) != 0) {
        failure->code = errno;
        return -1;
    }
    // None of our handlers is to run in the child.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) become(program, parent, report[1]);
    failure->code = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);

    if (child > 0) {
        // Ends with nothing when the program takes over, as the descriptor is closed then.
        struct clinux_failure told;
        ssize_t count;
        do {
            count = read(report[0], &told, sizeof told);
        } while (count < 0 && errno == EINTR);
        if (count == (ssize_t)sizeof told) {
            *failure = told;
            while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
            child = -1;
        }
    }
    close(report[0]);
    return child;
}

int clinux_child_ended(int child, int keeps, int *code, int *signal)
{
    siginfo_t info = {.si_pid = 0};
    int result;
    do {
        result = waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | (keeps ? WNOWAIT : 0));
    } while (result != 0 && errno == EINTR);
    if (result != 0) return -1;
    if (info.si_pid == 0) return 0;
    int exited = info.si_code == CLD_EXITED;
    *code = exited ? info.si_status : -1;
    *signal = exited ? 0 : info.si_status;
    return 1;
}

int clinux_open_process(int process) { return (int)syscall(SYS_pidfd_open, process, 0); }

int clinux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int clinux_make_set(void) { return epoll_create1(EPOLL_CLOEXEC); }

int clinux_add_to_set(int set, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN};
    return epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event);
}

int clinux_remove_from_set(int set, int descriptor) { return epoll_ctl(set, EPOLL_CTL_DEL, descriptor, NULL); }

int clinux_make_event(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
