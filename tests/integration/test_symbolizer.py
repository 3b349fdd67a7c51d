# SPDX-License-Identifier: Apache-2.0
"""cprofd-symbolizer on real files: the same names, lines and inline chains as llvm-symbolizer.

Speaks the worker's protocol (daemon/ipc/frame.h, messages.h) over a socket pair, as the collector does.
"""

import array
import os
import random
import re
import shutil
import struct
import subprocess
import time
import zlib

import pytest

from symbolizer_worker import (MAGIC, SOURCE_DWARF, SOURCE_FDE, SOURCE_NONE, SOURCE_SYMTAB, SYMBOLIZE, WORKER, Failed,
                               Worker, alias_names, llvm, ours_as_chain, random_code, same_chain,
                               text_section)


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not installed")


@pytest.fixture
def worker():
    w = Worker()
    yield w
    assert w.close() == 0


SOURCE = r"""
#include <cstdlib>
namespace ns {
struct S {
	volatile int field;
	inline __attribute__((always_inline)) int leaf(int x)
	{
		field = field + x;
		field = field * 3 + 1;
		return field;
	}
};
template <typename T> inline __attribute__((always_inline)) int middle(T &s, int x)
{
	int y = s.leaf(x + 1);
	s.field = y;
	return y * 2 + s.field;
}
}
__attribute__((noinline)) int outer(int n)
{
	ns::S s = {n};
	int sum = 0;
	auto lambda = [&](int k) __attribute__((noinline)) {
		s.field = k;
		return s.field + ns::middle(s, k);
	};
	for (int i = 0; i < n; i++)
		sum += ns::middle(s, i);
	return sum + lambda(n);
}
int main(int argc, char **)
{
	return outer(argc) == 42 ? 1 : 0;
}
"""

VARIANTS = {
    "gcc": ["g++", "-O2", "-g"],
    "clang-no-aranges": ["clang++", "-O2", "-g"],
    "clang-g1": ["clang++", "-O2", "-g1"],
    "gcc-g1": ["g++", "-O2", "-g1"],
    "gcc-dwarf4": ["g++", "-O2", "-g", "-gdwarf-4"],
    "gcc-dwarf5": ["g++", "-O2", "-g", "-gdwarf-5"],
    "clang-dwarf4": ["clang++", "-O2", "-g", "-gdwarf-4"],
    "clang-dwarf5": ["clang++", "-O2", "-g", "-gdwarf-5"],
    "gcc-dwarf2": ["g++", "-O2", "-g", "-gdwarf-2", "-gstrict-dwarf"],
    "gcc-dwarf3": ["g++", "-O2", "-g", "-gdwarf-3"],
    "gcc-dwarf64": ["g++", "-O2", "-g", "-gdwarf64"],
    "clang-dwarf64": ["clang++", "-O2", "-g", "-gdwarf-5", "-gdwarf64"],
    "types": ["g++", "-O2", "-g", "-fdebug-types-section"],
    "clang-lto": ["clang++", "-O2", "-g", "-flto", "-fuse-ld=lld"],
    "discarded": ["clang++", "-O2", "-g", "-ffunction-sections", "-fuse-ld=lld", "-Wl,--gc-sections"],
    "folded": ["clang++", "-O2", "-g", "-ffunction-sections", "-fuse-ld=lld", "-Wl,--icf=all"],
    "zlib": ["g++", "-O2", "-g", "-gz=zlib"],
    "zlib-gnu": ["g++", "-O2", "-g", "-gz=zlib-gnu"],
    "static": ["g++", "-O2", "-g", "-static"],
    "static-pie": ["g++", "-O2", "-g", "-static-pie"],
    "no-pie": ["g++", "-O2", "-g", "-no-pie"],
    "sections": ["g++", "-O2", "-g", "-ffunction-sections"],
    "lto": ["g++", "-O2", "-g", "-flto"],
    "no-optimization": ["g++", "-O0", "-g"],
}


def build_cpp(tmp_path, flags):
    need(flags[0])
    source = tmp_path / "program.cc"
    source.write_text(SOURCE)
    program = tmp_path / "program"
    subprocess.run([*flags, "-o", program, source], check=True)
    return str(program)


def code_of(path, pattern):
    """Every address of the functions whose mangled name matches PATTERN."""
    out = subprocess.run(["nm", "-S", path], capture_output=True, text=True, check=True).stdout
    vaddrs = []
    for m in re.finditer(r"^(\w+) (\w+) [tTwW] (\S+)$", out, re.M):
        if re.search(pattern, m.group(3)):
            vaddrs += range(int(m.group(1), 16), int(m.group(1), 16) + int(m.group(2), 16))
    assert vaddrs
    return sorted(set(vaddrs))


