# SPDX-License-Identifier: Apache-2.0
"""Code that runtimes make is named as they name it: perf-PID.map and jitdump, by made programs and real ones."""

import math
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

import cprofd_run
import pprof_file
from cprofd_run import assert_share

SECONDS = 3


def perf_map(pid):
    return Path(f"/tmp/perf-{pid}.map")


@pytest.fixture
def recorded(cprofd, tmp_path):
    """Profiles a command from its start to its end: recorded(argv) -> Profile."""

    def record(*argv, **kwargs):
        out = tmp_path / "out.pb.gz"
        run = cprofd("-o", out, "--", *argv, cwd=tmp_path, **kwargs)
        assert run.status == 0, run.stderr
        return pprof_file.check(out)

    yield record
    for path in Path("/tmp").glob("perf-*.map"):
        if not Path(f"/proc/{path.stem.removeprefix('perf-')}").exists():
            path.unlink()


def check_split(profile):
    """seventy and thirty share the time, in a mapping called [jit]."""
    total = profile.flat("seventy /src/a b.js:7") + profile.flat("thirty")
    assert total > 0.95 * profile.total
    assert_share(profile.flat("thirty"), total, 0.3, "thirty")
    for s in profile.samples:
        if s.names()[0] == "thirty":
            assert s.locations[0].mapping.filename == "[jit]"
    # Where the frame is not made yet, or no more, the frame pointer leads past the caller.
    called = profile.count(lambda s: s.names()[0] == "thirty" and s.names()[1:3] == ["call_made", "run_map"])
    assert called > 0.9 * profile.flat("thirty")
    assert "jit=" in profile.comment("names:")


@pytest.mark.parametrize("mode", ["map", "memfd", "late"])
def test_a_perf_map_names_made_code(recorded, programs, mode):
    """The process has ended long before its frames are named; what it left in /tmp is read."""
    check_split(recorded(programs / "runtime", SECONDS, mode))


