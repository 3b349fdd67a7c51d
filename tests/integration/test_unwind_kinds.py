# SPDX-License-Identifier: Apache-2.0
"""Every kind of code: the same few callers, compiled, linked, started and loaded in many ways.

All programs of tests/programs/kinds/ run at once while one recording is made; each has its own test.
"""

import collections
import os
import re
import shutil
import subprocess
import time

import pytest

import cprofd_run
import stacks

HZ = 299
SECONDS = 12
ENOUGH = 10  # samples of a program to say something
# Samples until the kernel's walker knows of the process: a tenth of a second.
AT_FIRST = HZ // 10

# In what follows a name may be a regular expression behind "~", ANY, or MORE: any number of functions.
ANY = "~"
MORE = "..."
RESTORER = "~__restore_rt|libc"  # named where there is a symbol table for it
START = ("main", ANY, ANY, "_start")  # glibc, dynamic or not
MUSL_START = ("main", ANY, "_start")
CHAIN = ("work", "inner", "outer", *START)
FRAMES = ("work", "of_any_size", "aligned", "both", "many", "pushes", "large", *START)
TAIL = ("work", "inner", *START)
THREAD = ("work", "inner", "outer", "runs", ANY, "~clone")
PLT = ("call_often", *START)
JIT = ("[anonymous code]", "call_made", *START)
CLONED = ("work", "inner", "outer", "child")


class Kind:
    """A program, and who called whom in it, leaf first.

    The stacks with the first function of CHAIN in them are CHAIN, with at most LEAD functions inside of it. The
    others end as CHAIN does, in its last ROOT functions. HANDLERS stand on top of all that. CHILD: what is meant is
    the process that the program makes. TWIN: the program with the same code and with names. AT_FIRST: how the stacks
    of the first moments may be cut.
    """

    def __init__(self, chain, program=None, *args, lead=0, root=4, handlers=(), child=False, twin=None,
                 at_first=None):
        self.chain, self.program, self.args, self.lead, self.root = chain, program, args, lead, root
        self.handlers, self.child, self.twin, self.at_first = handlers, child, twin, at_first


SAME = {
    CHAIN: "pie no_pie static static_pie one_segment no_hdr gold lld lld_one_segment mold mold_static"
           " large_model clang_pie no_info no_info_fp no_info_clang debug_frame debug_frame_gz gz",
    FRAMES: "frames frames_size frames_realigned frames_pushed frames_accumulated"
            " frames_protected frames_clang frames_clang_realigned frames_clang_size no_info_frames"
            " debug_frame_frames",
    TAIL: "tail tail_clang",
}
KINDS = {name: Kind(chain) for chain, names in SAME.items() for name in names.split()}
KINDS |= {name: Kind(PLT, lead=1) for name in (
    "plt_lazy", "plt_now", "plt_ibt_lazy", "plt_ibt_now", "plt_gold", "plt_lld", "plt_lld_ibt", "plt_mold")}
KINDS |= {
    # Where burn() is a function of its own.
    "frames_plain": Kind(FRAMES, lead=1),
    "frames_omitted": Kind(FRAMES, lead=1),
    "musl": Kind(("work", "inner", "outer", *MUSL_START), root=3),
    "musl_static": Kind(("work", "inner", "outer", *MUSL_START), root=3),
    "huge": Kind(("work", "huge_inner", "huge_outer", *START)),
    "stripped": Kind(CHAIN, twin="pie"),
    "no_sections": Kind(CHAIN, twin="pie"),
    "cold": Kind(("split", *START), lead=1),
    "vdso": Kind(("ask", "asks", *START), lead=3),
    "coroutine": Kind(("work", r"~works\(", "resume", r"~resumes\(", "resume", *START)),
    "chain_rs": Kind(("chain_rs::work", "chain_rs::inner", "chain_rs::main::{{closure}}", "chain_rs::outer",
                      "chain_rs::main", MORE, *START)),
    "chain_ml": Kind(("~camlChain__work", "~camlChain__inner", "~camlChain__outer", "~camlChain__fun",
                      "~camlStdlib__List__iter", "~camlChain__entry", MORE, *START)),
    "signals": Kind(CHAIN, "signals", "normal", handlers=("handle", "on_first", RESTORER)),
    # The interrupted stack does not come with a sample that user space has to walk.
    "signals_alternate": Kind(CHAIN, "signals", "alternate", handlers=("handle", "on_first", RESTORER),
                              at_first="stack unreadable"),
    "signals_nested": Kind(CHAIN, "signals", "nested",
                           handlers=("handle", "on_second", RESTORER, "~kill", "on_first", RESTORER)),
    "ucontext": Kind(("work", "inner", "outer", "other_stack", "~__start_context|libc"), root=2),
    # The first change to a stack returns to the start of a function, which no call precedes.
    "fiber": Kind(("work", "inner", "outer", "other_stack"), root=1, at_first="implausible caller"),
    "boost_fiber": Kind(("work", "on_the_fiber", "~fiber_entry", "make_fcontext"), root=2),
    "thread": Kind(THREAD, "thread", "started", root=2),
    "thread_small": Kind(THREAD, "thread", "small", root=2),
    "thread_alone": Kind(THREAD, "thread", "alone", root=2),
    "clone": Kind((*CLONED, "~clone"), "clone", "clone", child=True, root=2),
    "clone_raw": Kind((*CLONED, "raw_clone"), "clone", "raw", child=True, root=2),
    "vfork": Kind((*CLONED, *START), "clone", "vfork", child=True),
    "fork": Kind((*CLONED, *START), "clone", "fork", child=True),
    "jit": Kind(JIT, "jit", "frame"),
    # Where it was called from is found by the instruction there, which user space does not see.
    "jit_without": Kind(JIT, "jit", "none", at_first="no unwind info"),
    "jit_protect": Kind(JIT, "jit", "protect"),
    "jit_back": Kind(("work", *JIT), "jit", "back"),
}
OTHERS = {"m32": ("m32",), "deep_throw": ("deep_throw", 120)}


