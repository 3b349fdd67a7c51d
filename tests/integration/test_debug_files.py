# SPDX-License-Identifier: Apache-2.0
"""Separate debug files are found: by debuglink beside the program, and their dwz file in Debian's place."""

import shutil
import subprocess
from pathlib import Path

import pytest

import pprof_file
from cprofd_run import Target

SOURCE = Path(__file__).resolve().parents[1] / "programs" / "split.c"
DWZ = Path("/usr/lib/debug/.dwz")


def stripped(folder, name):
    """The split program as NAME without debug information, and that in NAME.debug."""
    path = folder / name
    subprocess.run(["gcc", "-O2", "-g", "-fno-omit-frame-pointer", f"-I{SOURCE.parent}", "-o", path, SOURCE],
                   check=True)
    subprocess.run(["objcopy", "--only-keep-debug", path, f"{path}.debug"], check=True)
    subprocess.run(["strip", path], check=True)
    subprocess.run(["objcopy", f"--add-gnu-debuglink={path}.debug", path], check=True)
    return path


def profile_of(cprofd, program, out):
    with_target = Target([program, "30"])
    try:
        run = cprofd("--pid", with_target.pid, "--seconds", 1, "-o", out)
    finally:
        with_target.stop()
    assert run.status == 0, run.stderr
    pprof_file.check(out)
    return pprof_file.read(out)


def inlined(profile):
    """Samples whose innermost frame is inlined into `twenty` or another function of split.c, with its file."""
    return profile.count(lambda s: len(s.locations[0].lines) > 1 and
                         s.locations[0].lines[0].function.filename.endswith((".c", ".h")))


def test_debuglink(cprofd, tmp_path):
    profile = profile_of(cprofd, stripped(tmp_path, "linked"), tmp_path / "p.pb.gz")
    assert profile.total > 50
    assert inlined(profile) > 0
    assert profile.cum("seventy") > 0.5 * profile.total


def test_debuglink_missing(cprofd, tmp_path):
    """Without it the frames have numbers, and every sample is there."""
    program = stripped(tmp_path, "alone")
    (tmp_path / "alone.debug").unlink()
    profile = profile_of(cprofd, program, tmp_path / "p.pb.gz")
    assert profile.total > 50
    assert profile.count(lambda s: s.names()[0].startswith("alone+0x")) > 0.9 * profile.total


def test_dwz(cprofd, tmp_path):
    if not shutil.which("dwz"):
        pytest.skip("dwz is missing")
    program = stripped(tmp_path, "shared")
    stripped(tmp_path, "other")
    made = not DWZ.exists()
    DWZ.mkdir(parents=True, exist_ok=True)
    common = DWZ / "cprofd-test.debug"
    try:
        subprocess.run(["dwz", "-m", common, "-M", common, "shared.debug", "other.debug"],
                       cwd=tmp_path, check=True)
        profile = profile_of(cprofd, program, tmp_path / "p.pb.gz")
    finally:
        common.unlink(missing_ok=True)
        if made:
            DWZ.rmdir()
    assert inlined(profile) > 0
    assert profile.cum("seventy") > 0.5 * profile.total
