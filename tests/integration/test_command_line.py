# SPDX-License-Identifier: Apache-2.0
"""Wrong calls give one clear line and the stated exit status, before anything starts; right ones work."""

import json
import os
import re
import resource
import shutil
import subprocess

import pytest

import pprof_file
from cprofd_run import only_file

USAGE = 2
NO_TARGET = 3
CANNOT_SAMPLE = 77


def complaint(run):
    """The one line on stderr."""
    lines = run.stderr.strip().splitlines()
    assert len(lines) == 1, f"not one line: {run.stderr!r}"
    assert lines[0].startswith("cprofd"), lines[0]
    return lines[0]


@pytest.mark.parametrize(
    "arguments, word",
    [
        ("--pid abc --seconds 1", "abc"),
        ("--pid 0 --seconds 1", "0"),
        ("--pid -5 --seconds 1", "-5"),
        ("--pid 1x --seconds 1", "1x"),
        ("--pid 999999999 --seconds 1", "999999999"),
        ("--all --seconds 0", "0"),
        ("--all --seconds -1", "-1"),
        ("--all --seconds abc", "abc"),
        ("--all --seconds 1 --frequency 0", "0"),
        ("--all --seconds 1 --frequency abc", "abc"),
        ("--all --seconds 1 --frequency 1000000000", "1000000000"),
        ("--all --seconds 1 --format x", "x"),
        ("--all --seconds 1 --event x", "x"),
        ("--all --seconds 1 --nosuchoption", "nosuchoption"),
        ("--all --seconds", "seconds"),
        ("--all --pid 1 --seconds 1", "--all"),
        ("--all --seconds 1 -- true", "--all"),
        ("--pid 1 --seconds 1 -- true", "--pid"),
        ("--config x --all --seconds 1", "--config"),
        ("nosuchcommand", "nosuchcommand"),
        ("--", "--"),
        ("--pid 1 --pid 2 --seconds 1 -o -", "-o"),
    ],
)
def test_wrong_usage(cprofd, arguments, word, tmp_path):
    run = cprofd(*arguments.split(), cwd=tmp_path, timeout=20)
    assert run.status == USAGE, run.stderr
    assert word in complaint(run)
    assert run.stdout == b""
    assert not list(tmp_path.iterdir())


def test_one_file_for_several_pids(cprofd, start, tmp_path):
    a, b = start("idle"), start("idle")
    out = tmp_path / "x.pb.gz"
    run = cprofd("--pid", a.pid, "--pid", b.pid, "--seconds", 1, "-o", out)
    assert run.status == USAGE
    complaint(run)
    assert not out.exists()


@pytest.mark.parametrize("pid", [4194304, 4000000])
def test_no_such_process(cprofd, pid, tmp_path):
    run = cprofd("--pid", pid, "--seconds", 1, cwd=tmp_path)
    assert run.status == NO_TARGET, run.stderr
    assert str(pid) in complaint(run)
    assert not list(tmp_path.iterdir())


def test_missing_directory(cprofd, start, tmp_path):
    target = start("idle")
    run = cprofd("--pid", target.pid, "--seconds", 1, "-o", tmp_path / "no" / "x.pb.gz")
    assert run.status in (1, USAGE)
    assert str(tmp_path / "no") in complaint(run)
    assert not (tmp_path / "no").exists()


def test_unwritable_directory(cprofd, start):
    target = start("idle")
    run = cprofd("--pid", target.pid, "--seconds", 1, "-o", "/proc/x.pb.gz")
    assert run.status in (1, USAGE)
    assert "/proc" in complaint(run)


@pytest.mark.parametrize(
    "text, line, word",
    [
        ("[sampling]\nfrequenzy = 19\n", 2, "frequenzy"),
        ("[sampling]\nfrequency = often\n", 2, "often"),
        ("[sampling]\nfrequency = 0\n", 2, "0"),
        ("\n[output]\n; a comment\nwindow = 5 parsecs\n", 4, "parsecs"),
        ("[outptu]\nwindow = 5s\n", 1, "outptu"),
        ("[output]\nwindow\n", 2, ""),
    ],
)
def test_wrong_config(cprofd, text, line, word, tmp_path):
    config = tmp_path / "c.conf"
    config.write_text(text)
    run = cprofd("--config", config, timeout=20)
    assert run.status == USAGE, run.stderr
    said = complaint(run)
    assert re.search(rf"{re.escape(str(config))}:{line}\b", said), said
    assert word in said


