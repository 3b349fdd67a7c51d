# SPDX-License-Identifier: Apache-2.0
"""Stacks of programs without frame pointers are whole, as deep as they are, and say why where they are not."""

import shutil
import time

import pytest

import cprofd_run
import pprof_file
import stacks
from cprofd_run import profiles

WHOLE = 1000  # frames that are promised


def user_frames(sample):
    """Functions that called each other outside of the kernel, without those that were inlined."""
    return [loc for loc in sample.locations
            if not stacks.is_kernel(loc) and not loc.lines[-1].function.name.startswith("[")]


def at_the_bottom(profile):
    return [s for s in profile.samples if "at_the_bottom" in s.names()]


@pytest.fixture
def recording(cprofd, programs, tmp_path):
    """Profiles a test program for some seconds: recording("depth", 30) -> Profile."""

    def record(name, *args, hz=99, seconds=2):
        if not (programs / name).exists():
            pytest.skip(f"{name}: its compiler is not installed")
        out = tmp_path / "x.pb.gz"
        with cprofd_run.Targets(programs) as targets:
            target = targets.start(name, 60, *args)
            time.sleep(0.3)
            run = cprofd("--pid", target.pid, "-F", hz, "--seconds", seconds, "-o", out)
        assert run.status == 0, run.stderr
        return pprof_file.check(out)

    return record


# ---- depth ------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [10, 30, 100, 200, WHOLE])
def test_stacks_are_as_deep_as_they_are(recording, depth):
    profile = recording("depth", depth)
    bottom = at_the_bottom(profile)
    total = sum(s.count for s in bottom)
    assert total >= 20, "too few samples to say anything"
    assert total >= 0.9 * profile.total
    for s in bottom:
        assert stacks.why_cut(s) is None, stacks.short(s)
        assert len(user_frames(s)) == depth, stacks.short(s)
        assert stacks.outermost(s).lines[-1].function.name == "_start"
    for s in profile.samples:  # the clock is asked between two rounds
        assert "main" in s.names(), stacks.short(s)


def test_order_of_the_callers(recording):
    """Sixteen functions in a circle: each was called by the one before."""
    bottom = at_the_bottom(recording("depth", 200))
    assert bottom
    for s in bottom:
        numbers = [int(n.removeprefix("descend_")) for n in s.names() if n.startswith("descend_")]
        assert len(numbers) == 195
        assert numbers[-1] == 0
        for inner, outer in zip(numbers, numbers[1:]):
            assert inner == (outer + 1) % 16


def test_deeper_than_the_bound_says_depth(recording):
    """The leaf side is kept, and a frame on the outer side says what is missing and why."""
    bottom = at_the_bottom(recording("depth", 5000))
    assert bottom
    for s in bottom:
        assert stacks.why_cut(s) == "depth"
        assert s.names()[-1] == "[truncated: depth]"
        assert len(user_frames(s)) >= WHOLE


# ---- what languages do to a stack -------------------------------------------------------------


def cut_stacks(samples):
    return [stacks.short(s) for s in samples if stacks.why_cut(s)]


def is_odd(sample):
    """Says that it is whole, but ends in a function that should have a caller."""
    return not stacks.why_cut(sample) and not stacks.ends_at_known_root(sample)


def odd_stacks(samples):
    return [stacks.short(s) for s in samples if is_odd(s)]


# Before libgcc jumps to a landing pad it writes the registers of that function's frame over those that it has saved
# itself, its own return address included. For these dozen instructions of a throw nothing in memory tells where the
# frame of the function that seems to have called it lies.
LANDINGS_MAX = 2


def is_landing(sample):
    return is_odd(sample) and any(n.startswith("_Unwind_R") for n in sample.names()[:2])


# program: a function far in, and one that has called it, on the other side of exceptions, panics or languages.
LANGUAGES = {"throw": ("::fall(", "::exceptions()"),
             "garbage": ("inC", "main.oneRound"),
             "panics": ("panics::fall", "panics::one_round")}


# Before the walker in the kernel knows the process (some hundredths of a second), C code that Go calls shows
# without the goroutine, whose stack is another one: at so many samples.
FIRST_CGO_SAMPLES = 40


def is_first_cgo(sample):
    return stacks.why_cut(sample) and "runtime.asmcgocall" in sample.names()


@pytest.mark.parametrize("program", LANGUAGES)
def test_languages(recording, program):
    """Exceptions and panics in flight, garbage collection, cgo, alloca, callbacks."""
    inner, outer = LANGUAGES[program]
    profile = recording(program, hz=499)
    assert profile.total >= 200
    assert profile.count(is_first_cgo) <= FIRST_CGO_SAMPLES
    cut = profile.count(lambda s: stacks.why_cut(s) is not None and not is_first_cgo(s))
    assert cut <= 0.005 * profile.total + 2, cut_stacks(profile.samples)[:5]
    assert profile.count(is_landing) <= LANDINGS_MAX
    walked = [s for s in profile.samples if not is_landing(s)]
    assert not odd_stacks(walked)
    below = [s for s in walked if any(inner in n for n in s.names())]
    assert sum(s.count for s in below) >= 20
    for s in below:
        assert stacks.why_cut(s) or any(outer in n for n in s.names()), stacks.short(s, 6)


def test_go_called_by_c_called_by_go(recording):
    """The goroutine that caused it is there, however often the stack changes between the languages."""
    profile = recording("garbage", hz=499)
    assert profile.count(is_first_cgo) <= FIRST_CGO_SAMPLES
    back = [s for s in profile.samples if "main.fromC" in s.names() and not is_first_cgo(s)]
    assert back
    for s in back:
        names = s.names()
        assert "inC" in names and "main.oneRound" in names, stacks.short(s, 6)


def test_stripped_programs_of_the_system(cprofd, tmp_path):
    """A program that the tests did not build, without symbols, from its exec to its end."""
    xz = shutil.which("xz") or pytest.skip("no xz")
    out = tmp_path / "profiles"
    run = cprofd("-F", 499, "-q", "-o", f"{out}/", "--", "sh", "-c",
                 f"for i in 1 2 3; do {xz} -3 -c {cprofd.binary} >/dev/null; done")
    assert run.status == 0, run.stderr
    samples = [s for p in profiles(out).values() for s in p.samples if s.labels["comm"] == "xz"]
    total = sum(s.count for s in samples)
    assert total >= 20, "too few samples to say anything"
    assert sum(s.count for s in samples if stacks.why_cut(s)) <= 0.01 * total, cut_stacks(samples)[:5]
    assert not odd_stacks(samples)


# ---- short lives ------------------------------------------------------------------------------


def test_first_samples_are_whole(cprofd, programs, tmp_path):
    """Processes of 20 ms, two samples each: as right as others, the first sample too."""
    out = tmp_path / "profiles"
    run = cprofd("-q", "-o", f"{out}/", "--", programs / "shortlived", 4)
    assert run.status == 0, run.stderr
    samples = [s for p in profiles(out).values() for s in p.samples if "short_work" in s.names()]
    assert len({s.number("pid") for s in samples}) >= 50
    for s in samples:
        assert s.labels["comm"] == "shortlived"
        assert "main" in s.names() and stacks.ends_at_known_root(s), stacks.short(s)
