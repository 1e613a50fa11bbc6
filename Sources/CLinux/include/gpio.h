// GPIO lines by the character device, second version of its interface.
// Documentation/userspace-api/gpio/chardev.rst, <linux/gpio.h>.

#ifndef CLINUX_GPIO_H
#define CLINUX_GPIO_H

#include <linux/gpio.h>

static const unsigned long clinux_gpio_get_chipinfo = GPIO_GET_CHIPINFO_IOCTL;
static const unsigned long clinux_gpio_v2_get_lineinfo = GPIO_V2_GET_LINEINFO_IOCTL;
static const unsigned long clinux_gpio_v2_get_line = GPIO_V2_GET_LINE_IOCTL;
static const unsigned long clinux_gpio_v2_line_get_values = GPIO_V2_LINE_GET_VALUES_IOCTL;
static const unsigned long clinux_gpio_v2_line_set_values = GPIO_V2_LINE_SET_VALUES_IOCTL;

// The type of a request's number is not the same in all C libraries, and ioctl takes anything: so each has its function.
// They return -1 and set errno when they fail.
int clinux_gpio_ask_chip(int chip, struct gpiochip_info *info);
int clinux_gpio_ask_line(int chip, struct gpio_v2_line_info *info);
int clinux_gpio_request(int chip, struct gpio_v2_line_request *request);
int clinux_gpio_get(int line, struct gpio_v2_line_values *values);
int clinux_gpio_set(int line, struct gpio_v2_line_values *values);

#endif