def compare(worker, path, vaddrs, debug=None, oracle_path=None, names=True, **kw):
    text = text_section(path)
    offs = [v - text.vaddr + text.off for v in vaddrs]
    addrs, ignored = worker.symbolize(path, offs, debug=debug, **kw)
    oracle = llvm(oracle_path or path, vaddrs)
    bad = [(hex(v), ours_as_chain(a), o) for v, a, o in zip(vaddrs, addrs, oracle)
           if not same_chain(a, o, names)]
    assert [a.vaddr for a in addrs] == vaddrs
    assert not ignored
    return addrs, bad


@pytest.mark.parametrize("variant", VARIANTS)
def test_chain(worker, tmp_path, variant):
    need("llvm-symbolizer")
    program = build_cpp(tmp_path, VARIANTS[variant])
    pattern = r"outer|^main$|leaf|middle"
    # -g1 leaves out linkage names, so inlined frames have bare ones here and there.
    addrs, bad = compare(worker, program, code_of(program, pattern), names="g1" not in variant)
    assert not bad, bad[:3]
    if variant != "no-optimization":
        deep = [a for a in addrs if len(a.frames) == 3 and a.frames[2].name == "outer(int)"]
        assert deep
        assert "leaf" in deep[0].frames[0].name
        if "g1" not in variant:
            assert deep[0].frames[0].name == "ns::S::leaf(int)"
            assert deep[0].frames[1].system_name == "_ZN2ns6middleINS_1SEEEiRT_i"
            assert deep[0].frames[0].start_line == 6
    if variant != "clang-g1":  # that leaves out functions with nothing inlined: symbol and line remain
        assert all(a.source == SOURCE_DWARF for a in addrs)
    assert all(os.path.isabs(f.filename) for a in addrs for f in a.frames if f.line)


def test_zstd(worker, tmp_path):
    """No compiler of Debian 12 writes it, and no libdw there reads it."""
    need("llvm-symbolizer", "llvm-objcopy", "zstd")
    program = build_cpp(tmp_path, ["g++", "-O2", "-g"])
    packed = str(tmp_path / "packed")
    shutil.copy(program, packed)
    for name in ("info", "abbrev", "line", "str", "line_str", "rnglists"):
        section = tmp_path / name
        subprocess.run(["objcopy", "-O", "binary", "--only-section=.debug_" + name, "--set-section-flags",
                        f".debug_{name}=alloc", program, section], check=True)
        text = section.read_bytes()
        body = subprocess.run(["zstd", "-qc", section], capture_output=True, check=True).stdout
        section.write_bytes(struct.pack("=2I2Q", 2, 0, len(text), 1) + body)
        subprocess.run(["objcopy", f"--update-section=.debug_{name}={section}", packed], check=True)
        set_compressed(packed, ".debug_" + name)
    _, bad = compare(worker, packed, code_of(program, r"outer|^main$"), oracle_path=program)
    assert not bad, bad[:3]


def set_compressed(path, name):
    """Sets the flag SHF_COMPRESSED of a section."""
    out = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True).stdout
    index = int(re.search(r"\[ *(\d+)\] " + re.escape(name) + r"\s", out).group(1))
    with open(path, "r+b") as f:
        f.seek(40)
        shoff = struct.unpack("=Q", f.read(8))[0]
        f.seek(shoff + index * 64 + 8)
        flags = struct.unpack("=Q", f.read(8))[0]
        f.seek(shoff + index * 64 + 8)
        f.write(struct.pack("=Q", flags | 0x800))


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_local_class(worker, tmp_path, compiler):
    """What stands behind a class inside of a function is still that function's."""
    need("llvm-symbolizer", compiler)
    program, source = str(tmp_path / "program"), tmp_path / "program.cc"
    source.write_text("""
volatile int v;
static inline __attribute__((always_inline)) int inlined(int x) { v = x; v = v * 3; return v; }
__attribute__((noinline)) int outer(int x)
{
	struct local {
		int k;
		__attribute__((noinline)) int method(int y) { v = y + k; return v; }
	} l = {x};
	int n = l.method(x);
	return n + inlined(n) + inlined(x);
}
int main(int argc, char **) { return outer(argc); }
""")
    subprocess.run([compiler, "-O2", "-g", "-o", program, source], check=True)
    addrs, bad = compare(worker, program, code_of(program, r"^_Z5outeri$"))
    assert not bad, bad[:3]
    assert any(len(a.frames) == 2 for a in addrs)


