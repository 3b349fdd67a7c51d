# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: what /proc says of our processes, what the kernel says of our BPF programs."""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "integration"))
sys.dont_write_bytecode = True

import cprofd_run  # noqa: E402
import pprof_file  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
STATS = Path("/proc/sys/kernel/bpf_stats_enabled")


# ---- what /proc says of our processes ---------------------------------------------------------


def family(pid):
    """PID and all below it."""
    found = [pid]
    for child in cprofd_run.children(pid):
        found += family(child)
    return found


class Usage:
    """CPU time and memory of PID and its children, kept also of those that have ended meanwhile."""

    def __init__(self, pid):
        self.pid = pid
        self.user = {}
        self.system = {}
        self.rss_peak = {}
        self.rss = {}
        self.pss_peak = 0
        self.rss_sum_peak = 0

    def look(self):
        pss = rss = 0
        for pid in family(self.pid):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                status = Path(f"/proc/{pid}/status").read_text()
                rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue  # ended
            self.user[pid] = int(fields[11]) / TICKS
            self.system[pid] = int(fields[12]) / TICKS
            now = re.search(r"VmRSS:\s+(\d+)", status)
            if now:
                self.rss[pid] = int(now[1]) / 1024
                rss += self.rss[pid]
            peak = re.search(r"VmHWM:\s+(\d+)", status)
            if peak:
                self.rss_peak[pid] = int(peak[1]) / 1024
            pss += int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1]) / 1024
        self.pss_peak = max(self.pss_peak, pss)
        self.rss_sum_peak = max(self.rss_sum_peak, rss)


def busy_seconds():
    """CPU time of the whole host that was not idle, stolen or waiting for a disk."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system + irq + softirq) / TICKS


def forks():
    """Processes and threads that were ever made on this host."""
    return int(re.search(r"^processes (\d+)", Path("/proc/stat").read_text(), re.M)[1])


# ---- what the kernel says of our BPF programs -------------------------------------------------


def bpftool(*arguments):
    tool = shutil.which("bpftool", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not tool:
        return []
    done = subprocess.run([tool, "-j", *arguments], capture_output=True, check=False)
    return json.loads(done.stdout or "[]") if done.returncode == 0 else []


def fd_info(pid, kind):
    """{id: KiB} of the BPF objects of KIND ("prog" or "map") that PID holds descriptors of."""
    found = {}
    for fd in Path(f"/proc/{pid}/fdinfo").glob("*"):
        try:
            text = fd.read_text()
        except OSError:
            continue
        number = re.search(rf"^{kind}_id:\s+(\d+)", text, re.M)
        memlock = re.search(r"^memlock:\s+(\d+)", text, re.M)
        if number:
            found[int(number[1])] = int(memlock[1]) / 1024 if memlock else 0
    return found


def program_runs(pid):
    """{name: (runs, ns)} of the BPF programs of PID."""
    ids = fd_info(pid, "prog")
    return {p.get("name", str(p["id"])): (p.get("run_cnt", 0), p.get("run_time_ns", 0))
            for p in bpftool("prog", "show") if p["id"] in ids}


def bpf_stats(on):
    before = STATS.read_text().strip() if STATS.exists() else ""
    if before:
        STATS.write_text(on)
    return before


def profiles(folder):
    """All profiles below FOLDER. One that breaks a promise is named and used: it may be of a process that is
    none of the benchmark's."""
    found = []
    for path in cprofd_run.files(folder):
        try:
            found.append(pprof_file.check(path))
        except pprof_file.Invalid as e:
            print(f"INVALID {e}", file=sys.stderr)
            found.append(pprof_file.read(path))
    return found


# ---- small things -----------------------------------------------------------------------------


def median(values):
    return statistics.median(values) if values else float("nan")


def percent(part, whole, digits=2):
    """PART of WHOLE; never rounded up to 100 %."""
    if not whole:
        return "-"
    share = int(part / whole * 100 * 10**digits) / 10**digits
    return f"{share:.{digits}f}%"