def test_a_perf_map_of_somebody_who_is_gone(recorded, programs):
    """Not root's, and written at the end: believed, since it is known who ran."""
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed")
    check_split(recorded("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                         programs / "runtime", SECONDS, "late"))


def test_a_jitdump_names_by_time_and_line(recorded, programs):
    """One address, two functions, one after the other."""
    profile = recorded(programs / "runtime", SECONDS, "dump")
    total = profile.flat("early") + profile.flat("late")
    assert total > 0.95 * profile.total
    # Four standard deviations of the binomial, and the frames of a tenth of a second are taken for one.
    assert abs(profile.flat("early") / total - 0.5) < 2 / math.sqrt(total) + 0.1 / SECONDS
    for s in profile.samples:
        line = s.locations[0].lines[0]
        if line.function.name in ("early", "late"):
            assert line.function.filename == "/src/runtime.js"
            assert line.line == {"early": 7, "late": 70}[line.function.name]


def test_in_a_container_the_map_is_the_container_s(mount_namespaces, cprofd, programs, tmp_path):
    """A process in namespaces of its own, with its own /tmp and number, and a trap in ours."""
    out = tmp_path / "out.pb.gz"
    inner = tmp_path / "tmp"
    inner.mkdir()
    shutil.copy(programs / "runtime", inner)
    script = f"mount --bind {inner} /tmp && {{ /tmp/runtime 60 map & echo $!; wait; }}"
    host_pid = 0
    process = subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-c", script],
                               stdout=subprocess.PIPE, text=True)
    try:
        pid = int(process.stdout.readline())
        host_pid = cprofd_run.wait_until(lambda: [
            p for p in Path("/proc").glob("[0-9]*")
            if (p / "comm").exists() and (p / "comm").read_text() == "runtime\n"
            and f"NSpid:\t{p.name}\t{pid}\n" in (p / "status").read_text()])[0].name
        perf_map(host_pid).write_text("0 ffffffffffffffff trap\n")
        perf_map(pid).write_text("0 ffffffffffffffff trap\n")
        run = cprofd("--pid", host_pid, "--seconds", 2, "-o", out)
        assert run.status == 0, run.stderr
        profile = pprof_file.check(out)
        assert profile.cum("trap") == 0
        check_split(profile)
    finally:
        subprocess.run(["pkill", "-P", str(process.pid)], check=False)
        process.kill()
        process.wait()
        for number in (pid, host_pid):
            perf_map(number).unlink(missing_ok=True)


# All of these end after some time of CPU, since on a busy machine their start would else be most of it.

JS = """
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
for (const start = process.cpuUsage(); process.cpuUsage(start).user < 3e6;) fib(20);
"""

PYTHON = """
import time
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
while time.process_time() < 3: fib(15)
"""


JAVA = """
public class Fib {
    static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
    public static void main(String[] args) {
        for (int i = 0; i < 200; i++) fib(32);
    }
}
"""


def test_java(recorded, tmp_path):
    """Its map is written when it ends."""
    if not shutil.which("java"):
        pytest.skip("java is not installed")
    options = ["-XX:+UnlockDiagnosticVMOptions", "-XX:+DumpPerfMapAtExit", "-XX:+PreserveFramePointer"]
    if subprocess.run(["java", *options, "-version"], capture_output=True, check=False).returncode:
        pytest.skip("this Java makes no perf map (17 and later do)")
    source = tmp_path / "Fib.java"
    source.write_text(JAVA)
    if not shutil.which("javac") or subprocess.run(["javac", source], check=False).returncode:
        pytest.skip("javac is not installed")
    profile = recorded("java", *options, "-cp", tmp_path, "Fib")
    fib = profile.count(lambda s: any("Fib" in n and "fib" in n for n in s.names()))
    assert fib > 0.8 * profile.total


@pytest.mark.parametrize("option", ["--perf-basic-prof", "--perf-prof"])
def test_node(recorded, option):
    if not shutil.which("node"):
        pytest.skip("node is not installed")
    profile = recorded("node", option, "-e", JS)
    fib = profile.count(lambda s: any(n.startswith("JS:") and "fib" in n for n in s.names()))
    assert fib > 0.85 * profile.total


def python_with_perf():
    """A Python that has -X perf (3.12 and later on x86-64), or None."""
    found = [shutil.which(f"python3.{minor}") for minor in (14, 13, 12)]
    found += sorted(str(p) for p in Path("/root/.pyenv/versions").glob("3.1[2-9]*/bin/python3"))
    for python in filter(None, found):
        if subprocess.run([python, "-X", "perf", "-c", "import sys; sys.is_stack_trampoline_active() or exit(1)"],
                          capture_output=True, check=False).returncode == 0:
            return python
    return None


def test_python(recorded):
    python = python_with_perf()
    if not python:
        pytest.skip("no Python that has -X perf is installed")
    profile = recorded(python, "-X", "perf", "-c", PYTHON)
    fib = profile.count(lambda s: any(n.startswith("py::fib") for n in s.names()))
    assert fib > 0.8 * profile.total


def hostile_maps(path, own):
    """Shapes that a map may have, each made at PATH: name -> what is to be found there."""

    def text(content):
        path.write_bytes(content)

    def link():
        own.write_text("0 ffffffffffffffff trap\n")
        path.symlink_to(own)

    def hard_link():
        own.write_text("0 ffffffffffffffff trap\n")
        os.link(own, path)

    def sparse():
        with open(path, "wb") as f:
            f.truncate(100 << 30)

    def foreign():
        text(b"0 ffffffffffffffff trap\n")
        os.chown(path, 12345, 12345)

    return {
        "fifo": lambda: os.mkfifo(path), "link": link, "hard link": hard_link, "folder": path.mkdir,
        "foreign": foreign, "sparse": sparse, "no newline": lambda: text(b"x" * (8 << 20)),
        "zeros": lambda: text(bytes(1 << 20)), "binary": lambda: text(os.urandom(1 << 20)),
        "many lines": lambda: text(b"1000 10 a\n" * 3_000_000),
        "covering": lambda: text(b"0 ffffffffffffffff \x1b[31m\xff\xfe\n" * 500_000),
    }


@pytest.mark.parametrize("shape", ["fifo", "link", "hard link", "folder", "foreign", "sparse", "no newline",
                                   "zeros", "binary", "many lines", "covering"])
def test_hostile_maps_cost_their_names_only(cprofd, programs, tmp_path, shape):
    """runtime makes code and no map; what stands in its place is made here."""
    out = tmp_path / "out.pb.gz"
    with cprofd_run.Targets(programs) as targets:
        target = targets.start("runtime", 60, "none")
        path = perf_map(target.pid)
        hostile_maps(path, tmp_path / "own")[shape]()
        try:
            started = time.monotonic()
            run = cprofd("--pid", target.pid, "--seconds", 1, "-o", out)
            assert run.status == 0, run.stderr
            assert time.monotonic() - started < 6
        finally:
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()
    profile = pprof_file.check(out)
    assert profile.cum("trap") == 0
    assert profile.cum("call_made") > 0.9 * profile.total
    expected = "\\x1b[31m\\xff\\xfe" if shape == "covering" else "[anonymous code]"
    if shape not in ("binary",):
        assert profile.flat(expected) > 0.9 * profile.total