@pytest.mark.parametrize("with_build_id", [True, False])
def test_separate_debug_file(worker, tmp_path, with_build_id):
    need("llvm-symbolizer", "objcopy")
    program = build_cpp(tmp_path, ["g++", "-O2", "-g", "-Wl,--build-id=" + ("sha1" if with_build_id else "none")])
    debug, stripped = str(tmp_path / "program.debug"), str(tmp_path / "stripped")
    subprocess.run(["objcopy", "--only-keep-debug", program, debug], check=True)
    subprocess.run(["objcopy", "--strip-all", "--add-gnu-debuglink=" + debug, program, stripped], check=True)
    with open(debug, "rb") as f:
        crc = zlib.crc32(f.read())

    identity, debug_identity = worker.identify(stripped), worker.identify(debug)
    assert not identity.has_dwarf
    assert (identity.debuglink, identity.crc) == ("program.debug", crc)
    assert debug_identity.has_dwarf
    assert identity.build_id == debug_identity.build_id
    assert bool(identity.build_id) == with_build_id

    vaddrs = code_of(program, r"outer|^main$")
    _, bad = compare(worker, stripped, vaddrs, debug=debug, oracle_path=program)
    assert not bad, bad[:3]

    # Another program's debug file is ignored, and the answer says so.
    other = str(tmp_path / "other.debug")
    subprocess.run(["g++", "-O1", "-g", "-o", str(tmp_path / "other"), str(tmp_path / "program.cc")], check=True)
    subprocess.run(["objcopy", "--only-keep-debug", str(tmp_path / "other"), other], check=True)
    addrs, ignored = worker.symbolize(stripped, [text_section(stripped).off], debug=other)
    assert ignored and addrs[0].source == SOURCE_FDE and not addrs[0].frames


def test_dynsym_only(worker, tmp_path):
    need("objcopy", "g++")
    library = str(tmp_path / "lib.so")
    (tmp_path / "lib.cc").write_text(
        "volatile int v;\nint exported(int x) { v = x; return v; }\n"
        "static __attribute__((noinline)) int hidden(int x) { v = x * 3; return v; }\n"
        "int calls(int x) { return hidden(x) + 1; }\n")
    subprocess.run(["g++", "-O2", "-g", "-shared", "-fPIC", "-o", library, str(tmp_path / "lib.cc")], check=True)
    inside = code_of(library, r"exported")
    hidden = code_of(library, r"hidden")
    subprocess.run(["strip", "--strip-all", library], check=True)
    text = text_section(library)
    offs = [v - text.vaddr + text.off for v in sorted(inside + hidden)]
    addrs, _ = worker.symbolize(library, offs)
    for a in addrs:
        if a.vaddr in inside:
            assert a.source == SOURCE_SYMTAB
            assert [(f.name, f.system_name, f.line) for f in a.frames] == [("exported(int)", "_Z8exportedi", 0)]
        else:
            # Not named after the exported function before it: known by where it starts.
            assert (a.source, a.vaddr) == (SOURCE_FDE, min(hidden)) and not a.frames


def test_dwz(worker, tmp_path):
    need("dwz", "g++", "llvm-symbolizer")
    programs = []
    for name in ("one", "two", "three"):
        folder = tmp_path / name
        folder.mkdir()
        programs.append(build_cpp(folder, ["g++", "-O2", "-g", "-gdwarf-4"]))
    vaddrs = code_of(programs[0], r"outer|^main$")
    oracle = llvm(programs[0], vaddrs)
    alt = str(tmp_path / "shared.dwz")
    done = subprocess.run(["dwz", "-m", alt, *programs], capture_output=True, text=True)
    if done.returncode or not os.path.exists(alt):
        pytest.skip("dwz found nothing to share: " + done.stderr)
    identity = worker.identify(programs[0])
    assert identity.alt_path == alt
    assert identity.alt_build_id == worker.identify(alt).build_id
    text = text_section(programs[0])
    offs = [v - text.vaddr + text.off for v in vaddrs]
    addrs, ignored = worker.symbolize(programs[0], offs, alt=alt)
    assert not ignored
    assert all(same_chain(a, o) for a, o in zip(addrs, oracle))
    # Without the shared file: nothing opened, outermost names from the symbols.
    addrs, _ = worker.symbolize(programs[0], offs)
    assert all(a.frames for a in addrs)
    assert {a.frames[-1].name for a in addrs} >= {"outer(int)", "main"}


