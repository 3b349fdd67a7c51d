# SPDX-License-Identifier: Apache-2.0
"""Every expected sample is accounted for, and every file is one that others can read."""

import gzip
import os
import re
import shutil
import socket
import subprocess

import pytest

import pprof_file
from test_pprof_file import PROTO


def test_all_files_are_valid(busy_host):
    assert len(busy_host.profiles) >= 7  # the Recording has checked each


def test_times_are_unique(busy_host):
    times = [p.time_nanos for p in busy_host.profiles.values()]
    assert len(set(times)) == len(times)


def test_one_account_for_the_whole_host(busy_host):
    """All files of a recording state the same host totals, and the samples in them are those kept."""
    accounts = [pprof_file.accounting(p) for p in busy_host.profiles.values()]
    assert all(a == accounts[0] for a in accounts)
    assert accounts[0]["kept"] == sum(p.total for p in busy_host.profiles.values())
    assert accounts[0]["filtered"] == 0


def test_expected_is_cpus_times_rate_times_seconds(busy_host):
    account = pprof_file.accounting(next(iter(busy_host.profiles.values())))
    expected = os.cpu_count() * 99 * busy_host.seconds
    assert 0.97 * expected <= account["expected"] <= 1.03 * expected + 2 * os.cpu_count()


def test_little_is_lost(busy_host):
    account = pprof_file.accounting(next(iter(busy_host.profiles.values())))
    # Ticks that did not come, because the machine's own host took the CPU away, are not ours to lose.
    missed = account.get("lost.missed", 0)
    assert account["lost"] - missed <= 0.001 * account["expected"]
    assert missed <= 0.02 * account["expected"]


def test_duration_and_period(busy_host):
    for p in busy_host.profiles.values():
        assert abs(p.duration_nanos / 1e9 - busy_host.seconds) < 1
        assert p.period == 1_000_000_000 // 99


def test_summary_says_what_happened(busy_host):
    err = busy_host.run.stderr
    kept = sum(p.total for p in busy_host.profiles.values())
    assert re.search(rf"\b{kept}\b", err.replace(",", "")), err
    assert "lost" in err
    assert "go tool pprof" in err
    assert "seventy" in err, "the hottest functions are not named"


def test_comments_name_host_and_frequency(busy_host):
    for p in busy_host.profiles.values():
        text = "\n".join(p.comments)
        assert socket.gethostname() in text
        assert "99" in text


def test_comments_say_how_the_unwinding_went(busy_host):
    for p in busy_host.profiles.values():
        line = next(c for c in p.comments if c.startswith("unwinding: "))
        values = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", line)}
        assert values["tables"] > 0 and values["refused"] == 0, line
        assert values["cache_hits"] + values["cache_misses"] > 0, line


def test_protoc_reads_them_too(busy_host):
    if not shutil.which("protoc"):
        pytest.skip("protoc is not installed")
    for path, p in busy_host.profiles.items():
        done = subprocess.run(
            ["protoc", f"-I{PROTO.parent}", "--decode=perftools.profiles.Profile", str(PROTO)],
            input=gzip.decompress(path.read_bytes()), capture_output=True, check=True)
        text = done.stdout.decode()
        assert text.count("\nsample {") + text.startswith("sample {") == len(p.samples)
        assert not re.search(r"^\d+:", text, re.M), "fields that profile.proto does not know"