# ---- what was recorded ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def kinds_dir(build_dir):
    """The folder of the programs, built."""
    out = build_dir / "tests" / "kinds"
    subprocess.run([cprofd_run.TESTS / "programs" / "build-kinds", out], check=True)
    return out


@pytest.fixture
def need(kinds_dir):
    """Skips the test where a program could not be built: need("mold")."""
    lines = (kinds_dir / "missing").read_text().splitlines()
    missing = dict(line.split(" ", 1) for line in lines)

    def check(name):
        if name in missing:
            pytest.skip(f"{name}: {missing[name]}")

    return check


def samples_by_pid(folder):
    by_pid = collections.defaultdict(list)
    for profile in cprofd_run.profiles(folder).values():
        for s in profile.samples:
            by_pid[s.number("pid")].append(s)
    return by_pid


@pytest.fixture(scope="module")
def recorded(cprofd, kinds_dir, tmp_path_factory):
    """The samples of each program: name -> samples."""
    out = tmp_path_factory.mktemp("kinds")
    pids = {}
    with cprofd_run.Targets(kinds_dir) as targets:
        for name, kind in KINDS.items():
            program = kind.program or name
            if (kinds_dir / program).exists():
                pids[name] = targets.start(program, 120, *kind.args).pid
        for name, argv in OTHERS.items():
            if (kinds_dir / argv[0]).exists():
                pids[name] = targets.start(*argv).pid
        for name, kind in KINDS.items():
            if kind.child and name in pids:
                pids[name] = cprofd_run.wait_until(lambda pid=pids[name]: cprofd_run.children(pid),
                                                   what=f"child of {name}")[0]
        time.sleep(1)
        try:
            run = cprofd("--all", "-F", HZ, "--seconds", SECONDS, "-o", out)
        finally:
            for name, kind in KINDS.items():
                if kind.child and name in pids:
                    os.kill(pids[name], 9)
    assert run.status == 0, run.stderr
    by_pid = samples_by_pid(out)
    return {name: by_pid[pid] for name, pid in pids.items()}


def user_names(sample):
    """The functions outside of the kernel that are no inlined ones, leaf first."""
    return [loc.lines[-1].function.name for loc in sample.locations if not stacks.is_kernel(loc)]


def matches(name, wanted):
    return bool(re.search(wanted[1:], name)) if wanted.startswith("~") else name == wanted


def same(names, chain):
    """Whether NAMES are those of CHAIN, one by one."""
    if MORE in chain:
        at = chain.index(MORE)
        rest = chain[at + 1:]
        return (len(names) >= len(chain) - 1 and same(names[:at], chain[:at]) and
                same(names[len(names) - len(rest):], rest))
    return len(names) == len(chain) and all(map(matches, names, chain))


