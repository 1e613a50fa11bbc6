// Waiting for many descriptors at once. epoll(7), eventfd(2).

#ifndef CLINUX_EVENTS_H
#define CLINUX_EVENTS_H

// These return -1 and set errno when they fail.

/// Makes a descriptor that is readable while one of those is that were added to it.
int clinux_make_set(void);
int clinux_add_to_set(int set, int descriptor);
/// The same for the next time that it is readable, only; also for one that was added before.
int clinux_add_to_set_once(int set, int descriptor);
/// The same for what poll(2) calls urgent, as sysfs tells of a change.
int clinux_add_to_set_urgent(int set, int descriptor);
int clinux_remove_from_set(int set, int descriptor);
/// Waits until descriptors of the set are readable, and gives up to `count` of them.
int clinux_wait_for_set(int set, int *descriptors, int count);

/// Makes a descriptor that is readable while the sum of what was written to it, 8 bytes at a time, is not 0.
int clinux_make_event(void);

#endif
