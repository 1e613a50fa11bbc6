"""Shows a folder's files again under another path, where some of them misbehave as those of the kernel do.

    unshare -m faulty_files.py FOLDER MOUNTPOINT        (or unshare -Urm, for who is not root)

A file whose text begins with "!" says how:

    !read EIO           reading fails
    !once EAGAIN        reading fails the first time; then the following lines are read
    !open EACCES        opening fails
    !write EINVAL       writing fails; the following lines are read
    !vanish             it is listed, and not there
    !block              reading waits until the text is another one, for a minute at most

Speaks the kernel's protocol (linux/fuse.h, version 7.31) itself, so that nothing but Python is needed. Says "ready", or
why it cannot, and ends with its parent.
"""

import ctypes
import errno
import os
import stat
import struct
import sys
import threading
import time

ENTRY, GETATTR, SETATTR, READLINK, OPEN, READ, WRITE, STATFS = 1, 3, 4, 5, 14, 15, 16, 17
RELEASE, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR = 18, 25, 26, 27, 28, 29
FORGET, INTERRUPT, BATCH_FORGET = 2, 36, 42
DIRECT_IO = 1
PATIENCE = 60

backing, mountpoint = sys.argv[1:3]
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL

device = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={device},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
if libc.mount(b"faulty", mountpoint.encode(), b"fuse.faulty", 6, options.encode()) != 0:
    sys.exit("mount: " + os.strerror(ctypes.get_errno()))
print("ready", flush=True)

lock = threading.Lock()
paths = {1: ""}
numbers = {"": 1}
failed_once = set()
handles = {}


class Failure(Exception):
    def __init__(self, code):
        self.code = code


def number(path):
    with lock:
        if path not in numbers:
            numbers[path] = len(numbers) + 1
            paths[numbers[path]] = path
        return numbers[path]


def orders(path):
    """What a file's first line orders, and the text after it."""
    with open(backing + path, "rb") as file:
        text = file.read()
    if not text.startswith(b"!"):
        return "", "", text
    first, _, rest = text.partition(b"\n")
    words = first[1:].decode().split()
    return words[0], words[1] if len(words) > 1 else "", rest


def fail(name):
    raise Failure(getattr(errno, name))


def attributes(path):
    status = os.lstat(backing + path)
    if stat.S_ISREG(status.st_mode) and orders(path)[0] == "vanish":
        fail("ENOENT")
    return struct.pack(
        "<QQQQQQIIIIIIIIII", number(path), status.st_size, 1, 0, 0, 0, 0, 0, 0, status.st_mode, 1, status.st_uid,
        status.st_gid, 0, 4096, 0)


def content(path):
    order, name, text = orders(path)
    if order == "read":
        fail(name)
    if order == "once":
        with lock:
            is_first = path not in failed_once
            failed_once.add(path)
        if is_first:
            fail(name)
    end = time.monotonic() + PATIENCE
    while order == "block" and time.monotonic() < end:
        time.sleep(0.01)
        order, name, text = orders(path)
    return text


def listing(path, offset, size):
    result = b""
    names = [".", ".."] + sorted(os.listdir(backing + path))
    for index, name in enumerate(names[offset:], offset + 1):
        encoded = name.encode()
        entry = struct.pack("<QQII", index, index, len(encoded), 0) + encoded
        entry += bytes(-len(entry) % 8)
        if len(result) + len(entry) > size:
            break
        result += entry
    return result


def answer(opcode, node, unique, body):
    path = paths.get(node, "")
    if opcode == INIT:
        major, minor, readahead, flags = struct.unpack_from("<IIII", body)
        return struct.pack("<IIIIHHIIHHI7I", 7, 31, readahead, 0, 12, 9, 65536, 1, 0, 0, 0, *([0] * 7))
    if opcode == ENTRY:
        path += "/" + body.rstrip(b"\0").decode()
        found = attributes(path)
        return struct.pack("<QQQQII", number(path), 0, 0, 0, 0, 0) + found
    if opcode in (GETATTR, SETATTR):
        return struct.pack("<QII", 0, 0, 0) + attributes(path)
    if opcode == READLINK:
        return os.readlink(backing + path).encode()
    if opcode == OPEN:
        order, name, _ = orders(path)
        if order == "open":
            fail(name)
        return struct.pack("<QII", unique, DIRECT_IO, 0)
    if opcode == OPENDIR:
        return struct.pack("<QII", 0, 0, 0)
    if opcode == READ:
        handle, offset, size = struct.unpack_from("<QQI", body)
        if offset == 0:
            handles[handle] = content(path)
        return handles.get(handle, b"")[offset:offset + size]
    if opcode == READDIR:
        _, offset, size = struct.unpack_from("<QQI", body)
        return listing(path, offset, size)
    if opcode == WRITE:
        size = struct.unpack_from("<QQI", body)[2]
        order, name, _ = orders(path)
        if order == "write":
            fail(name)
        with open(backing + path, "wb") as file:
            file.write(body[40:40 + size])
        return struct.pack("<II", size, 0)
    if opcode == STATFS:
        return struct.pack("<QQQQQIIII6I", 1000, 500, 250, 100, 50, 4096, 255, 4096, 0, *([0] * 6))
    if opcode == RELEASE:
        handles.pop(struct.unpack_from("<Q", body)[0], None)
        return b""
    if opcode in (FLUSH, RELEASEDIR):
        return b""
    fail("ENOSYS")


def serve(opcode, node, unique, body):
    code, result = 0, b""
    try:
        result = answer(opcode, node, unique, body)
    except Failure as failure:
        code = failure.code
    except OSError as error:
        code = error.errno
    try:
        os.write(device, struct.pack("<IiQ", 16 + len(result), -code, unique) + result)
    except OSError:
        pass  # Whoever asked has gone.


while True:
    try:
        request = os.read(device, 1 << 17)
    except OSError as error:
        if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
            continue
        break
    _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
    if opcode in (FORGET, INTERRUPT, BATCH_FORGET):
        continue
    arguments = (opcode, node, unique, request[40:])
    if opcode == READ:
        threading.Thread(target=serve, args=arguments, daemon=True).start()
    else:
        serve(*arguments)
