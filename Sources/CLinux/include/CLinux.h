// The kernel's own interfaces that Swift cannot see by itself: structures that devices are asked with, and the numbers
// of their requests, which the kernel's headers define as macros.

#ifndef CLINUX_H
#define CLINUX_H

#include "events.h"
#include "gpio.h"
#include "i2c.h"
#include "serial.h"
#include "process.h"

#endif
