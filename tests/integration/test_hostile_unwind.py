# SPDX-License-Identifier: Apache-2.0
"""A process that is bad to walk costs its own stacks at most: others are whole, nothing is lost, memory is
bounded, and each stack that was cut says why."""

import os
import time
from pathlib import Path

import pytest

import cprofd_run
import pprof_file
import stacks
from cprofd_run import assert_share, children
from fuse_server import FILE, FuseServer

SECONDS = 4
# Of all our processes together, at their highest; twice what the documentation promises.
MEMORY_MAX_MIB = 160

BAD_STACKS = ("unmapped", "none", "file", "kernel", "zero", "other")


def high_water_mib(pid):
    """Of PID and its children, but for those that are about to become another program: what these have is
    PID's."""
    total = 0
    for p in (pid, *children(pid)):
        try:
            if p != pid and os.path.samefile(f"/proc/{p}/exe", f"/proc/{pid}/exe"):
                continue
            status = Path(f"/proc/{p}/status").read_text()
        except OSError:
            continue  # it has just ended
        total += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    return total / 1024


@pytest.fixture
def beside(cprofd, programs, tmp_path):
    """Profiles the host while split_c and hostile_stack in MODE run: beside("none") -> Recording, MiB."""

    def record(mode, hz=99):
        with cprofd_run.Targets(programs) as targets:
            targets.start("split_c", 60)
            targets.start("hostile_stack", 60, mode)
            time.sleep(1.0)
            process = cprofd.popen("--all", "-F", hz, "--seconds", SECONDS, "-o", tmp_path)
            highest = 0
            while process.poll() is None:
                highest = max(highest, high_water_mib(process.pid))
                time.sleep(0.05)
            run = cprofd_run.finish(process, 60)
            assert run.status == 0, run.stderr
            return cprofd_run.Recording(tmp_path, run, dict(targets.by_name), SECONDS), highest

    return record


def cut_of_others(recording):
    return [s for s in recording.of("split_c").samples if stacks.why_cut(s)]


def check_others(recording, highest):
    """What holds whatever the other process does."""
    victim = recording.of("split_c")
    # Its share of the time is the scheduler's business, its split and its stacks are its own.
    assert victim.total >= 50
    assert_share(victim.cum("seventy"), victim.total, 0.7, "seventy")
    account = pprof_file.accounting(next(iter(recording.profiles.values())))
    assert account["kept"] == sum(p.total for p in recording.profiles.values())
    # Ticks that did not come are the machine's.
    assert account["lost"] - account.get("lost.missed", 0) <= 0.001 * account["expected"]
    assert highest <= MEMORY_MAX_MIB


@pytest.mark.parametrize("mode", BAD_STACKS)
def test_stack_pointers_to_bad_memory(beside, mode):
    recording, highest = beside(mode)
    check_others(recording, highest)
    assert not cut_of_others(recording)
    hostile = recording.of("hostile_stack")
    spinning = [s for s in hostile.samples if "spin_at" in s.names()]
    assert sum(s.count for s in spinning) >= 50
    if mode == "other":
        return  # what lies there are frames, of somebody else
    for s in spinning:
        assert stacks.why_cut(s) in ("stack unreadable", "bad CFA", "no mapping", "implausible caller",
                                     "no unwind info", "stack copy ended"), stacks.short(s)


def test_a_stack_that_never_comes(beside, tmp_path_factory):
    """Its outer half is of a file system that does not answer: whoever reads it hangs. That costs nobody else
    anything, and the end does not wait for it."""
    folder = tmp_path_factory.mktemp("fuse")
    try:
        server = FuseServer(folder).__enter__()
    except OSError as error:
        pytest.skip(f"no FUSE here: {error}")
    begin = time.monotonic()
    try:
        recording, highest = beside(folder / FILE)
    finally:
        server.__exit__()
    assert time.monotonic() - begin <= SECONDS + 5
    check_others(recording, highest)
    assert not cut_of_others(recording)
    hostile = recording.of("hostile_stack")
    assert sum(s.count for s in hostile.samples if "spin_at" in s.names()) >= 50


def test_many_mappings(beside):
    """Over the limit of the lists in the kernel: user space walks, and all stacks are whole."""
    recording, highest = beside("mappings")
    check_others(recording, highest)
    hostile = recording.of("hostile_stack")
    whole = sum(s.count for s in hostile.samples if not stacks.why_cut(s))
    assert whole >= 0.99 * hostile.total
    assert hostile.total >= 50


def test_many_mappings_of_another_process_cut_nothing(beside):
    recording, _ = beside("mappings")
    cut = cut_of_others(recording)
    assert not cut, [stacks.short(s) for s in cut[:3]]


def test_many_stacks(beside):
    """Hardly a stack is seen twice."""
    recording, highest = beside("stacks", hz=999)
    check_others(recording, highest)
    assert not cut_of_others(recording)
    hostile = recording.of("hostile_stack")
    assert hostile.total >= 500
    different = {tuple(loc.address for loc in s.locations) for s in hostile.samples}
    assert len(different) >= 0.5 * hostile.total
    for s in hostile.samples:
        assert not stacks.why_cut(s), stacks.short(s)
