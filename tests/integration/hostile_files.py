# SPDX-License-Identifier: Apache-2.0
"""ELF files that are made to be dear: each is small or quick to write, and large to read.

CASES maps a name to a function that writes the file at the path it is given.
"""

import array
import functools
import random
import struct
import zlib

PT_LOAD, PT_NOTE, PT_GNU_EH_FRAME = 1, 4, 0x6474E550
R, X = 4, 1
SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOTE = 1, 2, 3, 7
SHF_ALLOC, SHF_EXECINSTR, SHF_COMPRESSED = 2, 4, 0x800
HEADERS = 0x20000  # what the ELF header and the program headers take, at most
CODE = 0x10000000
MIB = 1 << 20


class Elf:
    """A file put together piece by piece; write() gives it headers that say whatever was asked for."""

    def __init__(self, path, entry=0):
        self.file = open(path, "wb")
        self.end = HEADERS
        self.entry = entry
        self.segments = []
        self.sections = [(0, 0, 0, 0, 0, 0, 0)]
        self.names = b"\0"
        self.names_tail = b""
        self.claim = {}  # of the header: shnum, shoff, phnum, shstrndx

    def put(self, data, off=None):
        """Puts DATA at OFF, or behind what is there; returns where."""
        off = self.end if off is None else off
        self.file.seek(off)
        self.file.write(data)
        self.end = max(self.end, -(-(off + len(data)) // 4096) * 4096)
        return off

    def segment(self, off, vaddr, n, flags=R | X, kind=PT_LOAD):
        self.segments.append(struct.pack("=IIQQQQQQ", kind, flags, off, vaddr, vaddr, n, n, 0x1000))

    def section(self, name, off, n, vaddr=0, kind=SHT_PROGBITS, flags=0, entsize=0):
        name_at = len(self.names)
        if name is None:
            name_at = 0
        else:
            self.names += name.encode() + b"\0"
        self.sections.append((name_at, kind, flags, vaddr, off, n, entsize))

    def code(self, data, vaddr=CODE):
        """DATA as the code, with a section."""
        off = self.put(data)
        self.segment(off, vaddr, len(data))
        self.section(".text", off, len(data), vaddr, flags=SHF_ALLOC | SHF_EXECINSTR)

    def part(self, name, data, vaddr=0, **more):
        self.section(name, self.put(data), len(data), vaddr, **more)

    def write(self):
        names = self.names + b".shstrtab\0"
        name_at = len(self.names)
        names += self.names_tail
        off = self.put(names)
        self.sections.append((name_at, SHT_STRTAB, 0, 0, off, len(names), 0))
        table = b"".join(struct.pack("=IIQQQQIIQQ", name, kind, flags, vaddr, off, n, 0, 0, 8, entsize)
                         for name, kind, flags, vaddr, off, n, entsize in self.sections)
        shoff = self.put(table)
        claim = {"shoff": shoff, "shnum": len(self.sections), "shstrndx": len(self.sections) - 1,
                 "phnum": len(self.segments), **self.claim}
        self.put(b"\x7fELF\2\1\1" + bytes(9) +
                 struct.pack("=HHIQQQIHHHHHH", 3, 62, 1, self.entry, 64, claim["shoff"], 0, 64, 56,
                             claim["phnum"], 64, claim["shnum"], claim["shstrndx"]), 0)
        self.put(b"".join(self.segments), 64)
        self.file.close()


# ---- call frame information --------------------------------------------------------------------------

def uleb(n):
    out = b""
    while True:
        n, low = n >> 7, n & 0x7F
        if not n:
            return out + bytes([low])
        out += bytes([low | 0x80])


def entry(body):
    body += bytes(-len(body) % 4)
    return struct.pack("=I", len(body)) + body


# Addresses are four bytes, relative to themselves; at entry the CFA is rsp + 8.
CIE = entry(struct.pack("=I", 0) + b"\1zR\0" + b"\1\x78\x10" + b"\1\x1b" + b"\x0c\7\x08\x90\1")


FRAME = CODE - 0x8000000  # where .eh_frame is said to be loaded


def fdes(starts, ns, words=()):
    """Many FDEs of one length as one array: each gets the two words of WORDS as its program."""
    n = len(starts)
    program = list(words) or [0x100E4100]  # no augmentation; advance 1, CFA = rsp + 16
    size = 16 + 4 * len(program)
    one = array.array("I", [size - 4, 0, 0, 0, *program])
    out = one * n
    step = len(one)
    base = len(CIE)
    out[1::step] = array.array("I", range(base + 4, base + 4 + size * n, size))
    out[2::step] = array.array("I", [(s - (FRAME + base + 8 + size * i)) & 0xFFFFFFFF
                                     for i, s in enumerate(starts)])
    out[3::step] = array.array("I", ns)
    return CIE + out.tobytes()


def frames(elf, data, text):
    elf.code(bytes(text) if isinstance(text, int) else text)
    elf.part(".eh_frame", data, FRAME, flags=SHF_ALLOC)
    elf.write()


MILLION = 1_000_000


def many_fdes(path):
    frames(Elf(path), fdes([CODE + 16 * i for i in range(MILLION)], [16] * MILLION), 16 * MILLION)


def many_cies(path):
    data = CIE * MILLION
    fde = entry(struct.pack("=IiIB", len(data) + 4, CODE - (FRAME + len(data) + 8), 64, 0))
    frames(Elf(path), data + fde, 4096)


def same_place(path):
    frames(Elf(path), fdes([CODE] * MILLION, [4096] * MILLION), 4096)


def nested_fdes(path):
    n = 500_000
    frames(Elf(path), fdes([CODE + 2 * i for i in range(n)], [4 * (n - i) for i in range(n)]), 4 * n)


def nested_fdes_reversed(path):
    """Each begins before the one that it follows in the file and ends behind it."""
    n = 500_000
    frames(Elf(path), fdes([CODE + 2 * (n - i) for i in range(n)], [4 * i + 4 for i in range(n)]), 4 * n)


def gaps_between(path):
    """A million gaps of 16 bytes, full of code, between functions."""
    code = (b"\x55\x53\x48\x83\xec\x10\xe8\0\0\0\0\x48\x83\xc4\x10\xc3" + b"\x90" * 16) * MILLION
    frames(Elf(path), fdes([CODE + 32 * i + 16 for i in range(MILLION)], [16] * MILLION), code)


def gaps_and_segments(path):
    """The same, where to read an address is to look through a thousand segments."""
    elf = Elf(path)
    for i in range(1000):
        elf.segment(0, i, 1, R)
    n = MILLION // 2
    code = (b"\x55\x53\x48\x83\xec\x10\xe8\0\0\0\0\x48\x83\xc4\x10\xc3" + b"\x90" * 16) * n
    frames(elf, fdes([CODE + 32 * i + 16 for i in range(n)], [16] * n), code)


def long_function(path, program, n):
    body = struct.pack("=IiIB", len(CIE) + 4, CODE - (FRAME + len(CIE) + 8), n, 0) + program
    frames(Elf(path), CIE + entry(body), n)


def rows(path):
    """One function with ten million rows that are not alike and no run of pushes."""
    long_function(path, b"\x42\x0e\x20\x42\x0e\x40" * 5_000_000, 20_000_000)


def rules_all_different(path):
    """65,535 rules and as many again."""
    long_function(path, b"".join(b"\x41\x0c\7" + uleb(16 + 24 * i) for i in range(200_000)), 200_000)


def remember_bomb(path):
    long_function(path, b"\x41" + b"\x0a" * 20_000_000, 4096)


def remember_and_restore(path):
    long_function(path, b"\x41\x0a\x0e\x20\x0b" * 6_000_000, 6_000_000)


def expressions(path):
    """DWARF expressions as long as their section, a rule for each."""
    one = b"\x0f\x40" + b"\x77\0" + b"\x31\x22" * 31 + b"\x41"
    long_function(path, one * 200_000, 200_000)


def augmentations(path):
    """Lengths of what was added that wrap around, are endless, or longer than everything."""
    data = bytearray(CIE)
    huge = (uleb((1 << 64) - 1), uleb((1 << 63) + 5), b"\xff" * 500, uleb(1 << 32), b"\xff" * 9 + b"\1")
    for i in range(20_000):
        start = CODE + i - (FRAME + len(data) + 8)
        data += entry(struct.pack("=IiI", len(data) + 4, start, 64) + huge[i % 5])
    for i in range(20_000):
        data += entry(struct.pack("=I", 0) + b"\1z" + b"R" * (i % 50) + b"\0\1\x78\x10" + huge[i % 5])
    frames(Elf(path), bytes(data), 65536)


def long_augmentation(path):
    frames(Elf(path), entry(struct.pack("=I", 0) + b"\1z" + b"S" * 50_000_000), 4096)


def cycles(path):
    """FDEs whose CIE is the entry itself, another FDE, the middle of one, or out of the section."""
    data = bytearray(CIE)
    for i in range(200_000):
        pos = len(data)
        cie = (pos, pos - 20, pos + 16, 6, 1 << 31)[i % 5]
        to_cie = (pos + 4 - cie) & 0xFFFFFFFF or 1
        data += entry(struct.pack("=IiIB", to_cie, CODE - (FRAME + pos + 8), 64, 0))
    frames(Elf(path), bytes(data), 4096)


def zero_entries(path):
    frames(Elf(path), bytes(64 * MIB), 4096)


def whole_file_thrice(path):
    """The largest .eh_frame there may be, the same bytes as .debug_frame and as symbols."""
    elf = Elf(path)
    elf.code(bytes(4096))
    elf.part(".eh_frame", bytes(95 * MIB), FRAME)
    off = elf.sections[-1][4]
    elf.section(".debug_frame", off, 95 * MIB)
    elf.section(".symtab", off, 95 * MIB, kind=SHT_SYMTAB, entsize=24)
    elf.section(".dynsym", off, 95 * MIB, kind=11, entsize=24)
    elf.write()


def compressed_bomb(path):
    elf = Elf(path)
    elf.code(bytes(4096))
    n = 200 * MIB
    elf.part(".debug_frame", struct.pack("=IIQQ", 1, 0, n, 1) + zlib.compress(bytes(n), 9),
             flags=SHF_COMPRESSED)
    elf.write()


def compressed_to_the_limit(path):
    """As far as the limits allow, full of functions."""
    n = 5 * MIB // 20
    data = fdes([CODE + 16 * (i % 4096) for i in range(n)], [16] * n) * 16
    elf = Elf(path)
    elf.code(bytes(65536))
    packed = zlib.compress(data, 6)
    packed += bytes(max(0, len(data) // 60 - len(packed)))
    elf.part(".eh_frame", struct.pack("=IIQQ", 1, 0, len(data), 1) + packed, flags=SHF_COMPRESSED)
    elf.write()


def lying_header(path, table):
    """No section headers, and .eh_frame_hdr says that .eh_frame is there."""
    elf = Elf(path)
    code = elf.put(bytes(4096))
    elf.segment(code, CODE, 4096)
    data = elf.put(fdes([CODE + 16 * i for i in range(100_000)], [16] * 100_000))
    elf.segment(data, FRAME, elf.end - data, R)
    hdr = elf.put(table)
    elf.segment(hdr, FRAME - 0x1000, len(table), R, PT_GNU_EH_FRAME)
    elf.segment(hdr, FRAME - 0x1000, len(table), R)
    elf.claim = {"shnum": 0, "shoff": 0, "shstrndx": 0}
    elf.write()


HEADER_LIES = {
    "itself": b"\1\x1b\3\x3b" + struct.pack("=iI", -4, 1 << 31),
    "nowhere": b"\1\x1b\3\x3b" + struct.pack("=iI", -(1 << 31), 1 << 31),
    "indirect": b"\1\x9b\3\x3b" + struct.pack("=iI", 0, 1 << 31),
    "absolute": b"\1\0\3\x3b" + struct.pack("=QI", (1 << 64) - 1, 0),
    "middle": b"\1\x1b\3\x3b" + struct.pack("=iI", 0x1000 - 4 + 37, 3),
}


# ---- the file's own headers --------------------------------------------------------------------------

def overlapping_segments(path):
    elf = Elf(path)
    off = elf.put(fdes([CODE + 16 * i for i in range(4096)], [16] * 4096))
    for i in range(1000):
        elf.segment(off - i, CODE - 4096 * (i % 7), 65536 + i)
    elf.section(".eh_frame", off, elf.end - off, FRAME)
    elf.write()


def wrapping_segments(path):
    elf = Elf(path)
    off = elf.put(bytes(65536))
    for i in range(100):
        elf.segment(off, (1 << 64) - 4096 * i - 1, 65536)
        elf.segment((1 << 64) - 4096 * i - 1, CODE, 65536)
        elf.segment(off, 1 << 63, (1 << 64) - 1 - i)
    elf.write()


def high_text(path):
    elf = Elf(path, entry=1 << 63)
    elf.code(b"\x55\x48\x89\xe5\x5d\xc3" * 1000, 1 << 63)
    elf.part(".eh_frame", CIE + struct.pack("=IIQQ", 20, len(CIE) + 4, 1 << 63, 64), FRAME)
    elf.write()


def sparse(path):
    """A TiB of which nothing is on the disk: code, call frame information, symbols."""
    elf = Elf(path)
    tib = 1 << 40
    elf.segment(0, CODE, tib)
    elf.section(".text", 0, tib, CODE, flags=SHF_ALLOC | SHF_EXECINSTR)
    elf.section(".eh_frame", 65536, 200 * MIB, FRAME)
    elf.section(".symtab", 65536, 200 * MIB, kind=SHT_SYMTAB, entsize=24)
    elf.write()
    with open(path, "r+b") as f:
        f.truncate(tib)


def sparse_gap(path):
    """The same with sections that lie within what is on the disk, but for the code."""
    elf = Elf(path)
    off = elf.put(fdes([CODE + (i << 20) for i in range(1000)], [16] * 1000))
    elf.section(".eh_frame", off, elf.end - off, FRAME)
    elf.segment(0, CODE, 1 << 40)
    elf.write()
    with open(path, "r+b") as f:
        f.truncate(1 << 40)


def shnum_lies(path, shnum, first_size=0):
    elf = Elf(path)
    elf.sections[0] = (0, 0, 0, 0, 0, first_size, 0)
    elf.claim = {"shnum": shnum}
    frames(elf, fdes([CODE], [64]), 4096)


def phnum_lies(path):
    elf = Elf(path)
    elf.claim = {"phnum": 0xFFFF}
    frames(elf, fdes([CODE], [64]), 4096)


def many_code_sections(path):
    """Each of 60,000 sections is all of the code, which has 100,000 gaps."""
    elf = Elf(path)
    n = 100_000
    for _ in range(60_000):
        elf.section(None, HEADERS, 32 * n, CODE, flags=SHF_ALLOC | SHF_EXECINSTR)
    frames(elf, fdes([CODE + 32 * i for i in range(n)], [16] * n), b"\xc3" * 32 * n)


def many_note_sections(path):
    elf = Elf(path)
    notes = elf.put(struct.pack("=III4s", 4, 0, 7, b"abc\0") * 4096)
    for _ in range(60_000):
        elf.section(None, notes, 65536, kind=SHT_NOTE)
    frames(elf, fdes([CODE], [64]), 4096)


def many_note_segments(path):
    elf = Elf(path)
    notes = elf.put(struct.pack("=III4s", 4, 0, 7, b"abc\0") * 4096)
    for _ in range(1000):
        elf.segment(notes, 0, 65536, R, PT_NOTE)
    frames(elf, fdes([CODE], [64]), 4096)


def endless_names(path):
    """60,000 sections with one name of 16 MiB that has no end."""
    elf = Elf(path)
    elf.names_tail = b"x" * (16 * MIB - 4096)
    for _ in range(60_000):
        elf.section(None, HEADERS, 64)
    elf.sections = [(20, *s[1:]) if i else s for i, s in enumerate(elf.sections)]
    frames(elf, fdes([CODE], [64]), 4096)


# ---- Go ----------------------------------------------------------------------------------------------

GO_TEXT = CODE


def go_file(path, table, text=1 << 20, phdrs=()):
    elf = Elf(path)
    elf.code(bytes(text), GO_TEXT)
    off = elf.put(table)
    elf.segment(off, FRAME, len(table), R)
    elf.section(".gopclntab", off, len(table), FRAME)
    for args in phdrs:
        elf.segment(*args)
    elf.write()


def go_header(n_functions, funcname, pctab, functab, text=GO_TEXT):
    return struct.pack("=IBBBBQQQQQQQQ", 0xFFFFFFF1, 0, 0, 1, 8, n_functions, 0, text, funcname, 0, 0, pctab,
                       functab)


def go_table(n, record_of, records, pctab=b"", names=b"", text=GO_TEXT, size=16):
    """N functions of SIZE bytes; the record of function i lies at RECORD_OF(i) of RECORDS."""
    names_at = 72
    pctab_at = names_at + len(names)
    functab_at = pctab_at + len(pctab)
    functab_at += -functab_at % 8
    pairs = array.array("I", [0]) * (2 * n + 1)
    pairs[0::2] = array.array("I", range(0, size * (n + 1), size))
    pairs[1::2] = array.array("I", [8 * n + 8 + record_of(i) for i in range(n)])
    return (go_header(n, names_at, pctab_at, functab_at, text) + names + pctab +
            bytes(functab_at - pctab_at - len(pctab)) + pairs.tobytes() + bytes(4) + records)


def go_record(name=0, pcsp=0, flags=0):
    return struct.pack("=IIIIIIIIIIBBBB", 0, name, 0, 0, pcsp, 0, 0, 0, 0, 0, 0, flags, 0, 0)


def go_nfunc(path):
    table = bytearray(go_table(16, lambda i: 0, go_record()))
    struct.pack_into("=Q", table, 8, 1 << 40)
    go_file(path, bytes(table))


def go_names(path):
    """Every name is out of the table, or has no end."""
    n = 500_000
    records = go_record(0xFFFFFFFF, 1, 1) + go_record(1, 1, 1)
    go_file(path, go_table(n, lambda i: 44 * (i & 1), records, b"\2\x10\0", b"\0" + b"x" * 4096), 16 * n)


def go_runs(path):
    """All functions share a table of runs that has no end: a million steps of no bytes."""
    n = 500_000
    go_file(path, go_table(n, lambda i: 0, go_record(0, 1), b"\0" + b"\2\0\1\0" * 2_000_000), 16 * n)


def go_rows(path):
    """All functions share a table of runs with a depth for each of their bytes."""
    n, size = 4000, 4096
    runs = b"\0" + b"".join(b"\x14\1\x13\1" for _ in range(size // 2)) + b"\0"
    go_file(path, go_table(n, lambda i: 0, go_record(0, 1), runs, size=size), n * size)


def go_scattered(path):
    """Neighbours' records lie far apart: each costs a page."""
    n, far = 500_000, 2 * MIB
    go_file(path, go_table(n, lambda i: (i % 32) * far, go_record(0, 1) + bytes(31 * far + 4096) ,
                           b"\0\2\x10\0"), 16 * n)


def go_large_functions(path):
    """The code of each has to be read twice, a hole of a large file."""
    n, size = 15_000, 270_000
    runs = b"\0\2" + uleb(size - 16) + b"\x10\x10\0"
    elf = Elf(path)
    table = go_table(n, lambda i: 0, go_record(1, 1, 2), runs, b"\0runtime.x\0", size=size)
    off = elf.put(table)
    elf.segment(off, FRAME, len(table), R)
    elf.section(".gopclntab", off, len(table), FRAME)
    elf.segment(0, GO_TEXT, n * size + 4096)
    elf.write()
    with open(path, "r+b") as f:
        f.truncate(n * size + 8192)


def go_modules(path):
    """What points to the table, but is not what leads to the text, everywhere and a thousand times over."""
    table = bytearray(go_table(16, lambda i: 0, go_record(), text=0))
    data = struct.pack("=QQ", FRAME, FRAME + 72) * (2 * MIB)
    elf = Elf(path)
    elf.code(bytes(4096), GO_TEXT)
    off = elf.put(bytes(table))
    elf.segment(off, FRAME, len(table), R)
    elf.section(".gopclntab", off, len(table), FRAME)
    at = elf.put(data)
    for i in range(1000):
        elf.segment(at, 2 * CODE + i * len(data), len(data), R)
    elf.write()


def go_magics(path):
    """No section headers, and what begins like a table everywhere."""
    data = go_header(16, 72, 72, 72, 0) * (512 << 10)
    elf = Elf(path)
    elf.code(bytes(4096), GO_TEXT)
    at = elf.put(data)
    for i in range(1000):
        elf.segment(at, 2 * CODE + i * len(data), len(data), R)
    elf.claim = {"shnum": 0, "shoff": 0, "shstrndx": 0}
    elf.write()


# ---- code --------------------------------------------------------------------------------------------

CODE_BYTES = 8 * MIB


def code_file(path, code):
    elf = Elf(path, entry=CODE)
    elf.code(code)
    elf.write()


def jumps_backwards(path):
    """A chain: each jump leads to the one before."""
    code_file(path, b"\xc3\x90\x90\x90\x90" + b"\xe9\xf6\xff\xff\xff" * (CODE_BYTES // 5))


def branches_forward(path):
    """Each branch leads far ahead, so that there are many places to go on from."""
    code_file(path, b"\x0f\x84\x00\x10\0\0" * (CODE_BYTES // 6))


def branches_back(path):
    code_file(path, b"\x90" * 4096 + b"\x53\x0f\x84\x00\xf0\xff\xff" * (CODE_BYTES // 7))


def calls(path):
    rng = random.Random(1)
    n = CODE_BYTES // 5
    words = bytearray(b"\xe8\0\0\0\0" * n)
    for i in range(n):
        struct.pack_into("=i", words, 5 * i + 1, rng.randrange(CODE_BYTES) - 5 * i - 5)
    code_file(path, bytes(words))


def call_bytes(path):
    """Nothing but the first byte of a call."""
    code_file(path, b"\xe8" * CODE_BYTES)


def many_call_bytes(path):
    """The same, 250 MiB of them, between functions that are known."""
    n = 100_000
    elf = Elf(path)
    frames(elf, fdes([CODE + 2500 * i for i in range(n)], [2480] * n), b"\xe8\xf0\x01\0\0" * (50 * MIB))


def random_bytes(path):
    code_file(path, random.Random(2).randbytes(CODE_BYTES))


def prefixes(path):
    code_file(path, b"\x66\x2e\xf2\xf3\x48" * (CODE_BYTES // 5))


def nops(path):
    """Padding that has to be decoded, before something that is none."""
    code_file(path, b"\x66\x0f\x1f\x44\0\0" * (CODE_BYTES // 6) + b"\xc3")


def helper_calls(path):
    """Calls of a long helper, of which it is asked each time what it changes."""
    body = b"\x4c\x8d\x54\x24\x08\x48\x83\xe4\xe0"  # lea 8(%rsp),%r10; and $-32,%rsp
    n = 100_000
    call_at = len(body)
    helper_at = call_at + 5 * n + 1
    code = bytearray(body)
    for i in range(n):
        code += b"\xe8" + struct.pack("=i", helper_at - (call_at + 5 * i + 5))
    code += b"\xc3" + b"\x90" * 1000 + b"\xc3"
    code_file(path, bytes(code) * 8)


def many_slots(path):
    """All that a state can remember, at every branch."""
    saves = b"".join(b"\x48\x89\x5c\x24" + bytes([8 * i & 0x7F]) for i in range(16))
    code_file(path, (saves + b"\x0f\x84\x00\x01\0\0\x48\x83\xec\x08") * (CODE_BYTES // (len(saves) + 10)))


def broken_starts(path):
    """Code that nothing leads to, and that runs into what is no code after a while: tried in every way."""
    one = (b"\x53\x50\x48\x83\xc4\x08" * 40)[:238] + b"\xeb\x05" + b"\x06" * 16
    code_file(path, one * (CODE_BYTES // len(one)))


def whole_function_again(path):
    """A jump from far behind takes back what is known of the code before it, again and again."""
    code = b"\x90" * 64 + b"\x53\x75\xfd" * (CODE_BYTES // 3)
    code_file(path, code[:CODE_BYTES])


CASES = {f.__name__: f for f in (
    many_fdes, many_cies, same_place, nested_fdes, nested_fdes_reversed, gaps_between, gaps_and_segments, rows,
    rules_all_different, remember_bomb, remember_and_restore, expressions, augmentations,
    long_augmentation, cycles, zero_entries, whole_file_thrice, compressed_bomb, compressed_to_the_limit,
    overlapping_segments, wrapping_segments, high_text, sparse, sparse_gap, phnum_lies, many_code_sections,
    many_note_sections, many_note_segments, endless_names, go_nfunc, go_names, go_runs, go_rows, go_scattered,
    go_large_functions, go_modules, go_magics, jumps_backwards, branches_forward, branches_back, calls,
    call_bytes, many_call_bytes, random_bytes, prefixes, nops, helper_calls, many_slots, broken_starts,
    whole_function_again)}
for lie, made in HEADER_LIES.items():
    CASES[f"header_lies_{lie}"] = functools.partial(lying_header, table=made)
for shnum in (0, 1, 0xFF00, 0xFFFF):
    CASES[f"shnum_{shnum:#x}"] = functools.partial(shnum_lies, shnum=shnum, first_size=1 << 60)
