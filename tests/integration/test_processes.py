# SPDX-License-Identifier: Apache-2.0
"""Threads, exec, dlopen, fork, short lives, deep stacks, kernel time: samples are placed and named right."""

import time

import pytest

import pprof_file
from cprofd_run import assert_share, only_file, profiles

# ---- threads, system calls, depth: within the recording of the whole host ---------------------


def test_threads_have_tid_and_name(busy_host):
    """The threads printed their tids; each sample has the tid and the name that belong together."""
    target = busy_host.targets["threads"]
    tids = {name: int(tid) for name, tid in map(str.split, target.output.splitlines())}
    assert len(tids) == 3
    profile = busy_host.of("threads")
    workers = {name: 0 for name in tids}
    for s in profile.samples:
        if "thread_work" in s.names():
            name = s.labels["thread"]
            assert s.labels["tid"] == (tids[name], "tid")
            workers[name] += s.count
    total = sum(workers.values())
    assert total > 0.9 * profile.total
    for name, share in (("alpha", 0.5), ("beta", 0.3), ("gamma", 0.2)):
        assert_share(workers[name], total, share, name)
    assert profile.label_values("comm") == {"threads"}


def test_system_calls_show_kernel_and_caller(busy_host):
    profile = busy_host.of("syscalls")
    kernel = profile.mappings[-1]
    assert kernel.filename.startswith("[kernel")

    def in_kernel_below(caller):
        return profile.count(
            lambda s: s.locations[0].mapping is kernel and caller in s.names())

    below = in_kernel_below("read_zeroes") + in_kernel_below("ask_parent")
    assert in_kernel_below("read_zeroes") > 0
    assert below > 0.5 * profile.total
    named = profile.count(lambda s: not s.names()[0].startswith("["))
    assert named > 0.9 * profile.total, "kernel functions without names"
    assert profile.cum("main") > 0.9 * profile.total, "the user stack below the kernel is lost"


def test_kernel_comes_leaf_first(busy_host):
    """Kernel frames are on the leaf side of all user frames."""
    profile = busy_host.of("syscalls")
    kernel = profile.mappings[-1]
    for s in profile.samples:
        sides = [loc.mapping is kernel for loc in s.locations]
        assert sides == sorted(sides, reverse=True)


def test_deep_stacks_are_whole(busy_host):
    profile = busy_host.of("deep")
    bottom = [s for s in profile.samples if "at_the_bottom" in s.names()]
    assert sum(s.count for s in bottom) > 0.9 * profile.total
    whole = 0
    for s in bottom:
        if s.names().count("descend") == 100 and "main" in s.names():
            whole += s.count
    assert whole >= 0.99 * sum(s.count for s in bottom)


def test_very_deep_stacks_say_where_they_end(cprofd, start, tmp_path):
    """Beyond what one sample can hold the leaf side is kept, and a frame says that the rest is missing."""
    target = start("deep", 30, 5000)
    time.sleep(0.3)
    out = tmp_path / "deep.pb.gz"
    run = cprofd("--pid", target.pid, "--seconds", 1, "-o", out)
    assert run.status == 0, run.stderr
    profile = pprof_file.check(out)
    for s in profile.samples:
        if "at_the_bottom" in s.names():
            assert s.names().count("descend") >= 100
            assert "main" in s.names() or s.names()[-2].startswith("[") or s.names()[-1].startswith("[")


def test_idle_process_has_no_file_or_few_samples(busy_host):
    pid = busy_host.targets["idle"].pid
    count = sum(p.count(lambda s: s.number("pid") == pid) for p in busy_host.profiles.values())
    assert count <= 2


# ---- programs run by cprofd itself ------------------------------------------------------------


def record(cprofd, out, *command):
    run = cprofd("-o", out, "--", *command)
    assert run.status == 0, run.stderr
    return run


def test_exec_changes_image_and_name(cprofd, programs, tmp_path):
    record(cprofd, f"{tmp_path}/", programs / "exec", 1, programs / "exec_after", 1)
    found = profiles(tmp_path).values()
    before = sum(p.cum("work_before_exec") for p in found)
    after = sum(p.cum("work_after_exec") for p in found)
    assert before >= 30 and after >= 30
    assert len({pid for p in found for pid in p.label_values("pid")}) == 1
    for p in found:
        for s in p.samples:
            names = s.names()
            assert not ("work_before_exec" in names and "work_after_exec" in names)
            if "work_after_exec" in names:
                assert s.labels["comm"] == "exec_after"
                binaries = [loc.mapping.filename for loc in s.locations if "main" in
                            [line.function.name for line in loc.lines]]
                assert all(b.endswith("/exec_after") for b in binaries)


