// Processes that are started with limits: what happens between fork(2) and execve(2) may neither allocate memory nor take
// a lock, which Swift cannot promise. setrlimit(2), setresuid(2), prctl(2), close_range(2), pidfd_open(2).

#ifndef CLINUX_PROCESS_H
#define CLINUX_PROCESS_H

// Nothing of <sys/…>: Swift would take its types for this module's. Users and groups are 32 bits wide, processes int.
#include <stddef.h>
#include <stdint.h>

/// A program to start, and what it is allowed.
struct clinux_program {
    const char *path;
    char *const *arguments;
    char *const *environment;
    const char *directory;
    /// What become its standard input, output and error.
    int input, output, errors;
    /// Bytes of private writable memory, seconds of processor time, descriptors, and processes of its user; 0 leaves a
    /// limit as it is.
    uint64_t memory, processor_time, files, processes;
    /// Whether it gets another user, for good: no program that it runs gives it back a right.
    int changes_user;
    uint32_t user, group;
    const uint32_t *groups;
    size_t group_count;
};

enum clinux_step {
    clinux_step_process,
    clinux_step_descriptors,
    clinux_step_limits,
    clinux_step_user,
    clinux_step_directory,
    clinux_step_program,
};

/// Which step of a start failed, and the errno of it.
struct clinux_failure {
    int step;
    int code;
};

/// Starts a program in a session, and so a process group, of its own: with the three given descriptors and no other,
/// no signal blocked or ignored, the first to go when memory runs out, and killed when this *thread* ends.
///
/// Returns its process identifier, or -1 and tells why.
int clinux_start(const struct clinux_program *program, struct clinux_failure *failure);

/// How a child stands; unless `keeps`, one that has ended is no child any more after this.
///
/// Returns 1 if it has ended, with its exit code, or the signal that killed it and a code of -1; 0 while it runs; -1 if
/// it is no child.
int clinux_child_ended(int child, int keeps, int *code, int *signal);

/// Makes a pipe whose ends, reading and writing, are closed on exec: pipe2(2), which Swift does not see.
int clinux_pipe(int ends[2]);

/// A descriptor that is readable when the process has ended; -1 where the kernel has none (Linux 5.3).
int clinux_open_process(int process);

/// Makes a descriptor that is readable while one of those is that were added to it: epoll(7).
int clinux_make_set(void);
int clinux_add_to_set(int set, int descriptor);
int clinux_remove_from_set(int set, int descriptor);

/// Makes a descriptor that is readable while the sum of what was written to it, 8 bytes at a time, is not 0: eventfd(2).
int clinux_make_event(void);

#endif
