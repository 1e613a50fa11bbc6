// Processes that are started with limits. setrlimit(2), prctl(2).

#ifndef CLINUX_PROCESS_H
#define CLINUX_PROCESS_H

#endif
