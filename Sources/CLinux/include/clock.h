// What the kernel knows of the wall clock. adjtimex(2).

#ifndef CLINUX_CLOCK_H
#define CLINUX_CLOCK_H

/// 1 while some program disciplines the clock and vouches for it, 0 otherwise, -1 when the kernel does not tell.
int clinux_clock_is_disciplined(void);

#endif