def test_dwo_is_not_opened(worker, tmp_path):
    """Split DWARF: the skeleton names a file, which is not ours to open; symbol and line remain."""
    need("g++", "strace")
    program = build_cpp(tmp_path, ["g++", "-O2", "-g", "-gsplit-dwarf"])
    trace = tmp_path / "trace"
    tracer = subprocess.Popen(["strace", "-f", "-e", "trace=open,openat,openat2,execve,connect", "-o", trace,
                               "-p", str(worker.child.pid)], stderr=subprocess.PIPE)
    tracer.stderr.readline()
    vaddrs = code_of(program, r"^_Z5outeri$")
    text = text_section(program)
    addrs, _ = worker.symbolize(program, [v - text.vaddr + text.off for v in vaddrs])
    tracer.terminate()
    tracer.wait()
    assert "open" not in trace.read_text() and "exec" not in trace.read_text()
    assert all(a.frames[0].name == "outer(int)" and a.frames[0].line for a in addrs)


@pytest.mark.parametrize("flags", [["g++"], ["g++", "-gdwarf-4"], ["clang++"], ["clang++", "-gdwarf-5"]], ids="_".join)
@pytest.mark.parametrize("packed", [False, True])
def test_split_units(worker, tmp_path, flags, packed):
    """The other halves of two units, from the file of one of them or from a package of both."""
    need("llvm-symbolizer", "llvm-dwp", flags[0])
    flags = [*flags, "-O2", "-g", "-gsplit-dwarf"]
    if flags[0] == "clang++":
        flags.append("-fno-split-dwarf-inlining")
    (tmp_path / "other.cc").write_text("volatile int v; static inline int twice(int x) { v = x; return v * 2; }\n"
                                       "int other(int x) { return twice(x) + twice(v); }\n")
    (tmp_path / "program.cc").write_text(SOURCE)
    for unit in ("other", "program"):
        subprocess.run([*flags, "-c", "-o", unit + ".o", unit + ".cc"], check=True, cwd=tmp_path)
    program = str(tmp_path / "program")
    subprocess.run([flags[0], "-o", program, "program.o", "other.o"], check=True, cwd=tmp_path)
    split, pattern = str(tmp_path / "program.dwo"), "outer|^main$"
    if packed:
        split, pattern = program + ".dwp", "outer|^main$|other"
        subprocess.run(["llvm-dwp", "-o", split, "program.dwo", "other.dwo"], check=True, cwd=tmp_path)
    addrs, bad = compare(worker, program, code_of(program, pattern), split=split)
    assert not bad, bad[:3]
    assert max(len(a.frames) for a in addrs) == 3
    # Another program's is ignored, and the answer says so.
    _, ignored = worker.symbolize("/bin/true", [text_section("/bin/true").off], split=program)
    assert ignored


def test_rust(worker, tmp_path):
    need("rustc", "llvm-symbolizer")
    (tmp_path / "p.rs").write_text("""
mod deep {
    #[inline(always)]
    pub fn leaf(x: u64) -> u64 { unsafe { std::ptr::read_volatile(&x) }.wrapping_mul(31) }
    pub struct S(pub u64);
    impl S {
        #[inline(always)]
        pub fn middle(&self, y: u64) -> u64 { leaf(self.0 + y) + 1 }
        #[inline(never)]
        pub fn outer(&self, n: u64) -> u64 { (0..n).map(|i| self.middle(i)).sum() }
    }
}
fn main() {
    let s = deep::S(std::env::args().count() as u64);
    std::process::exit((s.outer(7) & 1) as i32);
}
""")
    program = str(tmp_path / "p")
    subprocess.run(["rustc", "-g", "-O", "-o", program, str(tmp_path / "p.rs")], check=True)
    vaddrs = code_of(program, r"outer|p4main")
    addrs, bad = compare(worker, program, vaddrs)
    assert len(bad) <= len(vaddrs) // 100, bad[:3]
    names = {f.name for a in addrs for f in a.frames}
    assert any(re.search(r"deep::S(>)?::outer$", n) for n in names), names
    assert any(n.endswith("deep::leaf") for n in names)
    assert not any(re.search(r"17h[0-9a-f]{16}E|::h[0-9a-f]{16}$", n) for n in names)


