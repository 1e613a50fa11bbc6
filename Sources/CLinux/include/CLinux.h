// The kernel's own interfaces that Swift cannot see by itself: structures that devices are asked with, and the numbers
// of their requests, which the kernel's headers define as macros.
//
// Besides <sys/ioctl.h> none of these headers includes one of the C library's that defines types: Swift's optimizer would
// take such a type (a timespec, a pthread_attr_t) for one of this module's, and miss it in files that import the C library
// only. What needs them is a function in a C file.

#ifndef CLINUX_H
#define CLINUX_H

#include "clock.h"
#include "events.h"
#include "gpio.h"
#include "i2c.h"
#include "serial.h"
#include "process.h"

#endif
