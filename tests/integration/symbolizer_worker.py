# SPDX-License-Identifier: Apache-2.0
"""The symbolizer process alone, asked as the collector asks it, and llvm-symbolizer to hold against it.

Speaks the worker's protocol (daemon/ipc/frame.h, messages.h) over a socket pair.
"""

import array
import collections
import os
import random
import re
import socket
import struct
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("CPROFD_BUILD") or os.path.join(ROOT, "build")
WORKER = os.path.join(BUILD, "cprofd-symbolizer")

MAGIC = 0x63707266
IDENTIFY, IDENTIFY_OK, SYMBOLIZE, SYMBOLIZE_OK, FAILED = range(1, 6)
READY = 8
SOURCE_NONE, SOURCE_DWARF, SOURCE_SYMTAB, SOURCE_GO, SOURCE_JIT, SOURCE_FDE = range(6)

Frame = collections.namedtuple("Frame", "name system_name filename start_line line")
Addr = collections.namedtuple("Addr", "vaddr source frames")
Identity = collections.namedtuple("Identity", "build_id has_dwarf debuglink crc alt_build_id alt_path")


def align8(n):
    return (n + 7) & ~7


class Failed(Exception):
    pass


class Worker:
    program = WORKER

    def __init__(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)

        def place_socket():
            os.dup2(theirs.fileno(), 3)

        self.child = self.popen(place_socket)
        theirs.close()
        self.sock = ours
        self.id = 0
        self.has_landlock = self.await_ready()

    def popen(self, place_socket):
        return subprocess.Popen([self.program], preexec_fn=place_socket, pass_fds=(3,), close_fds=True)

    def await_ready(self):
        magic, kind, id_, n, n_fds = struct.unpack("=5I", self.receive(20))
        body = self.receive(n)
        assert (magic, kind, id_, n, n_fds) == (MAGIC, READY, 0, 8, 0), body
        return bool(struct.unpack("=2I", body)[0])

    def close(self):
        self.sock.close()
        return self.child.wait(timeout=30)

    def cpu_seconds(self):
        with open(f"/proc/{self.child.pid}/schedstat") as f:
            return int(f.read().split()[0]) / 1e9

    def peak_kib(self):
        """The most memory that it has had, pages of files included."""
        with open(f"/proc/{self.child.pid}/status") as f:
            return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))

    def receive(self, n):
        parts = []
        while n:
            part = self.sock.recv(min(n, 1 << 20))
            if not part:
                raise EOFError("the worker is gone")
            parts.append(part)
            n -= len(part)
        return b"".join(parts)

    def ask(self, kind, payload, fds):
        self.id += 1
        header = struct.pack("=5I", MAGIC, kind, self.id, len(payload), len(fds))
        socket.send_fds(self.sock, [header], fds)
        self.sock.sendall(payload)
        magic, answer, id_, n, n_fds = struct.unpack("=5I", self.receive(20))
        assert (magic, id_, n_fds) == (MAGIC, self.id, 0)
        body = self.receive(n)
        if answer == FAILED:
            error, text = struct.unpack("=i252s", body)
            raise Failed(error, text.rstrip(b"\0").decode())
        assert answer == kind + 1
        return body

    def identify(self, path):
        fd = os.open(path, os.O_RDONLY)
        try:
            body = self.ask(IDENTIFY, b"", [fd])
        finally:
            os.close(fd)
        n, bid, dwarf, link, crc, _, n_alt, alt, path = struct.unpack(
            "=I32sI256sIII32s1024s", body)
        return Identity(bid[:n].hex(), bool(dwarf), link.rstrip(b"\0").decode(), crc,
                        alt[:n_alt].hex(), path.rstrip(b"\0").decode())

    def symbolize(self, path, offs, debug=None, alt=None, split=None):
        """Returns ([Addr], debug_ignored)."""
        fds = [os.open(p, os.O_RDONLY) for p in (path, debug, alt, split) if p]
        payload = struct.pack("=4I", len(offs), bool(debug), bool(alt), bool(split))
        payload += array.array("Q", offs).tobytes()
        try:
            body = self.ask(SYMBOLIZE, payload, fds)
        finally:
            for fd in fds:
                os.close(fd)
        return decode(body, len(offs))