def test_go(worker, tmp_path):
    need("go", "llvm-symbolizer")
    (tmp_path / "p.go").write_text("""
package main

import (
	"fmt"
	"os"
)

type S[T any] struct{ sink int }

func (s *S[T]) leaf(x int) int { s.sink = x * 3; return s.sink }

func middle(s *S[int], x int) int { return s.leaf(x+1) + 1 }

//go:noinline
func outer(n int) int {
	s := S[int]{}
	sum := 0
	for i := 0; i < n; i++ {
		sum += middle(&s, i)
	}
	return sum
}

func main() { fmt.Println(outer(len(os.Args))) }
""")
    program = str(tmp_path / "p")
    env = dict(os.environ, GO111MODULE="off", GOCACHE=str(tmp_path / "cache"), GOFLAGS="")
    subprocess.run(["go", "build", "-o", program, str(tmp_path / "p.go")], check=True, env=env)
    text = text_section(program)
    vaddrs = sorted(set(code_of(program, r"^main\.(outer|main)$"))
                    | set(random.Random(1).sample(range(text.vaddr, text.vaddr + text.size), 2000)))
    addrs, bad = compare(worker, program, vaddrs)
    assert len(bad) <= len(vaddrs) // 100, bad[:5]
    ours = [a for a in addrs if a.frames and a.frames[-1].name == "main.outer"]
    assert ours and any("main.middle" in [f.name for f in a.frames] for a in ours)
    assert all(f.name == f.system_name for a in addrs for f in a.frames)


def test_libc(worker, capsys):
    """A distribution's library with its separate debug file, by build id."""
    need("llvm-symbolizer")
    library = "/usr/lib/x86_64-linux-gnu/libc.so.6"
    build_id = worker.identify(library).build_id
    debug = f"/usr/lib/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug"
    if not os.path.exists(debug):
        pytest.skip("libc6-dbg is not installed")
    vaddrs = random_code(library, 5000)
    text = text_section(library)
    addrs, ignored = worker.symbolize(library, [v - text.vaddr + text.off for v in vaddrs], debug=debug)
    assert not ignored
    agree = compared = nameless = 0
    differ = []
    aliases = alias_names(debug)
    for v, a, want in zip(vaddrs, addrs, llvm(debug, vaddrs)):
        if want[0][0] == "??":  # padding between functions
            nameless += 1
            continue
        compared += 1
        same = same_chain(a, want, aliases=aliases)
        agree += same
        if not same:
            differ.append((hex(v), ours_as_chain(a), want))
    with capsys.disabled():
        print(f"\nlibc: {agree} of {compared} chains agree with llvm-symbolizer"
              f" ({100 * agree / compared:.2f} %), {nameless} addresses without a name there")
        for d in differ[:5]:
            print("  differs:", *d)
    assert compared >= 2000
    assert agree >= compared * 0.99


# ---- files that are not what they should be -------------------------------------------------------

def expect_failure(worker, path):
    with pytest.raises(Failed) as failure:
        worker.symbolize(path, [0x1000, 0x2000])
    with pytest.raises(Failed):
        worker.identify(path)
    return failure.value.args[0]


def test_unusable_files(worker, tmp_path):
    cases = {"empty": b"", "text": b"#!/bin/sh\necho\n", "magic": b"\x7fELF", "header": b"\x7fELF\2\1\1" + b"\0" * 57,
             "ones": b"\x7fELF\2\1\1" + b"\xff" * 200}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
        assert expect_failure(worker, str(tmp_path / name)) < 0, name
    assert expect_failure(worker, str(tmp_path)) == -22
    assert expect_failure(worker, "/dev/null") == -22
    # The worker lives and answers.
    addrs, _ = worker.symbolize(WORKER, [text_section(WORKER).off])
    assert len(addrs) == 1


def test_truncated_and_damaged_files(worker, tmp_path):
    """Neither prefixes of a real program nor flipped bytes end the worker (these seeds; libdw has assertions)."""
    program = build_cpp(tmp_path, ["g++", "-O2", "-g"])
    with open(program, "rb") as f:
        whole = f.read()
    offs = list(range(text_section(program).off, text_section(program).off + 200))
    damaged = str(tmp_path / "damaged")
    rng = random.Random(3)
    for i in range(150):
        content = bytearray(whole[:rng.choice([1, 63, 64, 4095, 4096, rng.randrange(len(whole))])]
                            if i % 2 else whole)
        if i % 2 == 0:
            for _ in range(200):
                content[rng.randrange(len(content))] = rng.randrange(256)
        with open(damaged, "wb") as f:
            f.write(content)
        try:
            worker.symbolize(damaged, offs)
        except Failed:
            pass
    assert worker.symbolize(program, offs)[0][0].frames


