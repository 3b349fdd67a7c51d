# SPDX-License-Identifier: Apache-2.0
"""A file system with one file, FILE, whose second half never comes: who reads there waits for ever.

The protocol is that of the kernel's include/uapi/linux/fuse.h, version 7.31.
"""

import ctypes
import errno
import os
import struct
import threading

FILE = "stack"
SIZE = 1 << 20
MNT_DETACH = 2
LOOKUP, FORGET, GETATTR, OPEN, READ, INIT, INTERRUPT, BATCH_FORGET = 1, 2, 3, 14, 15, 26, 36, 42
ROOT = 1
libc = ctypes.CDLL(None, use_errno=True)


def attributes(node):
    directory = node == ROOT
    return struct.pack("<6Q10I", node, 0 if directory else SIZE, 0, 0, 0, 0, 0, 0, 0,
                       0o40755 if directory else 0o100644, 1, 0, 0, 0, 4096, 0)


def answer(opcode, node, body):
    """(errno, bytes), or None where no answer is to be given."""
    if opcode == INIT:
        return 0, struct.pack("<4I2H2I2HI7I", 7, 31, 0, 0, 1, 1, 1 << 16, 1, 1, 0, 0, *[0] * 7)
    if opcode == GETATTR:
        return 0, struct.pack("<QII", 3600, 0, 0) + attributes(node)
    if opcode == LOOKUP:
        if body.rstrip(b"\0").decode() != FILE:
            return errno.ENOENT, b""
        return 0, struct.pack("<4Q2I", ROOT + 1, 0, 3600, 3600, 0, 0) + attributes(ROOT + 1)
    if opcode == OPEN:
        return 0, struct.pack("<QII", 0, 0, 0)
    if opcode == READ:
        _, off, size = struct.unpack_from("<QQI", body)
        return None if off + size > SIZE // 2 else (0, b"A" * size)
    if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
        return None
    return errno.ENOSYS, b""


class FuseServer:
    """Mounted at FOLDER within a with block. OSError where this kernel cannot."""

    def __init__(self, folder):
        self.folder = str(folder)

    def __enter__(self):
        self.fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.fd},rootmode=40000,user_id=0,group_id=0"
        if libc.mount(b"fuse", self.folder.encode(), b"fuse", 0, options.encode()) < 0:
            os.close(self.fd)
            raise OSError(ctypes.get_errno(), "mount")
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def __exit__(self, *_):
        libc.umount2(self.folder.encode(), MNT_DETACH)
        self.thread.join()
        os.close(self.fd)

    def serve(self):
        while True:
            try:
                request = os.read(self.fd, 1 << 20)
            except OSError:
                return  # it is not mounted any more
            _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
            reply = answer(opcode, node, request[40:])
            if reply:
                error, body = reply
                os.write(self.fd, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)
