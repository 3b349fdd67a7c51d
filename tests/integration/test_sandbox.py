# SPDX-License-Identifier: Apache-2.0
"""What is left to one who has taken cprofd-symbolizer over: nothing.

tests/sandbox/escape_worker.c is the symbolizer, its source and its sandbox, with one question more: it
tries what an intruder would try, and tells how each attempt ended.
"""

import ctypes
import os
import re
import signal
import struct
import subprocess
from pathlib import Path

import pytest

from symbolizer_worker import MAGIC, ROOT, WORKER, Worker, text_section

ESCAPE, FOREIGN = 1000, 1002
ESCAPES = re.findall(r"^\t    E\((\w+)\),$", (Path(ROOT) / "tests/sandbox/escapes.c").read_text(), re.M)

EPERM, EBADF, ENOMEM, EACCES, EMFILE, EFBIG = 1, 9, 12, 13, 24, 27

# What is not refused by the filter but by what it finds: no such path, no right to write, a limit.
OTHER_ERRORS = {
    "stat_path_as_fstat": 2,  # ENOENT: its root is an empty directory
    "write_to_file": EBADF,
    "map_file_to_write": EACCES,
    "write_huge_file_in_memory": EFBIG,
    "endless_memory": ENOMEM,
    "endless_descriptors": EMFILE,
}


@pytest.fixture(scope="module")
def escape_worker(build_dir):
    """The program, built."""
    path = build_dir / "tests" / "sandbox" / "escape-worker"
    subprocess.run(["make", "-s", "-C", ROOT, f"O={build_dir}", path], check=True)
    return path


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """A directory with a file that is nobody's loss."""
    folder = tmp_path_factory.mktemp("sandbox")
    (folder / "victim").write_text("#!/bin/true\n")
    (folder / "victim").chmod(0o755)
    return folder


class EscapeWorker(Worker):
    def __init__(self, program):
        self.program = program
        super().__init__()

    def escape(self, path):
        """How each attempt ends: {name: 0 or -errno}."""
        fd = os.open(path, os.O_RDONLY)
        try:
            text = self.ask(ESCAPE, b"", [fd]).decode()
        finally:
            os.close(fd)
        return {name: int(result) for name, result in (line.split() for line in text.splitlines())}


@pytest.fixture(scope="module")
def attempts(escape_worker, scratch):
    """How each attempt ended, in a worker that did its work before and after."""
    w = EscapeWorker(escape_worker)
    before = w.symbolize(WORKER, [text_section(WORKER).off])
    found = w.escape(scratch / "victim")
    assert w.symbolize(WORKER, [text_section(WORKER).off]) == before
    assert w.close() == 0
    return found


@pytest.mark.parametrize("name", ESCAPES)
def test_escape_fails(attempts, name):
    assert attempts[name] == -OTHER_ERRORS.get(name, EPERM), os.strerror(-attempts[name])


def test_all_escapes_were_tried(attempts, scratch):
    assert list(attempts) == ESCAPES and len(ESCAPES) > 90
    assert [p.name for p in scratch.iterdir()] == ["victim"]
    assert (scratch / "victim").read_text() == "#!/bin/true\n"


def test_the_attempts_are_good_for_something(mount_namespaces, escape_worker, scratch):
    """Without a sandbox almost all of them work, or root could not do it either."""
    # Away from the host's mounts and message queues, which they change.
    run = subprocess.run(["unshare", "--mount", "--ipc", escape_worker, "free"], cwd=scratch, text=True,
                         stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)
    results = dict(line.split() for line in run.stdout.splitlines())
    assert list(results) == ESCAPES
    failed = {name: os.strerror(-int(r)) for name, r in results.items() if r != "0"}
    # What needs a file open for writing, a module, a terminal, or is asked in a way that does no harm.
    allowed = {"write_to_file", "write_at_file", "map_file_to_write", "truncate_file", "load_module",
               "control_terminal", "host_name", "set_clock"}
    # What a kernel may be built or set up without.
    allowed |= {"io_uring", "user_faults", "unshare_user", "fork_into_user_namespace", "message_queue"}
    assert set(failed) <= allowed, failed


def test_a_foreign_system_call_kills(escape_worker):
    """By 32-bit numbers, which the filter does not read, nothing can be called."""
    if os.uname().machine != "x86_64":
        pytest.skip("only x86-64 has a second set of numbers here")
    w = EscapeWorker(escape_worker)
    w.sock.sendall(struct.pack("=5I", MAGIC, FOREIGN, 1, 0, 0))
    assert w.close() == -signal.SIGSYS


def kernel_has_landlock():
    landlock_create_ruleset, version = 444, 1
    return ctypes.CDLL(None).syscall(landlock_create_ruleset, None, 0, version) > 0


def test_what_the_worker_is():
    """The product itself, seen from outside."""
    w = Worker()
    proc = Path(f"/proc/{w.child.pid}")
    status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines())
    for ids in ("Uid", "Gid"):
        assert set(status[ids].split()) == {"65534"}
    assert not status["Groups"].strip()
    for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[caps], 16) == 0
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
    assert (proc / "mem").stat().st_uid == 0  # not dumpable: no other "nobody" may look into it
    assert os.readlink(proc / "root") == f"/proc/{w.child.pid}/fdinfo"
    links = {fd.name: os.readlink(fd) for fd in (proc / "fd").iterdir()}
    assert sorted(links) == ["0", "1", "2", "3"]
    assert {links[n] for n in "012"} == {"/dev/null"} and links["3"].startswith("socket:")
    limits = dict(re.findall(r"^(Max [\w ]+?) {2,}\w+ +(\w+)", (proc / "limits").read_text(), re.M))
    assert limits["Max processes"] == limits["Max core file size"] == "0"
    assert limits["Max open files"] == "16"
    assert int(limits["Max file size"]) == 64 << 20 and int(limits["Max address space"]) == 1 << 30
    assert w.has_landlock == kernel_has_landlock()
    assert w.close() == 0


def test_descriptors_that_were_left_open_are_closed():
    """The worker holds what it was given and no more, whoever started it."""
    secret = os.open("/etc/shadow", os.O_RDONLY)
    os.set_inheritable(secret, True)

    class Careless(Worker):
        def popen(self, place_socket):
            return subprocess.Popen([self.program], preexec_fn=place_socket, close_fds=False)

    w = Careless()
    os.close(secret)
    assert sorted(int(fd) for fd in os.listdir(f"/proc/{w.child.pid}/fd")) == [0, 1, 2, 3]
    assert w.close() == 0