def test_missing_config(cprofd, tmp_path):
    run = cprofd("--config", tmp_path / "no.conf", timeout=20)
    assert run.status in (1, USAGE)
    assert "no.conf" in complaint(run)


def test_status_of_the_command_is_passed_on(cprofd, tmp_path):
    busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; "
    for end, status in (("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 128 + 15),
                        ("kill -KILL $$", 128 + 9)):
        out = tmp_path / "x.pb.gz"
        run = cprofd("-o", out, "--", "sh", "-c", busy + end)
        assert run.status == status, run.stderr
        pprof_file.check(out)
        out.unlink()


def test_command_not_found(cprofd, tmp_path):
    run = cprofd("-o", tmp_path / "x.pb.gz", "--", "nosuchcmd-at-all")
    assert run.status in (1, 127), run.stderr
    assert "nosuchcmd-at-all" in complaint(run)
    assert not list(tmp_path.iterdir())


def test_command_keeps_its_streams(cprofd, tmp_path):
    """What the command prints goes where it would go without us, and nothing of ours is mixed in."""
    run = cprofd("--quiet", "-o", tmp_path / "x.pb.gz", "--", "sh", "-c",
                 "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo out; echo err >&2")
    assert run.status == 0
    assert run.stdout == b"out\n"
    assert run.stderr == "err\n"


def test_command_that_ends_at_once(cprofd, tmp_path):
    """No sample is no failure of the command: its status wins."""
    run = cprofd("-o", tmp_path / "x.pb.gz", "--", "sh", "-c", "exit 5")
    assert run.status == 5, run.stderr


@pytest.fixture
def anyones(cprofd, tmp_path_factory):
    """A copy of the build that nobody may execute."""
    folder = tmp_path_factory.mktemp("nobody")
    for parent in (folder, *folder.parents):
        if str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o055)
    for name in ("cprofd", "cprofd-symbolizer"):
        shutil.copy(cprofd.binary.parent / name, folder / name)
    return folder / "cprofd"


def test_without_root(anyones, start):
    target = start("idle")
    anyones.parent.chmod(0o777)  # where there is room for the file, so that only the right is missing
    for arguments in (["--pid", str(target.pid), "--seconds", "1"], ["--all", "--seconds", "1"]):
        done = subprocess.run([anyones, *arguments], capture_output=True, user=65534, group=65534,
                              extra_groups=[], cwd=anyones.parent, timeout=20, check=False)
        assert done.returncode == CANNOT_SAMPLE, done.stderr
        assert re.search(r"root|sudo|CAP_", done.stderr.decode()), done.stderr
        assert done.stdout == b""
    assert sorted(p.name for p in anyones.parent.iterdir()) == ["cprofd", "cprofd-symbolizer"]


def test_without_root_where_nothing_can_be_written(anyones):
    """The missing right is the remedy to name, not the directory."""
    for arguments in (["--all", "--seconds", "1"], ["--all", "--seconds", "1", "-o", "/root/x"]):
        done = subprocess.run([anyones, *arguments], capture_output=True, user=65534, group=65534,
                              extra_groups=[], cwd="/", timeout=20, check=False)
        assert done.returncode == CANNOT_SAMPLE, done.stderr
        assert re.search(r"root|CAP_", done.stderr.decode()), done.stderr


def test_ended_before_one_sample(cprofd, tmp_path):
    """Status 3, and no file without a sample; one that was there stays."""
    out = tmp_path / "p.pb.gz"
    out.write_bytes(b"of an earlier run")
    sleeper = subprocess.Popen(["sleep", "1"])
    run = cprofd("--pid", sleeper.pid, "--seconds", 20, "-o", out)
    sleeper.wait()
    if run.status == 0:  # it did use the CPU at a tick
        return
    assert run.status == NO_TARGET
    assert "before one sample" in complaint(run)
    assert out.read_bytes() == b"of an earlier run"
    assert list(tmp_path.iterdir()) == [out]


