# SPDX-License-Identifier: Apache-2.0
"""Whatever happens, there is a whole file or none, and never a silent failure."""

import os
import random
import re
import shutil
import signal
import time
from pathlib import Path

import pytest

import pprof_file
from cprofd_run import Target, Targets, children, environment, files, finish, interrupt, profiles, wait_until


def symbolizers(pid):
    """The pids of cprofd-symbolizer below PID; names are cut at 15 bytes."""
    found = []
    for child in children(pid):
        try:
            if Path(f"/proc/{child}/comm").read_text().startswith("cprofd-symboliz"):
                found.append(child)
        except OSError:
            pass  # it has just ended
    return found


def kill(pid, sig=signal.SIGKILL):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


def test_interrupt_at_any_moment(cprofd, start, tmp_path):
    """Thirty times Ctrl-C, somewhere between the start and the writing."""
    start("split_c", 300)
    seed = random.randrange(1 << 30)
    moments = random.Random(seed)
    statuses = []
    for i in range(30):
        out = tmp_path / str(i)
        out.mkdir()
        process = cprofd.popen("--all", "--seconds", 1, "-o", out)
        time.sleep(moments.uniform(0, 1.5))
        interrupt(process)
        run = finish(process, 30)
        found = profiles(out)  # nothing but whole files
        assert run.status in (0, 3, 130), f"seed {seed}, run {i}: {run.status}: {run.stderr}"
        assert found or run.status != 0 or "no samples" in run.stderr, (
            f"seed {seed}, run {i}: success without a file: {run.stderr}")
        statuses.append(run.status)
    assert 0 in statuses


def test_interrupt_ends_early_with_what_there_is(cprofd, start, tmp_path):
    target = start("split_c", 60)
    out = tmp_path / "x.pb.gz"
    process = cprofd.popen("--pid", target.pid, "--seconds", 60, "-o", out)
    time.sleep(2)
    interrupt(process)
    run = finish(process, 15)
    assert run.status == 0, run.stderr
    p = pprof_file.check(out)
    assert p.cum("seventy") > 20
    assert 1e9 < p.duration_nanos < 3e9


def test_interrupt_of_a_command(cprofd, programs, tmp_path):
    """Ctrl-C reaches both; the profile is written, the status is the command's."""
    out = tmp_path / "x.pb.gz"
    process = cprofd.popen("-o", out, "--", programs / "split_c", 60, start_new_session=True)
    time.sleep(1.5)
    os.killpg(process.pid, signal.SIGINT)
    run = finish(process, 15)
    assert run.status == 128 + signal.SIGINT, run.stderr
    assert pprof_file.check(out).cum("seventy") > 20


def test_full_directory(cprofd, start, small_disk):
    """One-shot into a full file system: an error, and nothing half-written."""
    target = start("split_c", 30)
    with open(small_disk / "filler", "wb", buffering=0) as f:
        with pytest.raises(OSError):
            while f.write(b"x" * 512):
                pass
    run = cprofd("--pid", target.pid, "--seconds", 1, "-o", small_disk / "x.pb.gz")
    assert run.status in (1, 2), run.stderr  # said before sampling, or at writing
    assert re.search("[Nn]o space", run.stderr), run.stderr
    assert [p.name for p in small_disk.iterdir()] == ["filler"]


def nothing_kept(folder):
    """An environment in which the symbolizer is needed."""
    return environment(CACHE_DIRECTORY=str(folder / "cache"))


def test_killed_symbolizer(cprofd, start, tmp_path):
    """One death in the middle costs no name: the symbolizer is started again."""
    target = start("split_c", 60)
    out = tmp_path / "x.pb.gz"
    process = cprofd.popen("--pid", target.pid, "--seconds", 3, "-o", out, env=nothing_kept(tmp_path))
    victims = wait_until(lambda: symbolizers(process.pid) or process.poll() is not None,
                         what="symbolizer")
    if victims is not True:
        for pid in victims:
            kill(pid)
    run = finish(process, 30)
    assert run.status == 0, run.stderr
    assert pprof_file.check(out).total > 50


def test_symbolizer_that_always_dies(cprofd, start, tmp_path):
    """Then the profile has addresses, and is still whole."""
    target = start("split_c", 60)
    out = tmp_path / "x.pb.gz"
    process = cprofd.popen("--pid", target.pid, "--seconds", 1, "-o", out, env=nothing_kept(tmp_path))
    end = time.monotonic() + 40
    while process.poll() is None and time.monotonic() < end:
        for pid in symbolizers(process.pid):
            kill(pid)
    run = finish(process, 30)
    assert run.status == 0, run.stderr
    p = pprof_file.check(out)
    assert p.total > 20


def test_kill_9_leaves_nothing_running_and_no_partial_file(cprofd, start, tmp_path):
    start("split_c", 60)
    process = cprofd.popen("--all", "--seconds", 30, "-o", tmp_path)
    time.sleep(1)
    below = children(process.pid)
    process.kill()
    finish(process)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below),
               what="end of the helper processes")
    assert not [p for p in files(tmp_path)]


def test_target_killed_during_the_run(cprofd, start, tmp_path):
    target = start("split_c", 60)
    out = tmp_path / "x.pb.gz"
    process = cprofd.popen("--pid", target.pid, "--seconds", 30, "-o", out)
    time.sleep(1.5)
    target.stop()
    run = finish(process, 15)
    assert run.status == 0, run.stderr
    assert pprof_file.check(out).cum("seventy") > 20


def test_binary_deleted_during_the_run(cprofd, programs, tmp_path):
    """A file that is gone from its path is still named: it was opened when it was mapped."""
    shutil.copy(programs / "split_c", tmp_path / "doomed")
    out = tmp_path / "x.pb.gz"
    with Targets(tmp_path) as targets:
        target = targets.start("doomed", 60)
        process = cprofd.popen("--pid", target.pid, "--seconds", 2, "-o", out)
        time.sleep(0.7)
        (tmp_path / "doomed").unlink()
        run = finish(process, 30)
    assert run.status == 0, run.stderr
    p = pprof_file.check(out)
    assert p.cum("seventy") > 50
    assert p.mappings[0].filename.endswith("/doomed")


def test_hostile_process_name(cprofd, programs, tmp_path):
    """Names are bytes that others chose: escapes and line breaks reach neither terminal nor file names."""
    # A shell names itself and does the work itself, since exec would set the name anew.
    name = b"\x1b[31m/..\n\xff"
    target = Target(["/bin/sh", "-c", r"printf '\033[31m/..\n\377' >/proc/$$/comm; while :; do :; done"])
    try:
        wait_until(lambda: Path(f"/proc/{target.pid}/comm").read_bytes() == name + b"\n",
                   what="that name")
        run = cprofd("--pid", target.pid, "--seconds", 1, cwd=tmp_path)
    finally:
        target.stop()
    assert run.status == 0, run.stderr
    assert "\x1b" not in run.stderr
    (path,) = files(tmp_path)
    assert re.fullmatch(r"[A-Za-z0-9_-]+\.\d+\.cpu\.pb\.gz", path.name)
    pprof_file.check(path)
