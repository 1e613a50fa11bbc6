"""Plays somebody at a terminal: waits for a text, types another, and so on.

    converse.py WAIT TYPE [WAIT TYPE ...] -- PROGRAM ARGUMENT ...

Prints what the terminal showed, and ends as the program does. A text that does not come within 20 seconds ends it with 99.
"""
import os
import pty
import select
import sys
import time

split = sys.argv.index("--")
script, program = sys.argv[1:split], sys.argv[split + 1:]
pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "dumb"
    os.execv(program[0], program)

seen = b""
looked = 0


def read(until):
    """Reads up to the text; nil: up to the end."""
    global seen, looked
    deadline = time.monotonic() + 20
    while until is None or until not in seen[looked:]:
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        try:
            chunk = os.read(terminal, 4096) if ready else None
        except OSError:
            chunk = b""
        if not chunk:
            if until is None and chunk is not None:
                return
            sys.stdout.buffer.write(seen + b"\n[no " + (until or b"end") + b"]\n")
            os.kill(pid, 9)
            sys.exit(99)
        seen += chunk
    looked = seen.index(until, looked) + len(until)


for wait, answer in zip(script[::2], script[1::2]):
    read(wait.encode())
    os.write(terminal, answer.encode())
read(None)
_, status = os.waitpid(pid, 0)
sys.stdout.buffer.write(seen.replace(b"\r\n", b"\n"))
sys.exit(os.waitstatus_to_exitcode(status) % 256)
