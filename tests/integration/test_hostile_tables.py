# SPDX-License-Identifier: Apache-2.0
"""cprofd-symbolizer on files that are made to be dear (hostile_files.py): each is answered, cheaply, within
little memory, and the next file is none the worse for it."""

import collections
import os
import random
import socket
import struct
import subprocess

import pytest

import hostile_files
from symbolizer_worker import FAILED, MAGIC, Failed, Worker

UNWIND_TABLE = 6

# The collector gives up after 15 s. Real files, the largest too, take less than a second.
CPU_SECONDS_MAX = 5.0
PEAK_MIB_MAX = 300

Table = collections.namedtuple("Table", "build_id n_lines n_bad n_dropped lines")


class TableWorker(Worker):
    def table(self, path):
        """The table of the file at PATH, checked as far as its size goes. Raises Failed."""
        self.id += 1
        with open(path, "rb") as f:
            self.sock.sendmsg([struct.pack("=5I", MAGIC, UNWIND_TABLE, self.id, 0, 1)],
                              [(1, 1, struct.pack("=i", f.fileno()))])  # SOL_SOCKET, SCM_RIGHTS
        head, fds = self.receive_with_fds()
        magic, kind, id_, n, n_fds = struct.unpack("=5I", head)
        assert (magic, id_) == (MAGIC, self.id)
        body = self.receive(n)
        if kind == FAILED:
            assert not fds
            error, text = struct.unpack("=i252s", body)
            raise Failed(error, text.rstrip(b"\0").decode())
        assert kind == UNWIND_TABLE + 1 and n_fds == len(fds) == 1
        n_id, build_id, n_lines, n_bad, n_dropped, _ = struct.unpack("=I32s4I", body)
        with os.fdopen(fds[0], "rb") as memory:
            assert os.fstat(memory.fileno()).st_size == 64 * n_lines
            return Table(build_id[:n_id], n_lines, n_bad, n_dropped, memory.read(64))

    def receive_with_fds(self):
        head, fds = b"", []
        while len(head) < 20:
            part, more, _, _ = socket.recv_fds(self.sock, 20 - len(head), 4)
            if not part:
                raise EOFError("the worker is gone")
            head += part
            fds += more
        return head, fds


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A file like any other, and the table that it gets."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "good.c").write_text("int f(int n) { char a[n]; a[0] = n; return a[n / 2] + n; }\n"
                                   "int main(int c, char **v) { return f(c) + **v; }\n")
    path = folder / "good"
    subprocess.run(["gcc", "-O1", "-o", path, folder / "good.c"], check=True)
    w = TableWorker()
    table = w.table(path)
    assert w.close() == 0 and table.n_bad == table.n_dropped == 0
    return path, table


MEASURED = []


@pytest.fixture(scope="module", autouse=True)
def print_measured(request):
    yield
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n" + "\n".join(f"{name:26} {cpu:5.2f} s CPU {peak:4} MiB  {answer}"
                               for name, cpu, peak, answer in sorted(MEASURED, key=lambda m: -m[1])[:12]))


@pytest.mark.parametrize("name", hostile_files.CASES)
def test_dear_file(tmp_path, good, name):
    path, table = good
    hostile = tmp_path / "hostile"
    hostile_files.CASES[name](hostile)
    w = TableWorker()
    w.sock.settimeout(15)
    try:
        t = w.table(hostile)
        answer = f"{t.n_lines} lines, bad={t.n_bad} dropped={t.n_dropped}"
    except Failed as e:
        answer = e.args[1]
    finally:
        hostile.unlink()  # some are large
    cpu, peak = w.cpu_seconds(), w.peak_kib() // 1024
    MEASURED.append((name, cpu, peak, answer))
    assert w.table(path) == table
    assert w.close() == 0
    assert cpu <= CPU_SECONDS_MAX, f"{cpu} s"
    assert peak <= PEAK_MIB_MAX, f"{peak} MiB"


def test_truncated_anywhere(tmp_path, good):
    """A file that ends early is answered, whatever is missing; one process answers all."""
    path, table = good
    whole = path.read_bytes()
    short = tmp_path / "short"
    w = TableWorker()
    n_tables = 0
    for n in range(0, len(whole), 97):
        short.write_bytes(whole[:n])
        try:
            w.table(short)
            n_tables += 1
        except Failed:
            pass
    assert n_tables > 0
    assert w.table(path) == table
    assert w.peak_kib() <= 32 << 10
    assert w.close() == 0


def test_any_byte_changed(tmp_path, good):
    """The headers, each byte of them inverted, and the call frame information at random."""
    path, table = good
    whole = path.read_bytes()
    changed = tmp_path / "changed"
    w = TableWorker()
    rng = random.Random(7)
    for at in [*range(16, 1024), *(rng.randrange(len(whole)) for _ in range(2000))]:
        changed.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1:])
        try:
            w.table(changed)
        except Failed:
            pass
    assert w.table(path) == table
    assert w.peak_kib() <= PEAK_MIB_MAX << 10
    assert w.close() == 0