def is_right(names, kind):
    # The handlers as a whole, or one on its way there: what it has called, itself, and where it returns to.
    if kind.handlers:
        n = len(kind.handlers)
        if same(names[:n], kind.handlers):
            return is_right(names[n:], kind)
        if names and matches(names[0], RESTORER):
            return is_right(names[1:], kind)
        for i in range(len(names) - 1, 0, -1):
            if same(names[i - 1:i + 1], kind.handlers[-2:]):
                return kind.handlers[0] not in names and is_right(names[i + 1:], kind)
    for i, name in enumerate(names):
        if matches(name, kind.chain[0]):
            return i <= kind.lead and same(names[i:], kind.chain)
    # Calls the clock, say, or is between two calls; on its own stack, or on the first.
    return same(names[-kind.root:], kind.chain[-kind.root:]) or same(names[-len(START):], START)


def symbols(path):
    """The functions of the program at PATH: sorted (address, name)."""
    text = subprocess.run(["nm", "--defined-only", path], check=True, capture_output=True, text=True).stdout
    return sorted((int(a, 16), name) for a, kind, name in (line.split() for line in text.splitlines())
                  if kind in "tT")


def named_by_twin(names, functions):
    """Gives those that are file+0xoffset the names that another file with the same code has for them."""
    out = []
    for name in names:
        found = re.fullmatch(r"(stripped|no_sections)\+0x([0-9a-f]+)", name)
        if found:
            at = int(found[2], 16)
            name = [f for a, f in functions if a <= at][-1]
        out.append(name)
    return out


def check_cut(samples, kind):
    """None is, but while the collector lags behind all the new processes, when it gets a page of each stack."""
    reasons = {"stack copy ended", kind.at_first}
    cut = [s for s in samples if stacks.why_cut(s)]
    for s in cut:
        assert stacks.why_cut(s) in reasons, stacks.short(s, 8)
    assert sum(s.count for s in cut) <= (AT_FIRST if kind.at_first else 5)


@pytest.mark.parametrize("name", KINDS)
def test_callers(need, recorded, kinds_dir, name):
    kind = KINDS[name]
    need(kind.program or name)
    samples = recorded[name]
    total = sum(s.count for s in samples)
    assert total >= ENOUGH, "too few samples to say anything"
    check_cut(samples, kind)
    functions = symbols(kinds_dir / kind.twin) if kind.twin else None
    in_chain = 0
    for s in samples:
        names = user_names(s)
        if kind.twin:
            names = named_by_twin(names, functions)
        assert stacks.why_cut(s) or is_right(names, kind), " < ".join(names)
        if any(matches(n, kind.chain[0]) for n in names):
            in_chain += s.count
    assert in_chain >= 0.1 * total


@pytest.mark.parametrize("name", [n for n in KINDS if n.startswith("plt_")])
def test_samples_in_the_plt(need, recorded, name):
    """That there are any, so that the test above says something of it."""
    need(name)
    inside = sum(s.count for s in recorded[name]
                 if user_names(s)[1:2] == ["call_often"] and user_names(s)[0] != "callee")
    assert inside >= 3


def test_programs_of_32_bits(need, recorded):
    """Say where they are and that there is more."""
    need("m32")
    assert sum(s.count for s in recorded["m32"]) >= ENOUGH
    for s in recorded["m32"]:
        names = user_names(s)
        # The entry has no caller.
        assert names == ["_start"] or names[:1] in (["work"], ["_start"]) and \
            stacks.why_cut(s) == "32-bit process", stacks.short(s)


def test_exceptions_through_many_calls(need, recorded):
    """libgcc is half way through 300 frames, which it takes apart meanwhile."""
    need("deep_throw")
    samples = recorded["deep_throw"]
    total = sum(s.count for s in samples)
    assert total >= ENOUGH
    assert sum(s.count for s in samples if stacks.why_cut(s)) <= 0.002 * total + 2
    for s in samples:
        names = user_names(s)
        if not stacks.why_cut(s):
            assert same(names[-4:], START), " < ".join(names)
            assert names.count("descend") <= 301
        if "descend" in names and not stacks.why_cut(s):
            assert names[-5] == "catches"
            first = names.index("descend")
            assert set(names[first:-5]) == {"descend"}, " < ".join(names)


# ---- what happens to a program while it runs --------------------------------------------------


