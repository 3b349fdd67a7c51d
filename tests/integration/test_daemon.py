# SPDX-License-Identifier: Apache-2.0
"""The daemon: windows aligned to the wall clock, a file per process and window, nothing lost on the way."""

import os
import re
import signal
import stat
import time
from collections import defaultdict
from datetime import datetime, timezone

import pprof_file
from conftest import write_config
from cprofd_run import files, finish, profiles, wait_until

NAME = re.compile(r"(\d{4}-\d\d-\d\d)/(\d\d)/(\d{6})Z\.([A-Za-z0-9_-]+)\.(\d+|many)(\.\d+)?\.cpu\.pb\.gz")


def parts(recording, path):
    m = NAME.fullmatch(str(path.relative_to(recording.folder)))
    assert m, path
    start = datetime.strptime(m[1] + m[3], "%Y-%m-%d%H%M%S").replace(tzinfo=timezone.utc)
    assert m[2] == m[3][:2]
    return start.timestamp(), m[4], m[5]


def by_window(recording):
    windows = defaultdict(list)
    for path, p in recording.profiles.items():
        windows[parts(recording, path)[0]].append(p)
    return dict(sorted(windows.items()))


def test_names_and_modes(ten_windows):
    for path, p in ten_windows.profiles.items():
        start, comm, pid = parts(ten_windows, path)
        assert int(start) == p.time_nanos // 10**9
        if pid != "many":
            assert p.label_values("pid") == {(int(pid), "pid")}
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        for folder in (path.parent, path.parent.parent):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o750


def test_windows_start_on_the_wall_clock(ten_windows):
    windows = list(by_window(ten_windows))
    assert len(windows) >= 10
    for start in windows[1:]:  # the first is what was left of it when the daemon started
        assert start % ten_windows.window == 0, start
        for p in by_window(ten_windows)[start]:
            assert abs(p.time_nanos / 1e9 - start) < 0.1
    assert all(b - a == ten_windows.window for a, b in zip(windows[1:], windows[2:]))


def test_one_file_per_process_and_window(ten_windows):
    seen = set()
    for path in ten_windows.profiles:
        start, _, pid = parts(ten_windows, path)
        if pid != "many":
            assert (start, pid) not in seen
            seen.add((start, pid))
    pid = str(ten_windows.targets["split_c"].pid)
    with_split = {start for start, p in seen if p == pid}
    assert len(with_split) >= len(by_window(ten_windows)) - 1


def test_windows_hold_what_was_kept(ten_windows):
    """The samples in the files of a window are those that its account says were kept."""
    for start, found in by_window(ten_windows).items():
        accounts = [pprof_file.accounting(p) for p in found]
        assert all(a == accounts[0] for a in accounts), start
        assert accounts[0]["kept"] == sum(p.total for p in found), start


def test_no_gaps_between_windows(ten_windows):
    windows = by_window(ten_windows)
    first, last = min(windows), max(windows)
    whole = [found for start, found in windows.items() if start not in (first, last)]
    expected = sum(pprof_file.accounting(found[0])["expected"] for found in whole)
    rate = os.cpu_count() * 99
    assert 0.98 * rate <= expected / (len(whole) * ten_windows.window) <= 1.02 * rate


def test_times_are_unique(ten_windows):
    times = [p.time_nanos for p in ten_windows.profiles.values()]
    assert len(set(times)) == len(times)


def test_tiny_processes_share_a_file(ten_windows):
    """Processes below min_samples are grouped by name, nothing of them is dropped."""
    many = [p for path, p in ten_windows.profiles.items()
            if parts(ten_windows, path)[1:] == ("shortlived", "many")]
    assert len(many) >= 9
    for p in many[1:-1]:
        assert len(p.label_values("pid")) > 5
        per_pid = defaultdict(int)
        for s in p.samples:
            per_pid[s.number("pid")] += s.count
        assert max(per_pid.values()) < 5
        assert p.cum("short_work") > 0.5 * p.total
    for path, p in ten_windows.profiles.items():
        if parts(ten_windows, path)[2] != "many":
            assert p.total >= 5


def test_whole_daemon_ends_with_status_0(ten_windows):
    assert ten_windows.run.status == 0, ten_windows.run.stderr


def test_sigterm_writes_the_open_window(cprofd, start, tmp_path):
    out = tmp_path / "profiles"
    config = write_config(tmp_path, out, window="60s")
    target = start("split_c", 30)
    daemon = cprofd.popen("--config", config)
    time.sleep(3)
    assert daemon.poll() is None, daemon.stderr.read()
    daemon.send_signal(signal.SIGTERM)
    run = finish(daemon, 20)
    assert run.status == 0, run.stderr
    mine = [p for p in profiles(out).values() if p.label_values("pid") == {(target.pid, "pid")}]
    # The window may have turned meanwhile.
    assert sum(p.cum("seventy") for p in mine) > 30
    assert sum(p.duration_nanos for p in mine) < 6e9


def test_full_disk_stops_writing_and_heals(cprofd, start, small_disk, tmp_path):
    """Sampling goes on while nothing can be written; files come again once there is room."""
    filler = small_disk / "filler"
    out = small_disk / "profiles"
    config = write_config(tmp_path, out, window="1s")
    start("split_c", 60)
    daemon = cprofd.popen("--config", config)
    try:
        wait_until(lambda: list(out.rglob("[!.]*.pb.gz")), what="profile")
        with open(filler, "wb", buffering=0) as f:
            try:
                while f.write(b"x" * 1024):
                    pass
            except OSError:
                pass
        time.sleep(3)
        assert daemon.poll() is None, "a full disk ended the daemon"
        before = set(out.rglob("[!.]*.pb.gz"))
        filler.unlink()
        # One that is being written at this moment is not there yet.
        wait_until(lambda: set(out.rglob("[!.]*.pb.gz")) - before,
                   what="profile after the disk had room again")
    finally:
        daemon.send_signal(signal.SIGTERM)
        run = finish(daemon, 20)
    assert re.search("[Nn]o space|full", run.stderr), run.stderr
    profiles(out)  # all whole