def test_command_gets_the_users_limits(cprofd, tmp_path):
    run = cprofd("-q", "-o", tmp_path / "p.pb.gz", "--", "sh", "-c", "ulimit -Sn",
                 preexec_fn=lambda: resource.setrlimit(
                     resource.RLIMIT_NOFILE, (123, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    assert run.status == 0, run.stderr
    assert run.stdout.strip() == b"123"


def test_few_descriptors(cprofd, start, tmp_path):
    """Files that cannot be held open cost their names, not the profile."""
    start("split_c", 30)
    run = cprofd("--all", "--seconds", 1, "-o", tmp_path / "all",
                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
    assert run.status == 0, run.stderr
    assert "samples" in run.stderr


def test_check_without_root(anyones):
    done = subprocess.run([anyones, "check"], capture_output=True, user=65534, group=65534,
                          extra_groups=[], cwd="/", timeout=20, check=False)
    assert done.returncode == CANNOT_SAMPLE
    assert re.search(r"root|sudo|CAP_", (done.stdout + done.stderr).decode())


def test_check(cprofd):
    run = cprofd("check")
    assert run.status == 0, run.stderr
    assert run.stdout.strip()


def test_check_json(cprofd):
    run = cprofd("check", "--json")
    assert run.status == 0, run.stderr
    assert isinstance(json.loads(run.stdout), dict)


def test_version_and_help(cprofd):
    assert re.fullmatch(rb"cprofd \d+\.\d+\.\d+\n", cprofd("--version").stdout)
    text = cprofd("--help").stdout.decode()
    for word in ("--pid", "--all", "--seconds", "--frequency", "--output", "--format", "--event",
                 "--no-kernel", "--quiet", "--config", "check"):
        assert word in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_default_name(cprofd, start, tmp_path):
    target = start("split_c", 30)
    run = cprofd("--pid", target.pid, "--seconds", 1, cwd=tmp_path)
    assert run.status == 0, run.stderr
    assert only_file(tmp_path).name == f"split_c.{target.pid}.cpu.pb.gz"
    assert only_file(tmp_path).stat().st_mode & 0o777 == 0o640


def test_standard_output(cprofd, start, tmp_path):
    target = start("split_c", 30)
    run = cprofd("--pid", target.pid, "--seconds", 1, "-o", "-", cwd=tmp_path)
    assert run.status == 0, run.stderr
    assert not list(tmp_path.iterdir())
    path = tmp_path / "x.pb.gz"
    path.write_bytes(run.stdout)
    assert pprof_file.check(path).cum("seventy") > 20


def test_folded(cprofd, start):
    target = start("split_c", 30)
    run = cprofd("--pid", target.pid, "--seconds", 1, "--format", "folded", "-o", "-")
    assert run.status == 0, run.stderr
    stacks = {}
    for line in run.stdout.decode().splitlines():
        m = re.fullmatch(r"([^;]+(?:;[^;]+)*) (\d+)", line)
        assert m, line
        stacks[m[1]] = stacks.get(m[1], 0) + int(m[2])  # other addresses, same names: two lines
    assert sum(n for stack, n in stacks.items() if ";main;one_round;seventy" in stack) > 20


def test_frequency(cprofd, start, tmp_path):
    target = start("split_c", 30)
    out = tmp_path / "x.pb.gz"
    run = cprofd("--pid", target.pid, "--seconds", 1, "--frequency", 400, "-o", out)
    assert run.status == 0, run.stderr
    p = pprof_file.check(out)
    assert p.period == 2_500_000
    expected = 400 * os.cpu_count()
    assert 0.8 * expected <= pprof_file.accounting(p)["expected"] <= 1.3 * expected


def test_quiet(cprofd, start, tmp_path):
    target = start("split_c", 30)
    run = cprofd("--quiet", "--pid", target.pid, "--seconds", 1, "-o", tmp_path / "x.pb.gz")
    assert run.status == 0
    assert run.stderr == ""


def test_cycles(cprofd, start, tmp_path):
    """Works where the host counts cycles, and says what is missing where it does not."""
    target = start("split_c", 30)
    out = tmp_path / "x.pb.gz"
    run = cprofd("--pid", target.pid, "--seconds", 1, "--event", "cycles", "-o", out)
    if run.status == CANNOT_SAMPLE:
        assert "cpu-clock" in run.stderr, "no remedy"
        assert not out.exists()
    else:
        assert run.status == 0, run.stderr
        assert pprof_file.check(out).cum("seventy") > 0
