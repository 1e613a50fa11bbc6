// Serial lines. Documentation/driver-api/serial/, termios(3), ioctl_tty(2).

#ifndef CLINUX_SERIAL_H
#define CLINUX_SERIAL_H

#include <linux/serial.h>
#include <sys/ioctl.h>

// RTS is high while something is sent.
static const unsigned int clinux_rs485_flags = SER_RS485_ENABLED | SER_RS485_RTS_ON_SEND;

// A line's settings. The kernel's `struct termios2`, with which any speed can be asked for, has the names of the C
// library's own structure: both cannot be seen at once, so Swift gets to see neither.
struct clinux_serial_settings {
    unsigned int baud;
    unsigned char data_bits;  // 5 to 8
    unsigned char parity;     // 0, 'E' for even or 'O' for odd
    unsigned char stop_bits;  // 1 or 2
    unsigned char rts_cts;    // hardware flow control
    unsigned char xon_xoff;   // software flow control
};

// Makes a terminal a raw line that ignores modem control and is not hung up when it is closed; a read of it that finds
// nothing waits for a byte. 0, or -1 with errno.
int clinux_serial_configure(int file, const struct clinux_serial_settings *settings);

// The speed that the line's driver has really chosen; 0 with errno if it does not tell.
unsigned int clinux_serial_speed(int file);

#endif