@pytest.fixture(scope="module")
def lives(cprofd, kinds_dir, tmp_path_factory):
    """The samples of programs whose files or mappings change: name -> samples. By comm: a shell and what it runs."""
    folder = tmp_path_factory.mktemp("copies")
    out = tmp_path_factory.mktemp("lives")

    def copy(program, name):
        shutil.copy(kinds_dir / program, folder / name)
        return folder / name

    with cprofd_run.Targets(kinds_dir) as targets:
        pids = {
            "deleted": targets.start(copy("pie", "deleted"), 60).pid,
            "deleted_late": targets.start(copy("no_pie", "deleted_late"), 60).pid,
            "replaced": targets.start(copy("pie", "replaced"), 60).pid,
            "replaced_late": targets.start(copy("frames", "replaced_late"), 60).pid,
            "memfd": targets.start("memfd", 60, kinds_dir / "pie").pid,
            "reload": targets.start("reload", 60, kinds_dir / "libone_work.so", "one_work_outer",
                                    kinds_dir / "libtwo_work.so", "two_work_outer").pid,
        }
        reuse = targets.start("pid_reuse", 60, kinds_dir / "pie", kinds_dir / "frames", kinds_dir / "static")
        pids["reused"] = int(reuse.process.stdout.readline())
        loop = f"while :; do {kinds_dir}/static 0.01; {kinds_dir}/pie 0.01; done"
        targets.start("/bin/sh", "-c", loop)
        time.sleep(0.5)
        (folder / "deleted").unlink()
        copy("frames", "new").rename(folder / "replaced")
        running = cprofd.popen("--all", "-F", HZ, "--seconds", 6, "-o", out)
        time.sleep(2)
        pids["memfd_late"] = targets.start("memfd", 60, kinds_dir / "pie").pid
        (folder / "deleted_late").unlink()
        copy("pie", "new").rename(folder / "replaced_late")
        run = cprofd_run.finish(running)
    assert run.status == 0, run.stderr
    by_pid = samples_by_pid(out)
    found = {name: by_pid[pid] for name, pid in pids.items()}
    for comm in ("pie", "static"):
        found[f"looped {comm}"] = [s for pid, samples in by_pid.items() for s in samples
                                   if pid != pids["reused"] and s.labels["comm"] == comm]
    return found


@pytest.mark.parametrize("name", ["deleted", "deleted_late", "replaced", "replaced_late", "memfd", "memfd_late"])
def test_files_that_change(lives, name):
    """Deleted, replaced by another, or never there: before the recording and during it."""
    kind = Kind(FRAMES if name == "replaced_late" else CHAIN)
    assert sum(s.count for s in lives[name]) >= ENOUGH
    for s in lives[name]:
        # What has just begun is in exec and in the dynamic linker first.
        assert not stacks.why_cut(s), stacks.short(s, 8)
        assert is_right(user_names(s), kind) or name == "memfd_late" and "work" not in s.names(), stacks.short(s, 8)


def samples_with(samples, name, enough):
    found = [s for s in samples if name in s.names()]
    assert sum(s.count for s in found) >= enough, f"samples with {name}"
    return found


def test_process_ids_that_are_used_again(lives):
    """One pid, three programs in turn: each with its own functions."""
    chains = {"pie": CHAIN, "static": CHAIN, "frames": FRAMES}
    for comm, chain in chains.items():
        samples = [s for s in lives["reused"] if s.labels["comm"] == comm]
        for s in samples_with(samples, "work", ENOUGH):
            assert is_right(user_names(s), Kind(chain)), stacks.short(s, 8)
    total = sum(s.count for s in lives["reused"])
    # Some 25 times exec, with the odd sample in the midst of it.
    assert sum(s.count for s in lives["reused"] if stacks.why_cut(s)) <= 0.01 * total + 1


@pytest.mark.parametrize("comm", ["pie", "static"])
def test_short_lives_from_a_shell(lives, comm):
    """10 ms each: all have a few samples at most, the first as good as any."""
    samples = lives[f"looped {comm}"]
    for s in samples_with(samples, "work", ENOUGH):
        assert is_right(user_names(s), Kind(CHAIN)), stacks.short(s, 8)
    total = sum(s.count for s in samples)
    assert sum(s.count for s in samples if stacks.why_cut(s)) <= 0.01 * total + 1


def test_library_in_the_place_of_another(lives):
    """Unloaded, and another loaded at the same address, every 100 ms: never one with the other's rules."""
    cut = 0
    for which in ("one", "two"):
        chain = (f"{which}_work", f"{which}_work_inner", f"{which}_work_outer", "use", *START)
        for s in samples_with(lives["reload"], f"{which}_work", ENOUGH):
            if stacks.why_cut(s):
                cut += s.count
            else:
                assert is_right(user_names(s), Kind(chain)), stacks.short(s, 8)
    assert cut <= 0.005 * sum(s.count for s in lives["reload"])
