// I²C devices from user space. Documentation/i2c/dev-interface.rst, <linux/i2c-dev.h>.

#ifndef CLINUX_I2C_H
#define CLINUX_I2C_H

#include <linux/i2c-dev.h>
#include <linux/i2c.h>
#include <sys/ioctl.h>

#endif
