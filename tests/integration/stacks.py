# SPDX-License-Identifier: Apache-2.0
"""Whether a stack is whole, judged by what is in the file: cprofd's own word, and the outermost function.

A stack that was cut says so in a frame of its own, "[truncated: reason]", on the outer side. One that was not
must end in a function that has no caller; ROOTS are their names, and a stripped program's entry is known by
its address.
"""

import functools
import re
import struct

TRUNCATED = re.compile(r"^\[truncated: (.*)\]$")

ROOTS = re.compile(
    r"_start$|__libc_start_|_dl_start|(__GI_)?_*clone\d?$|start_thread$|thread_start$"
    # Go: goroutines, its threads, the stacks that the scheduler runs on, the entry of the program.
    r"|runtime\.(goexit|mstart|mcall|morestack|rt0_go)|_rt0_"
    # The kernel: a thread of its own, and the ways in of a process that has no user part (exec, exit).
    r"|ret_from_fork|kthread$|entry_|asm_")


def why_cut(sample):
    """The reason why the outer part of SAMPLE's stack is missing; None where it is whole."""
    for name in reversed(sample.names()):
        found = TRUNCATED.match(name)
        if found:
            return found[1]
    return None


@functools.lru_cache(maxsize=None)
def _entry_off(path):
    """The file offset of the entry point of the ELF file at PATH, or None."""
    try:
        with open(path, "rb") as f:
            head = f.read(64)
            if len(head) < 64 or head[:5] != b"\x7fELF\x02":
                return None
            entry, phoff = struct.unpack_from("<QQ", head, 24)
            size, count = struct.unpack_from("<HH", head, 54)
            f.seek(phoff)
            table = f.read(size * count)
    except OSError:
        return None
    for i in range(count):
        kind, _, off, vaddr, _, filesz = struct.unpack_from("<IIQQQQ", table, i * size)
        if kind == 1 and vaddr <= entry < vaddr + filesz:
            return entry - vaddr + off
    return None


def at_entry(location):
    """Whether LOCATION is in the first 64 bytes from the entry of its file: a _start without a name."""
    m = location.mapping
    entry = _entry_off(m.filename) if m.filename.startswith("/") else None
    return entry is not None and 0 <= location.address - m.start + m.offset - entry < 64


def outermost(sample):
    """The outermost location of SAMPLE that is code."""
    real = [loc for loc in sample.locations if not TRUNCATED.match(loc.lines[-1].function.name)]
    return real[-1] if real else sample.locations[-1]


def is_kernel(location):
    return location.mapping.filename.startswith("[kernel")


def has_user_part(sample):
    """Whether there is any frame outside of the kernel; a kernel thread has none, exec and exit neither."""
    return not is_kernel(outermost(sample))


def ends_at_known_root(sample):
    """Whether the outermost function is one that is known to have no caller."""
    loc = outermost(sample)
    return bool(ROOTS.match(loc.lines[-1].function.name)) or at_entry(loc)


def short(sample, n=3):
    """The innermost N and outermost N functions, for people."""
    names = sample.names()
    if len(names) > 2 * n + 1:
        names = names[:n] + [f"... {len(names) - 2 * n} ..."] + names[-n:]
    return " < ".join(names)
