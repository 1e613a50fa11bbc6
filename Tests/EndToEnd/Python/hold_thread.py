"""Holds one thread of a process, as a disk that does not answer holds it, until this program ends.

    hold_thread.py PID NAME-PREFIX
"""
import ctypes
import os
import signal
import sys

PTRACE_SEIZE, PTRACE_INTERRUPT = 0x4206, 0x4207
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) != 0:
        sys.exit("ptrace: " + os.strerror(ctypes.get_errno()))


process, prefix = int(sys.argv[1]), sys.argv[2]
for thread in map(int, os.listdir(f"/proc/{process}/task")):
    with open(f"/proc/{process}/task/{thread}/comm") as name:
        if not name.read().startswith(prefix):
            continue
    ptrace(PTRACE_SEIZE, thread)
    ptrace(PTRACE_INTERRUPT, thread)
    os.waitpid(thread, WALL)
    print("held", flush=True)
    # The kernel lets go of it when its holder ends, however that ends.
    signal.pause()
sys.exit("no such thread")
