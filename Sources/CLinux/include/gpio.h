// GPIO lines by the character device, second version of its interface.
// Documentation/userspace-api/gpio/chardev.rst, <linux/gpio.h>.

#ifndef CLINUX_GPIO_H
#define CLINUX_GPIO_H

#include <linux/gpio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const unsigned long clinux_gpio_get_chipinfo = GPIO_GET_CHIPINFO_IOCTL;
static const unsigned long clinux_gpio_v2_get_lineinfo = GPIO_V2_GET_LINEINFO_IOCTL;
static const unsigned long clinux_gpio_v2_get_line = GPIO_V2_GET_LINE_IOCTL;
static const unsigned long clinux_gpio_v2_line_get_values = GPIO_V2_LINE_GET_VALUES_IOCTL;
static const unsigned long clinux_gpio_v2_line_set_values = GPIO_V2_LINE_SET_VALUES_IOCTL;

// The type of a request's number is not the same in all C libraries, and ioctl takes anything: so each has its function.
// They return -1 and set errno when they fail.

static inline int clinux_gpio_ask_chip(int chip, struct gpiochip_info *info) {
    return ioctl(chip, GPIO_GET_CHIPINFO_IOCTL, info);
}

static inline int clinux_gpio_ask_line(int chip, struct gpio_v2_line_info *info) {
    return ioctl(chip, GPIO_V2_GET_LINEINFO_IOCTL, info);
}

static inline int clinux_gpio_request(int chip, struct gpio_v2_line_request *request) {
    return ioctl(chip, GPIO_V2_GET_LINE_IOCTL, request);
}

static inline int clinux_gpio_get(int line, struct gpio_v2_line_values *values) {
    return ioctl(line, GPIO_V2_LINE_GET_VALUES_IOCTL, values);
}

static inline int clinux_gpio_set(int line, struct gpio_v2_line_values *values) {
    return ioctl(line, GPIO_V2_LINE_SET_VALUES_IOCTL, values);
}

// sysfs tells of an edge by what poll(2) calls urgent, which nobody waits for who waits until something is readable. A
// descriptor that is readable when the given one is urgent; it keeps nothing open.
static inline int clinux_readable_when_urgent(int descriptor) {
    int queue = epoll_create1(EPOLL_CLOEXEC);
    if (queue < 0) return -1;
    struct epoll_event event = {.events = EPOLLPRI, .data = {.fd = descriptor}};
    if (epoll_ctl(queue, EPOLL_CTL_ADD, descriptor, &event) == 0) return queue;
    close(queue);
    return -1;
}

#endif
