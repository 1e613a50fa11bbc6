// Serial lines. Documentation/driver-api/serial/, termios(3), ioctl_tty(2).

#ifndef CLINUX_SERIAL_H
#define CLINUX_SERIAL_H

#endif
