// Apart from everything that includes the C library's <termios.h>.
#include <asm/termbits.h>
#include <sys/ioctl.h>

#include "include/serial.h"

int clinux_serial_configure(int file, const struct clinux_serial_settings *settings) {
    static const tcflag_t sizes[] = {CS5, CS6, CS7, CS8};
    struct termios2 line;
    if (ioctl(file, TCGETS2, &line) != 0) return -1;

    line.c_iflag = IGNBRK;
    line.c_oflag = 0;
    line.c_lflag = 0;
    line.c_cflag = CREAD | CLOCAL | BOTHER | sizes[(settings->data_bits - 5) & 3];
    if (settings->parity) {
        line.c_cflag |= PARENB;
        // A byte of wrong parity is read as NUL.
        line.c_iflag |= INPCK;
    }
    if (settings->parity == 'O') line.c_cflag |= PARODD;
    if (settings->stop_bits == 2) line.c_cflag |= CSTOPB;
    if (settings->rts_cts) line.c_cflag |= CRTSCTS;
    if (settings->xon_xoff) line.c_iflag |= IXON | IXOFF;
    line.c_ospeed = settings->baud;
    line.c_ispeed = settings->baud;
    line.c_cc[VMIN] = 1;
    line.c_cc[VTIME] = 0;
    return ioctl(file, TCSETS2, &line);
}

unsigned int clinux_serial_speed(int file) {
    struct termios2 line;
    return ioctl(file, TCGETS2, &line) == 0 ? line.c_ospeed : 0;
}