def test_library_loaded_late(cprofd, programs, tmp_path):
    out = tmp_path / "x.pb.gz"
    record(cprofd, out, programs / "dlopen", 3, programs / "libdlopen_late.so")
    profile = pprof_file.check(out)
    late = profile.cum("late_work")
    assert_share(late, late + profile.cum("work_before_dlopen"), 2 / 3, "late_work")
    mappings = {loc.mapping.filename.rpartition("/")[2] for s in profile.samples
                for loc in s.locations for line in loc.lines if line.function.name == "late_work"}
    assert mappings == {"libdlopen_late.so"}


@pytest.mark.parametrize("program, function, cpu_ms", [("fork", "child_work", 40),
                                                       ("shortlived", "short_work", 20)])
def test_children_that_live_for_milliseconds(cprofd, programs, tmp_path, program, function, cpu_ms):
    """Their samples are there, from the first on, named, in any number of processes."""
    out = tmp_path / "x.pb.gz"
    run = record(cprofd, out, programs / program, 3)
    profile = pprof_file.check(out)
    children = int(run.stdout.split()[0])
    assert children >= 10
    expected = children * cpu_ms * 99 / 1000
    found = profile.cum(function)
    # Each child's CPU time is a multiple of its own loop; the sampling error is that of the count.
    assert found >= expected * 0.8 - 4 * expected**0.5, f"{found} of {expected:.0f}"
    assert found >= 0.8 * profile.total
    pids = {s.number("pid") for s in profile.samples if function in s.names()}
    assert len(pids) >= children / 2


def test_directory_gets_a_file_per_process(cprofd, programs, tmp_path):
    run = record(cprofd, f"{tmp_path}/", programs / "fork", 2)
    found = profiles(tmp_path)
    children = int(run.stdout.split()[0])
    pids = {pid for p in found.values() for pid in p.label_values("pid")}
    assert len(pids) >= children / 2
    many = [path for path in found if ".many." in path.name]
    single = [p for path, p in found.items() if path not in many]
    assert all(len(p.label_values("pid")) == 1 for p in single)


def test_target_ends_before_the_window(cprofd, start, tmp_path):
    target = start("split_c", 2)
    out = tmp_path / "x.pb.gz"
    began = time.monotonic()
    run = cprofd("--pid", target.pid, "--seconds", 30, "-o", out)
    assert run.status == 0, run.stderr
    assert time.monotonic() - began < 15, "it waits for a process that has ended"
    profile = pprof_file.check(out)
    assert profile.cum("seventy") > 20
    assert profile.duration_nanos < 15e9


def test_several_pids_make_one_file_each(cprofd, start, tmp_path):
    a, b = start("split_c", 30), start("syscalls", 30)
    run = cprofd("--pid", a.pid, "--pid", b.pid, "--seconds", 1, "-o", f"{tmp_path}/")
    assert run.status == 0, run.stderr
    pids = [p.label_values("pid") for p in profiles(tmp_path).values()]
    assert sorted(pids, key=str) == sorted([{(a.pid, "pid")}, {(b.pid, "pid")}], key=str)


def test_only_the_target_is_recorded(cprofd, start, tmp_path):
    target, other = start("split_c", 30), start("syscalls", 30)
    out = tmp_path / "x.pb.gz"
    run = cprofd("--pid", target.pid, "--seconds", 1, "-o", out)
    assert run.status == 0, run.stderr
    profile = pprof_file.check(only_file(tmp_path))
    assert profile.label_values("pid") == {(target.pid, "pid")}
    assert other.process.poll() is None
    assert pprof_file.accounting(profile)["filtered"] > 0


def test_no_kernel(cprofd, start, tmp_path):
    target = start("syscalls", 30)
    out = tmp_path / "x.pb.gz"
    run = cprofd("--pid", target.pid, "--seconds", 1, "--no-kernel", "-o", out)
    assert run.status == 0, run.stderr
    profile = pprof_file.check(out)
    assert profile.total > 20
    assert not [m for m in profile.mappings if m.filename.startswith("[kernel")]
