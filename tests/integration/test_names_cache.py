# SPDX-License-Identifier: Apache-2.0
"""Names are kept on disk: the second run asks for nothing and has the same ones; and they are nobody else's."""

import re
import shutil
import subprocess
import time

import pytest

import pprof_file
from conftest import write_config
from cprofd_run import Targets, environment, finish, wait_until
from test_debug_files import inlined, stripped
from test_faults import symbolizers

# Few addresses, so that one second meets all of them.
SPIN = """
static inline __attribute__((always_inline)) void WORD_inner(void) { __asm__ volatile("pause"); }
__attribute__((noinline)) static void WORD(void) { for (;;) WORD_inner(); }
int main(void) { WORD(); return 1; }
"""
BUILD_ID = "0x6363636363636363636363636363636363636363"


@pytest.fixture
def env(tmp_path):
    return environment(CACHE_DIRECTORY=str(tmp_path / "cache"))


def spin(folder, word):
    """A program that spends its time in the function WORD. They all claim the same build id."""
    source, program = folder / f"{word}.c", folder / word
    source.write_text(SPIN.replace("WORD", word))
    subprocess.run(["gcc", "-O2", "-g", f"-Wl,--build-id={BUILD_ID}", "-o", program, source], check=True)
    return program


def record(cprofd, env, program, out, seconds=1):
    """Profiles PROGRAM: the profile, how many addresses were asked for, how many were kept, and the symbolizers that
    were seen meanwhile."""
    seen = set()
    with Targets(program.parent) as targets:
        target = targets.start(program.name)
        process = cprofd.popen("--pid", target.pid, "--seconds", seconds, "--frequency", 499, "-o", out, env=env)
        while process.poll() is None:
            seen |= set(symbolizers(process.pid))
            time.sleep(0.01)
        run = finish(process)
    assert run.status == 0, run.stderr
    profile = pprof_file.check(out)
    assert profile.total > 100
    counts = re.fullmatch(r"asked=(\d+) kept=(\d+) .*", profile.comment("symbolizer:"))
    return profile, int(counts[1]), int(counts[2]), seen


def named(profile):
    """What user frames are called, wherever they are."""
    return {(loc.mapping.build_id, tuple((line.function.name, line.function.system_name, line.function.filename,
                                          line.function.start_line, line.line) for line in loc.lines))
            for s in profile.samples for loc in s.locations if not loc.mapping.filename.startswith("[kernel")}


def test_the_second_run_asks_for_nothing(cprofd, env, tmp_path):
    program = spin(tmp_path, "seventy")
    first, asked, kept, seen = record(cprofd, env, program, tmp_path / "1.pb.gz", 2)
    assert asked > 0 and kept == 0 and seen
    second, asked_again, kept_again, seen_again = record(cprofd, env, program, tmp_path / "2.pb.gz")
    assert (asked_again, seen_again) == (0, set())
    assert 0 < kept_again <= asked
    assert second.cum("seventy") > 0.9 * second.total
    assert named(second) <= named(first)
    assert ("seventy_inner", "seventy") in {tuple(s.names()[:2]) for s in second.samples}


def test_what_the_daemon_learned_outlives_it(cprofd, env, tmp_path):
    """Also when it is killed: it saves after each window."""
    program = spin(tmp_path, "seventy")
    out = tmp_path / "profiles"
    with Targets(tmp_path) as targets:
        targets.start("seventy")
        daemon = cprofd.popen("--config", write_config(tmp_path, out, "2s"), env=env)
        wait_until(lambda: len(list(out.rglob("*.seventy.*.pb.gz"))) >= 2, what="two windows")
        daemon.kill()
        finish(daemon)
    profile, asked, kept, _ = record(cprofd, env, program, tmp_path / "p.pb.gz")
    assert kept > 0 and asked <= 2  # at 99 Hz one of the loop's addresses may not have been met
    assert profile.cum("seventy") > 0.9 * profile.total


def test_a_debug_file_that_turns_up_is_read(cprofd, env, tmp_path):
    program = stripped(tmp_path, "alone")
    away = tmp_path / "away"
    shutil.move(f"{program}.debug", away)
    for _ in range(2):
        profile, _, _, _ = record(cprofd, env, program, tmp_path / "p.pb.gz")
        assert profile.count(lambda s: s.names()[0].startswith("alone+0x")) > 0.9 * profile.total
    shutil.move(away, f"{program}.debug")
    for _ in range(2):
        profile, _, kept, _ = record(cprofd, env, program, tmp_path / "p.pb.gz")
        assert inlined(profile) > 0
        assert profile.cum("seventy") > 0.5 * profile.total
    assert kept > 0
    shutil.move(f"{program}.debug", away)
    profile, _, _, _ = record(cprofd, env, program, tmp_path / "p.pb.gz")
    assert profile.count(lambda s: s.names()[0].startswith("alone+0x")) > 0.9 * profile.total


@pytest.mark.parametrize("order", [("truth", "forged"), ("forged", "truth")])
def test_a_copied_build_id_names_nothing_of_others(cprofd, env, tmp_path, order):
    programs = [spin(tmp_path, word) for word in order]
    for _ in range(2):
        for program in programs:
            profile, _, _, _ = record(cprofd, env, program, tmp_path / "p.pb.gz")
            assert profile.cum(program.name) > 0.9 * profile.total
            other = order[1 - order.index(program.name)]
            assert not [n for s in profile.samples for n in s.names() if n.startswith(other)]


def test_a_program_built_anew_is_asked_about_anew(cprofd, env, tmp_path):
    """At the same path, with the same build id."""
    program = spin(tmp_path, "before")
    record(cprofd, env, program, tmp_path / "p.pb.gz")
    shutil.move(spin(tmp_path, "after"), program)
    profile, _, _, _ = record(cprofd, env, program, tmp_path / "p.pb.gz")
    assert profile.cum("after") > 0.9 * profile.total
    assert profile.cum("before") == 0


def test_what_is_damaged_is_made_anew(cprofd, env, tmp_path):
    program = spin(tmp_path, "seventy")
    first, _, _, _ = record(cprofd, env, program, tmp_path / "p.pb.gz", 2)
    for path in (tmp_path / "cache/names").iterdir():
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0x55
        path.write_bytes(data)
    again, asked, kept, _ = record(cprofd, env, program, tmp_path / "p.pb.gz")
    assert asked > 0 and kept == 0
    assert named(again) <= named(first)
    _, asked, kept, _ = record(cprofd, env, program, tmp_path / "p.pb.gz")
    assert kept > 0
