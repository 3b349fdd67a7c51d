# SPDX-License-Identifier: Apache-2.0
"""Processes that change, lie or are too many while cprofd runs: others keep their stacks, memory is bounded,
and what was not done is counted."""

import os
import re
import shutil
import subprocess
import time

import pytest

import cprofd_run
import pprof_file
import stacks
from cprofd_run import assert_share
from test_hostile_unwind import MEMORY_MAX_MIB, high_water_mib

SECONDS = 2

# At 999 Hz up to 64 MiB of samples may wait for their tables besides (UNWINDING_PARKED_BYTES_MAX).
MEMORY_FAST_MAX_MIB = MEMORY_MAX_MIB + 64

# How a sample says that it was taken while the collector had too much to do: its stack did not fit into the
# ring, or not into the memory for those that wait for a table.
LAGGED = ("stack unreadable", "no unwind info", "stack copy ended")


@pytest.fixture
def beside(cprofd, programs, tmp_path):
    """Profiles the host while split_c runs, and START(targets), which starts what is hostile to it, before
    split_c where FIRST: beside(start) -> Recording, MiB."""

    def record(start, hz=99, seconds=SECONDS, first=False):
        out = tmp_path / "out"
        env = cprofd_run.environment(CACHE_DIRECTORY=str(tmp_path / "cache"))
        with cprofd_run.Targets(programs) as targets:
            if first:
                start(targets)
                time.sleep(0.3)
            targets.start("split_c", 60)
            if not first:
                start(targets)
            time.sleep(0.5)
            process = cprofd.popen("--all", "-F", hz, "--seconds", seconds, "-o", out, env=env)
            highest = 0
            while process.poll() is None:
                highest = max(highest, high_water_mib(process.pid))
                time.sleep(0.02)
            run = cprofd_run.finish(process, 60)
            assert run.status == 0, run.stderr
            return cprofd_run.Recording(out, run, dict(targets.by_name), seconds), highest

    return record


def unwinding(recording):
    """The numbers of the comment about tables."""
    text = next(iter(recording.profiles.values())).comment("unwinding:")
    return {key: int(n) for key, n in re.findall(r"(\w+)=(\d+)", text)} | {
        "kib": int(re.search(r"\((\d+) KiB\)", text).group(1))}


def check_others(recording, highest, capsys, what, n_cut_max=0.0):
    """What holds whatever other processes do, as in test_hostile_unwind. Of split_c's stacks N_CUT_MAX, a
    share, may be cut, where the collector lagged."""
    account = pprof_file.accounting(next(iter(recording.profiles.values())))
    victim = recording.of("split_c")
    cut = [s for s in victim.samples if stacks.why_cut(s)]
    n_cut = sum(s.count for s in cut)
    with capsys.disabled():
        print(f"\n{what}: {highest:.0f} MiB, split_c {n_cut} of {victim.total} cut, {account}, "
              f"{unwinding(recording)}")
    assert account["kept"] == sum(p.total for p in recording.profiles.values())
    assert account["lost"] - account.get("lost.missed", 0) <= 0.001 * account["expected"]
    assert highest <= MEMORY_FAST_MAX_MIB
    assert victim.total >= 10
    assert_share(victim.cum("seventy"), victim.total, 0.7, "seventy")
    assert n_cut <= n_cut_max * victim.total, [stacks.short(s) for s in cut[:3]]
    for s in cut:
        assert stacks.why_cut(s) in LAGGED, stacks.short(s)


def build_id(path):
    notes = subprocess.run(["readelf", "-n", path], capture_output=True, text=True, check=True).stdout
    return re.search(r"Build ID: (\w+)", notes).group(1)


@pytest.mark.parametrize("first", [False, True])
def test_build_id_of_another(beside, programs, tmp_path, capsys, first):
    """A library says that it is the C library; whichever of the two is met first."""
    libc = os.path.realpath("/lib/x86_64-linux-gnu/libc.so.6")
    library = tmp_path / "libspoof.so"
    source = cprofd_run.TESTS / "programs" / "hostile_library.c"
    subprocess.run(["gcc", "-O1", "-g", "-shared", "-fPIC", "-fomit-frame-pointer", "-o", library, source,
                    f"-Wl,--build-id=0x{build_id(libc)}"], check=True)
    assert build_id(library) == build_id(libc)
    recording, highest = beside(lambda t: t.start("hostile_maps", 60, "library", library), first=first)
    check_others(recording, highest, capsys, f"spoofed build id, first={first}")
    spoofer = recording.of("hostile_maps")
    cut = [s for s in spoofer.samples if stacks.why_cut(s)]
    assert not cut, [stacks.short(s) for s in cut[:3]]
    assert spoofer.cum("spoofed") >= 0.9 * spoofer.total
    assert not recording.of("split_c").cum("spoofed")


