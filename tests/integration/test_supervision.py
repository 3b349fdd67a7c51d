# SPDX-License-Identifier: Apache-2.0
"""Symbolizers that are killed, and files that they die of: what it costs is names, and for how long."""

import random
import shutil
import signal
import threading
import time
from collections import defaultdict
from pathlib import Path

import pprof_file
from conftest import write_config
from cprofd_run import Cprofd, Target, finish, profiles
from test_daemon import NAME
from test_faults import kill, symbolizers

WINDOW = 1  # seconds


def alive(pid):
    """False for one that has been killed and not been waited for yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Killer(threading.Thread):
    """Kills every symbolizer below PID at random moments, until it has killed N."""

    def __init__(self, pid, n, seed):
        super().__init__()
        self.pid, self.n, self.seed, self.killed = pid, n, seed, 0

    def run(self):
        moments = random.Random(self.seed)
        end = time.monotonic() + 60
        while self.killed < self.n and time.monotonic() < end:
            time.sleep(moments.uniform(0, 0.03))
            for pid in filter(alive, symbolizers(self.pid)):
                self.killed += 1
                kill(pid)


class NewPrograms(threading.Thread):
    """Runs one new program after the other, so that there is always a file to be named."""

    def __init__(self, program, folder):
        super().__init__()
        self.program, self.folder, self.n, self.quit = program, folder, 0, threading.Event()

    def run(self):
        while not self.quit.is_set():
            path = self.folder / f"new{self.n}"
            shutil.copy(self.program, path)
            target = Target([path, 60])
            time.sleep(0.06)
            target.stop()
            path.unlink()
            self.n += 1


def windows_of(found):
    """The profiles by the start of their window, in its order."""
    windows = defaultdict(list)
    for path, p in found.items():
        windows[NAME.search(str(path))[3]].append(p)
    return [windows[start] for start in sorted(windows)]


def named_share(window, pid):
    """Of the samples of PID, the share that has its function."""
    mine = [p for p in window if p.label_values("pid") == {(pid, "pid")}]
    total = sum(p.total for p in mine)
    return sum(p.cum("main") for p in mine) / total if total else None


def test_killed_200_times_under_load(cprofd, programs, tmp_path):
    """Not a sample is lost, the daemon goes on, and names that were lost come back."""
    out, new = tmp_path / "out", tmp_path / "new"
    new.mkdir()
    shutil.copy(programs / "split_c", tmp_path / "steady")
    config = write_config(tmp_path, out, f"{WINDOW}s")
    seed = random.randrange(1 << 30)
    daemon = cprofd.popen("--config", config)
    killer, load = Killer(daemon.pid, 200, seed), NewPrograms(programs / "split_c", new)
    steady = Target([tmp_path / "steady", 120])
    try:
        load.start()
        killer.start()
        killer.join()
        time.sleep(8 * WINDOW)  # a file that was not answered rests for a second, then for two ...
        assert daemon.poll() is None
    finally:
        load.quit.set()
        load.join()
        steady.stop()
        daemon.send_signal(signal.SIGTERM)
        run = finish(daemon, 30)
    said = f"seed {seed}, {killer.killed} killed, {load.n} programs: {run.stderr}"
    assert killer.killed >= 200, said
    assert run.status == 0, said
    windows = windows_of(profiles(out))
    for window in windows:  # nothing but names was lost
        accounts = [pprof_file.accounting(p) for p in window]
        assert all(a == accounts[0] for a in accounts), said
        assert accounts[0]["kept"] == sum(p.total for p in window), said
    shares = [named_share(window, steady.pid) for window in windows]
    print(f"{said}\nnamed: {shares}")
    assert all(share > 0.9 for share in shares[-3:-1]), f"{shares} {said}"
    # In the quiet at the end everybody is named, whoever is new.
    unnamed = [c for p in windows[-2] for c in p.comments if c.startswith("files not named in full")]
    assert all("unusable=0 late=0" in c for c in unnamed), f"{unnamed} {said}"


def test_one_that_cannot_start(build_dir, start, tmp_path):
    """It is said once, in the log and in the profiles; as soon as it can the names are there."""
    shutil.copy(build_dir / "cprofd", tmp_path)
    program, obstacle = tmp_path / "cprofd-symbolizer", tmp_path / "obstacle"
    program.write_text(f'#!/bin/sh\n[ ! -e {obstacle} ] || exit 1\nexec {build_dir}/cprofd-symbolizer\n')
    program.chmod(0o755)
    obstacle.touch()
    target = start("split_c", 60)
    out = tmp_path / "out"
    daemon = Cprofd(tmp_path / "cprofd").popen("--config", write_config(tmp_path, out, f"{WINDOW}s"))
    time.sleep(4 * WINDOW)
    obstacle.unlink()
    time.sleep(8 * WINDOW)
    daemon.send_signal(signal.SIGTERM)
    run = finish(daemon, 30)
    assert run.status == 0, run.stderr
    assert run.stderr.count("it ends or hangs before it is ready") == 1, run.stderr
    windows = windows_of(profiles(out))
    shares = [named_share(window, target.pid) for window in windows]
    assert shares[0] == 0 and shares[-2] > 0.9, shares
    assert any(c.startswith("symbolizer: it ends") for p in windows[0] for c in p.comments)
    assert not any(c.startswith("symbolizer: it ends") for p in windows[-2] for c in p.comments)
