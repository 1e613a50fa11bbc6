// GPIO lines by the character device, second version of its interface.
// Documentation/userspace-api/gpio/chardev.rst, <linux/gpio.h>.

#ifndef CLINUX_GPIO_H
#define CLINUX_GPIO_H

#include <linux/gpio.h>
#include <sys/ioctl.h>

static const unsigned long clinux_gpio_get_chipinfo = GPIO_GET_CHIPINFO_IOCTL;
static const unsigned long clinux_gpio_v2_get_lineinfo = GPIO_V2_GET_LINEINFO_IOCTL;
static const unsigned long clinux_gpio_v2_get_line = GPIO_V2_GET_LINE_IOCTL;
static const unsigned long clinux_gpio_v2_line_set_config = GPIO_V2_LINE_SET_CONFIG_IOCTL;
static const unsigned long clinux_gpio_v2_line_get_values = GPIO_V2_LINE_GET_VALUES_IOCTL;
static const unsigned long clinux_gpio_v2_line_set_values = GPIO_V2_LINE_SET_VALUES_IOCTL;

#endif