@pytest.mark.parametrize("n_addresses", [1, 30_000])
def test_maps_and_unmaps(beside, capsys, n_addresses):
    """Executable pages come and go a hundred thousand times a second, at one place or at many."""
    recording, highest = beside(lambda t: t.start("hostile_maps", 60, "churn", n_addresses), hz=999)
    check_others(recording, highest, capsys, f"churn at {n_addresses}", 0.2)
    hostile = recording.of("hostile_maps")
    cut = sum(s.count for s in hostile.samples if stacks.why_cut(s))
    assert cut <= 0.05 * hostile.total


def test_stack_that_is_truncated(beside, capsys):
    recording, highest = beside(lambda t: t.start("hostile_maps", 60, "truncated"), hz=999)
    check_others(recording, highest, capsys, "truncated stack", 0.01)


@pytest.mark.parametrize("n", [2100, 32_000])
def test_mappings_around_the_limit(beside, capsys, n):
    """Up to what a list in the kernel holds, and beyond."""
    recording, highest = beside(lambda t: t.start("hostile_maps", 60, "mappings", n))
    check_others(recording, highest, capsys, f"{n} mappings", 0.0 if n < 10_000 else 0.2)
    hostile = recording.of("hostile_maps")
    whole = sum(s.count for s in hostile.samples if not stacks.why_cut(s))
    assert whole >= 0.99 * hostile.total


def distinct(program, folder, n):
    """N copies of PROGRAM, each another file with another build id."""
    whole = bytearray(program.read_bytes())
    at = whole.index(b"GNU\0" + bytes.fromhex(build_id(program))) + 4
    out = []
    for i in range(n):
        whole[at:at + 4] = i.to_bytes(4, "little")
        path = folder / f"{program.name}{i}"
        path.write_bytes(whole)
        path.chmod(0o755)
        out.append(path)
    return out


def test_storm_of_programs(beside, tmp_path, capsys):
    """A thousand different programs, each for a moment."""
    folder = tmp_path / "storm"
    folder.mkdir()
    source = folder / "one.c"
    # 4 ms of CPU on any machine: four samples.
    source.write_text("#include <time.h>\n"
                      "int main(void) { while (clock() < 4000) for (volatile int i = 0; i < 9999; i++) {} return 0; }\n")
    program = folder / "one"
    subprocess.run(["gcc", "-O1", "-Wl,--build-id=sha1", "-o", program, source], check=True)
    programs = distinct(program, folder, 1000)
    storm = []

    def start(_):
        script = folder / "storm.sh"
        script.write_text("sleep 0.8\n" + "\n".join(str(p) for p in programs) + "\n")
        storm.append(subprocess.Popen(["sh", script]))

    try:
        recording, highest = beside(start, hz=999, seconds=6)
    finally:
        storm[0].kill()
        storm[0].wait()
    check_others(recording, highest, capsys, "storm of programs", 0.01)
    numbers = unwinding(recording)
    assert numbers["kib"] <= 12 << 10
    cached = sum(f.stat().st_size for f in (tmp_path / "cache").rglob("*") if f.is_file())
    assert cached <= 256 << 20
    others = [p for path, p in recording.profiles.items() if re.search(r"one\d", path.name)]
    n = sum(p.total for p in others)
    cut = sum(s.count for p in others for s in p.samples if stacks.why_cut(s))
    with capsys.disabled():
        print(f"storm: {len(others)} files, {cut} of {n} stacks cut, cache {cached >> 10} KiB")
    # How many there were in that time is the machine's business; many are seen in the kernel only.
    assert len(others) >= 50 and numbers["built"] >= 0.5 * len(others)
    assert cut <= 0.02 * n


def test_more_tables_than_memory(beside, tmp_path, capsys):
    """Programs in use whose tables do not fit together."""
    folder = tmp_path / "large"
    folder.mkdir()
    source = folder / "large.c"
    source.write_text(r"""
__asm__(".text\n.rept 40000\n.cfi_startproc\npush %rbx\n.cfi_adjust_cfa_offset 8\nsub $48, %rsp\n"
	".cfi_adjust_cfa_offset 48\nadd $48, %rsp\n.cfi_adjust_cfa_offset -48\npop %rbx\n"
	".cfi_adjust_cfa_offset -8\nret\n.cfi_endproc\n.endr\n");
int main(void) { for (volatile long i = 0;; i++) {} }
""")
    program = folder / "large"
    subprocess.run(["gcc", "-O1", "-Wl,--build-id=sha1", "-o", program, source], check=True)
    running = []

    def start(_):
        running.extend(subprocess.Popen(["nice", p]) for p in distinct(program, folder, 60))

    try:
        recording, highest = beside(start, hz=999, seconds=4)
    finally:
        for process in running:
            process.kill()
            process.wait()
    shutil.rmtree(folder)
    check_others(recording, highest, capsys, "more tables than memory", 1.0)
    numbers = unwinding(recording)
    assert numbers["kib"] <= 12 << 10
    assert numbers["refused"] + numbers["evicted"] > 0
    victim = recording.of("split_c")
    assert sum(s.count for s in victim.samples if stacks.why_cut(s)) <= 0.01 * victim.total