def test_strings_without_an_end(worker, tmp_path):
    """libdw 0.188 reads past the end of such a section (found by fuzzing); here the string ends with it."""
    program = build_cpp(tmp_path, ["g++", "-O2", "-g", "-gdwarf-5"])
    out = subprocess.run(["readelf", "-SW", program], capture_output=True, text=True, check=True).stdout
    m = re.search(r"\] \.debug_line_str\s+PROGBITS\s+\w+ (\w+) (\w+)", out)
    with open(program, "r+b") as f:
        f.seek(int(m.group(1), 16) + int(m.group(2), 16) - 1)
        f.write(b"x")
    vaddrs = code_of(program, r"^main$")
    text = text_section(program)
    addrs, _ = worker.symbolize(program, [v - text.vaddr + text.off for v in vaddrs])
    assert {a.source for a in addrs} == {SOURCE_DWARF}
    assert {a.frames[-1].name for a in addrs} == {"main"}


def test_same_question_same_bytes(worker, tmp_path):
    program = build_cpp(tmp_path, ["g++", "-O2", "-g"])
    text = text_section(program)
    payload = struct.pack("=4I", text.size, 0, 0, 0) + array.array("Q", range(text.off, text.off + text.size)).tobytes()
    bodies = set()
    for _ in range(3):
        with open(program, "rb") as f:
            bodies.add(worker.ask(SYMBOLIZE, payload, [f.fileno()]))
    assert len(bodies) == 1


def test_truncated_while_in_use(worker, tmp_path):
    program = build_cpp(tmp_path, ["g++", "-O2", "-g", "-static"])
    text = text_section(program)
    size = os.path.getsize(program)
    copy = str(tmp_path / "copy")
    for i in range(20):
        shutil.copy(program, copy)
        child = os.fork()
        if child == 0:
            time.sleep(i * 0.002)
            os.truncate(copy, [0, 1, 4095, size // 2][i % 4])
            os._exit(0)
        try:
            worker.symbolize(copy, list(range(text.off, text.off + 20000, 7)))
        except Failed:
            pass
        os.waitpid(child, 0)


def test_wrong_questions(worker):
    offs = [0x2000, 0x1000]
    with pytest.raises(Failed):
        worker.symbolize(WORKER, offs)
    with pytest.raises(Failed):
        worker.symbolize(WORKER, [5, 5])
    addrs, _ = worker.symbolize(WORKER, [])
    assert addrs == []
    addrs, _ = worker.symbolize(WORKER, [1, 1 << 40])
    assert [(a.vaddr, a.source) for a in addrs] == [(1, SOURCE_NONE), (1 << 40, SOURCE_NONE)]


def test_unknown_message_ends_the_session():
    w = Worker()
    w.sock.sendall(struct.pack("=5I", MAGIC, 99, 1, 0, 0))
    assert w.close() == 1


@pytest.mark.parametrize("depth", [100, 10_000, 100_000])
def test_nested_blocks(worker, tmp_path, depth):
    """DIEs nested as deeply as a file likes do not exhaust the stack."""
    need("as", "ld")
    (tmp_path / "deep.s").write_text(f"""
	.globl f
	.type f, @function
f:
	.skip 64, 0x90
	.size f, 64
	.section .debug_abbrev,"",@progbits
	.uleb128 1, 0x11
	.byte 1
	.uleb128 0x11, 1, 0x12, 7, 0, 0
	.uleb128 2, 0x2e
	.byte 1
	.uleb128 3, 8, 0x11, 1, 0x12, 7, 0, 0
	.uleb128 3, 0x0b
	.byte 1
	.uleb128 0, 0, 0
	.section .debug_info,"",@progbits
	.long 2f - 1f
1:	.short 4
	.long .debug_abbrev
	.byte 8
	.uleb128 1
	.quad f, 64
	.uleb128 2
	.string "deep"
	.quad f, 64
	.fill {depth}, 1, 3
	.fill {depth}, 1, 0
	.byte 0, 0
2:
""")
    out = str(tmp_path / "deep.so")
    subprocess.run(["as", "-o", str(tmp_path / "deep.o"), str(tmp_path / "deep.s")], check=True)
    subprocess.run(["ld", "-shared", "-o", out, str(tmp_path / "deep.o")], check=True)
    addrs, _ = worker.symbolize(out, [text_section(out).off + 3])
    assert [f.name for f in addrs[0].frames] == ["deep"]