def decode(body, n_asked):
    n_addrs, n_frames, n_functions, n_strings, ignored, _ = struct.unpack_from("=6I", body)
    assert n_addrs == n_asked
    frames_at = align8(24 + n_addrs * 16)
    functions_at = align8(frames_at + n_frames * 8)
    strings_at = align8(functions_at + n_functions * 16)
    assert len(body) == strings_at + n_strings
    cache = {}

    def string(off):
        if off not in cache:
            end = body.index(b"\0", strings_at + off)
            cache[off] = body[strings_at + off:end].decode(errors="replace")
        return cache[off]

    functions = list(struct.iter_unpack("=4I", body[functions_at:functions_at + n_functions * 16]))
    frames = []
    for function, line in struct.iter_unpack("=2I", body[frames_at:frames_at + n_frames * 8]):
        name, system_name, filename, start = functions[function]
        frames.append(Frame(string(name), string(system_name), string(filename), start, line))
    out = []
    for vaddr, first, n, source in struct.iter_unpack("=QIHH", body[24:24 + n_addrs * 16]):
        out.append(Addr(vaddr, source, frames[first:first + n]))
    return out, bool(ignored)


# ---- ELF by hand, and the oracle ------------------------------------------------------------------

Text = collections.namedtuple("Text", "off vaddr size")


def text_section(path):
    out = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True).stdout
    m = re.search(r"\] \.text\s+PROGBITS\s+(\w+) (\w+) (\w+)", out)
    vaddr, off, size = (int(x, 16) for x in m.groups())
    return Text(off, vaddr, size)


def llvm(path, vaddrs, *options):
    """The chains [(function, file, line)] of llvm-symbolizer, mangled names."""
    lines = "".join(f"{v:#x}\n" for v in vaddrs)
    out = subprocess.run(["llvm-symbolizer", "--inlines", "--no-demangle", "--obj=" + path, *options],
                         input=lines, capture_output=True, text=True, check=True).stdout
    chains = []
    for block in out.rstrip("\n").split("\n\n"):
        rows = block.split("\n")
        chain = []
        for function, place in zip(rows[::2], rows[1::2]):
            file, line, _ = place.rsplit(":", 2)
            chain.append((function, os.path.basename(file), int(line)))
        chains.append(chain)
    assert len(chains) == len(vaddrs)
    return chains


def plain(name):
    """A linkage name without what only tells copies apart: clones, versions, C1/C2 of constructors."""
    name = name.split("@")[0].removesuffix(".abi0")
    name = re.sub(r"(\.(isra|constprop|part|cold|lto_priv|llvm|localalias)(\.\d+)?)+$", "", name)
    return re.sub(r"([CD])[0-4](E|I)", r"\1*\2", name)


def ours_as_chain(addr):
    return [(f.system_name, os.path.basename(f.filename), f.line) for f in addr.frames]


def same_chain(addr, oracle, names=True, aliases=None):
    """Equal functions, files and lines; where llvm says line 0 (no line), ours is the line before. ALIASES: other
    names of a symbol's address, of which each tool may choose its own."""
    aliases = aliases or {}
    ours = ours_as_chain(addr)
    if not ours and oracle[0][0] == "??":
        return True
    if len(ours) != len(oracle):
        return False
    for (name, file, line), (want_name, want_file, want_line) in zip(ours, oracle):
        if names and plain(name) != plain(want_name) and plain(want_name) not in aliases.get(plain(name), ()):
            return False
        if want_line and (line != want_line or file != want_file):
            return False
    return True


def random_code(path, n):
    text = text_section(path)
    return sorted(random.Random(7).sample(range(text.vaddr, text.vaddr + text.size), n))


def alias_names(path):
    """For each symbol all names of the same address."""
    out = subprocess.run(["nm", path], capture_output=True, text=True).stdout
    by_addr = collections.defaultdict(set)
    for m in re.finditer(r"^(\w+) [tTwWiI] (\S+)$", out, re.M):
        by_addr[m.group(1)].add(plain(m.group(2)))
    aliases = collections.defaultdict(set)
    for names in by_addr.values():
        for name in names:
            aliases[name] |= names
    return aliases


def profile_like(path, n):
    """N addresses in at most 300 functions, weights like those of a profile."""
    rng = random.Random(11)
    out = subprocess.run(["nm", "-S", "--defined-only", path], capture_output=True, text=True).stdout
    functions = [(int(m.group(1), 16), int(m.group(2), 16))
                 for m in re.finditer(r"^(\w+) (\w+) [tTwW] ", out, re.M)]
    functions = rng.sample([f for f in functions if f[1] >= 16], min(300, len(functions)))
    vaddrs = set()
    for _ in range(20 * n):
        start, size = functions[min(int(rng.paretovariate(1.1)) - 1, len(functions) - 1)]
        vaddrs.add(start + rng.randrange(size))
        start, size = rng.choice(functions)
        vaddrs.add(start + rng.randrange(size))
        if len(vaddrs) >= n:
            break
    return sorted(vaddrs)[:n]


def cpu_and_memory_of(*command, stdin):
    """User and system seconds and the most MiB that COMMAND takes."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               text=True)
    try:
        process.stdin.write(stdin)
        process.stdin.close()
    except BrokenPipeError:
        pass  # it has seen enough, and its status says how that was
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]}: exit status {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
