#include "events.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

int clinux_make_set(void) { return epoll_create1(EPOLL_CLOEXEC); }

static int add(int set, int operation, int descriptor, unsigned int events)
{
    struct epoll_event event = {.events = events, .data = {.fd = descriptor}};
    return epoll_ctl(set, operation, descriptor, &event);
}

int clinux_add_to_set(int set, int descriptor) { return add(set, EPOLL_CTL_ADD, descriptor, EPOLLIN); }

int clinux_add_to_set_once(int set, int descriptor)
{
    unsigned int events = EPOLLIN | EPOLLONESHOT;
    if (add(set, EPOLL_CTL_MOD, descriptor, events) == 0) return 0;
    // One that was closed is no longer known to the set; its number may be another's by now.
    return errno == ENOENT ? add(set, EPOLL_CTL_ADD, descriptor, events) : -1;
}

int clinux_add_to_set_urgent(int set, int descriptor) { return add(set, EPOLL_CTL_ADD, descriptor, EPOLLPRI); }

int clinux_remove_from_set(int set, int descriptor) { return epoll_ctl(set, EPOLL_CTL_DEL, descriptor, NULL); }

int clinux_wait_for_set(int set, int *descriptors, int count)
{
    struct epoll_event events[16];
    int ready = epoll_wait(set, events, count < 16 ? count : 16, -1);
    for (int i = 0; i < ready; i++) descriptors[i] = events[i].data.fd;
    return ready;
}

int clinux_make_event(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
