// Waiting for many descriptors at once. epoll(7), eventfd(2).

#ifndef CLINUX_EVENTS_H
#define CLINUX_EVENTS_H

#include <sys/epoll.h>
#include <sys/eventfd.h>

// C libraries define these in different ways.
static const int clinux_epoll_cloexec = EPOLL_CLOEXEC;
static const int clinux_eventfd_flags = EFD_CLOEXEC | EFD_NONBLOCK;
static const unsigned int clinux_epoll_in = EPOLLIN;
static const unsigned int clinux_epoll_in_once = EPOLLIN | EPOLLONESHOT;

#endif
