# SPDX-License-Identifier: Apache-2.0
"""Running cprofd and the programs it profiles."""

import math
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pprof_file

TESTS = Path(__file__).resolve().parents[1]


@dataclass
class Run:
    status: int  # the exit status; 128 + n where signal n ended it
    stdout: bytes
    stderr: str


class Cprofd:
    def __init__(self, binary):
        self.binary = Path(binary)

    def argv(self, *args):
        return [str(self.binary), *map(str, args)]

    def popen(self, *args, **kwargs):
        return subprocess.Popen(self.argv(*args), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL, **kwargs)

    def __call__(self, *args, timeout=90, **kwargs):
        return finish(self.popen(*args, **kwargs), timeout)


def finish(process, timeout=60):
    """Waits for PROCESS, which popen() gave."""
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"did not end in {timeout} s; stderr: {err.decode()}") from None
    status = process.returncode if process.returncode >= 0 else 128 - process.returncode
    return Run(status, out, err.decode(errors="replace"))


class Target:
    """A running test program."""

    def __init__(self, argv, **kwargs):
        self.process = subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE,
                                        stdin=subprocess.DEVNULL, **kwargs)
        self.pid = self.process.pid
        self.name = Path(argv[0]).name
        self.output = None  # what it had printed when it was stopped

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if not self.process.stdout.closed:
            self.output = self.process.stdout.read().decode()
            self.process.stdout.close()


class Targets:
    """Several of them; all are ended at the end of the with block."""

    def __init__(self, folder):
        self.folder = folder
        self.by_name = {}
        self.all = []

    def start(self, name, *args, **kwargs):
        target = Target([self.folder / name, *args], **kwargs)
        self.all.append(target)
        self.by_name[name] = target
        return target

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for target in self.all:
            target.stop()


def files(folder):
    """Every profile below FOLDER, sorted; nothing else may be there."""
    found = sorted(p for p in Path(folder).rglob("*") if not p.is_dir())
    strange = [p for p in found if not p.name.endswith(".pb.gz") or p.name.startswith(".")]
    assert not strange, f"not profiles: {strange}"
    return found


def profiles(folder):
    """All profiles below FOLDER, checked: path -> Profile."""
    return {path: pprof_file.check(path) for path in files(folder)}


@dataclass
class Recording:
    folder: Path
    run: Run
    targets: dict  # program -> Target
    seconds: float

    def __post_init__(self):
        self.profiles = profiles(self.folder)

    def path_of(self, pid):
        """The one file that is of PID alone."""
        found = [path for path, p in self.profiles.items()
                 if p.samples and p.label_values("pid") == {(pid, "pid")}]
        assert len(found) == 1, f"files of pid {pid}: {found}"
        return found[0]

    def of(self, name):
        return self.profiles[self.path_of(self.targets[name].pid)]


def only_file(folder):
    found = files(folder)
    assert len(found) == 1, found
    return found[0]


def wait_until(condition, seconds=20, what="what was waited for"):
    """Polls CONDITION until it gives something true, and returns that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"no {what} within {seconds} s")


def children(pid):
    """The pids of PID's children."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text().split()]
        except OSError:
            pass  # the thread has just ended
    return found


def interrupt(process):
    process.send_signal(signal.SIGINT)


def assert_share(count, total, share, what):
    """COUNT of TOTAL samples agree with SHARE within four standard deviations of the binomial."""
    bound = 4 * math.sqrt(total * share * (1 - share))
    assert abs(count - share * total) <= bound, (
        f"{what}: {count} of {total} samples = {count / max(total, 1):.4f}, "
        f"expected {share} +- {bound / max(total, 1):.4f}")


def function_lines(source, name):
    """(first, last) line of the function NAME in tests/programs/SOURCE: from the line that names it to the
    bracket that closes it."""
    lines = (TESTS / "programs" / source).read_text().splitlines()
    definition = re.compile(rf"^(?!\s*//)[\w\s:<>,\[\]()*&]*\b{re.escape(name)}\(.*\)[\w\s\->]*(\{{)?$")
    for first, line in enumerate(lines, 1):
        if definition.match(line) and not line.startswith(("\t", "    ")):
            for last in range(first, len(lines) + 1):
                if lines[last - 1].startswith("}"):
                    return first, last
    raise AssertionError(f"{name} is not defined in {source}")


def environment(**changes):
    env = dict(os.environ)
    for key, value in changes.items():
        if value is None:
            env.pop(key, None)
        else:
            env[key] = value
    return env
