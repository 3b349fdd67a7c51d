# SPDX-License-Identifier: Apache-2.0
"""Names of kernel code: BPF programs, and what is said where the kernel hides its names."""

import re
import shutil
import subprocess

import pytest

import cprofd_run
import pprof_file


def check_bpf(profile):
    """burn_filter has nearly all of the time, under its name without the tag."""
    named = [s for s in profile.samples if s.names()[0] == "bpf_prog_burn_filter"]
    assert sum(s.count for s in named) > 0.8 * profile.total
    leaf = named[0].locations[0]
    assert leaf.mapping.filename == "[bpf]"
    assert re.fullmatch("bpf_prog_[0-9a-f]{16}_burn_filter", leaf.lines[0].function.system_name)


def test_a_bpf_program_has_its_name(cprofd, start, tmp_path):
    target = start("bpf", 60)
    out = tmp_path / "out.pb.gz"
    run = cprofd("--pid", target.pid, "--seconds", 2, "-o", out)
    assert run.status == 0, run.stderr
    check_bpf(pprof_file.check(out))


def test_a_bpf_program_that_is_gone_has_its_name(cprofd, programs, tmp_path):
    """Nothing in /proc knows it any more when its samples are named."""
    out = tmp_path / "out.pb.gz"
    run = cprofd("-o", out, "--", programs / "bpf", 2)
    assert run.status == 0, run.stderr
    check_bpf(pprof_file.check(out))


def kernel_is_nameless(profile, why):
    assert profile.comment("kernel names: none, ") == why
    kernel = [s for s in profile.samples if s.locations[0].mapping.filename.startswith("[kernel")]
    assert sum(s.count for s in kernel) > 0.3 * profile.total
    assert {s.names()[0] for s in kernel} == {"[kernel]"}
    assert profile.cum("main") > 0.9 * profile.total


def test_kptr_restrict_2_is_said(mount_namespaces, cprofd, start, tmp_path):
    """As the kernel shows itself then: no addresses at all, to anybody."""
    target = start("syscalls", 60)
    out = tmp_path / "out.pb.gz"
    hidden = tmp_path / "kallsyms"
    hidden.write_text("0000000000000000 T _stext\n0000000000000000 T vfs_read\n")
    two = tmp_path / "two"
    two.write_text("2\n")
    mounts = f"mount --bind {hidden} /proc/kallsyms && mount --bind {two} /proc/sys/kernel/kptr_restrict"
    command = " ".join(cprofd.argv("--pid", target.pid, "--seconds", 2, "-o", out))
    done = subprocess.run(["unshare", "--mount", "sh", "-c", f"{mounts} && exec {command}"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "kptr_restrict is 2" in done.stderr
    kernel_is_nameless(pprof_file.check(out), "kernel.kptr_restrict is 2: set it to 1 or less")


def test_a_missing_capability_is_said(cprofd, start, tmp_path):
    if not shutil.which("setpriv"):
        pytest.skip("setpriv is not installed")
    target = start("syscalls", 60)
    out = tmp_path / "out.pb.gz"
    drop = ["setpriv", "--inh-caps=-syslog", "--bounding-set=-syslog"]
    shown = subprocess.run([*drop, "head", "-1", "/proc/kallsyms"], capture_output=True, text=True, check=True)
    if not shown.stdout.startswith("0000000000000000 "):
        pytest.skip("this kernel shows its addresses to everybody")
    done = subprocess.run([*drop, *cprofd.argv("--pid", target.pid, "--seconds", 2, "-o", out)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kernel_is_nameless(pprof_file.check(out), "CAP_SYSLOG is missing")
