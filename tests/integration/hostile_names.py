# SPDX-License-Identifier: Apache-2.0
"""ELF files whose names are made to be dear: DWARF, symbols and strings that lie, loop, nest or overflow.

CASES maps a name to a function that writes the file at the path it is given. The code is CODE_BYTES at CODE.
"""

import functools
import lzma
import random
import struct
import subprocess
import zlib

from hostile_files import CODE, HEADERS, MIB, SHF_COMPRESSED, SHT_STRTAB, SHT_SYMTAB, Elf, uleb

CODE_BYTES = 64 << 10
CODE_AT = HEADERS  # in the file
UNIT, FUNCTION, INLINED, BLOCK, NAMESPACE, CLASS = 0x11, 0x2E, 0x1D, 0x0B, 0x39, 0x13
AT_SIBLING, AT_NAME, AT_STMT_LIST, AT_LOW, AT_HIGH = 0x01, 0x03, 0x10, 0x11, 0x12
AT_ORIGIN, AT_SPECIFICATION, AT_RANGES, AT_CALL_LINE, AT_LINKAGE = 0x31, 0x47, 0x55, 0x59, 0x6E
ADDR, BLOCK2, DATA4, DATA8, STRING, DATA1, STRP, UDATA = 0x01, 0x03, 0x06, 0x07, 0x08, 0x0B, 0x0E, 0x0F
REF_ADDR, REF4, INDIRECT, SEC_OFFSET, EXPRLOC, IMPLICIT = 0x10, 0x13, 0x16, 0x17, 0x18, 0x21


def abbrev(code, tag, children, *attrs):
    return uleb(code) + uleb(tag) + bytes([children]) + b"".join(uleb(a) + uleb(f) for a, f in attrs) + b"\0\0"


def unit(dies, version=4, abbrev_off=0, length=None):
    head = struct.pack("=HIB", version, abbrev_off, 8)
    return struct.pack("=I", len(head) + len(dies) if length is None else length) + head + dies


UNIT_OF_ALL = abbrev(1, UNIT, 1, (AT_LOW, ADDR), (AT_HIGH, DATA8))
ALL = struct.pack("=QQ", CODE, CODE_BYTES)
FUNCTION_OF_ALL = abbrev(2, FUNCTION, 1, (AT_NAME, STRING), (AT_LOW, ADDR), (AT_HIGH, DATA8))
DIES_AT = 11  # offset of the first DIE in a unit


def dwarf(path, info=b"", abbrevs=b"", **sections):
    """A file of one segment of code with these sections; names of others without their ".debug_"."""
    elf = Elf(path)
    elf.code(b"\x90" * CODE_BYTES)
    elf.part(".debug_info", info)
    elf.part(".debug_abbrev", abbrevs + b"\0")
    for name, data in sections.items():
        elf.part(".debug_" + name, data)
    elf.write()


# ---- trees ----------------------------------------------------------------------------------------


def nested(path, tag, n):
    """N entries, one in the other, each over all of the code."""
    shape = abbrev(3, tag, 1, (AT_LOW, ADDR), (AT_HIGH, DATA8), (AT_ORIGIN, REF4))
    one = b"\3" + ALL + struct.pack("=I", DIES_AT + 17)
    dwarf(path, unit(b"\1" + ALL + b"\2f\0" + ALL + one * n + b"\0" * (n + 2)),
          UNIT_OF_ALL + FUNCTION_OF_ALL + shape)


def siblings(path, n):
    """N functions side by side over all of the code."""
    dwarf(path, unit(b"\1" + ALL + (b"\2f\0" + ALL + b"\0") * n + b"\0"), UNIT_OF_ALL + FUNCTION_OF_ALL)


def chain(path, loop, n=1000):
    """An inlined call whose origin refers on and on, in a circle or not."""
    shape = abbrev(3, INLINED, 0, (AT_LOW, ADDR), (AT_HIGH, DATA8), (AT_ORIGIN, REF4))
    link = abbrev(4, FUNCTION, 0, (AT_SPECIFICATION, REF4))
    first = DIES_AT + 17 + 1 + 2 + 16 + 1 + 16 + 4 + 1
    links = b"".join(b"\4" + struct.pack("=I", first + 5 * ((i + 1) % n if loop else i + 1)) for i in range(n))
    dwarf(path, unit(b"\1" + ALL + b"\2f\0" + ALL + b"\3" + ALL + struct.pack("=I", first) + b"\0" + links + b"\0"),
          UNIT_OF_ALL + FUNCTION_OF_ALL + shape + link)


def reference(path, to, form=REF4):
    shape = abbrev(3, INLINED, 0, (AT_LOW, ADDR), (AT_HIGH, DATA8), (AT_ORIGIN, form))
    dwarf(path, unit(b"\1" + ALL + b"\2f\0" + ALL + b"\3" + ALL + struct.pack("=I", to) + b"\0\0"),
          UNIT_OF_ALL + FUNCTION_OF_ALL + shape)


def sibling_back(path, to):
    shape = abbrev(3, NAMESPACE, 1, (AT_SIBLING, REF4))
    dwarf(path, unit(b"\1" + ALL + (b"\3" + struct.pack("=I", to) + b"\0") * 1000 + b"\0"), UNIT_OF_ALL + shape)


def open_tree(path, n):
    """Children without an end."""
    dwarf(path, unit(b"\1" + ALL + b"\3" * n), UNIT_OF_ALL + abbrev(3, CLASS, 1))


# ---- abbreviations and forms ----------------------------------------------------------------------


def many_attributes(path, n, form):
    shape = uleb(3) + uleb(FUNCTION) + b"\0" + (uleb(AT_NAME) + uleb(form)) * n + b"\0\0"
    dwarf(path, unit(b"\1" + ALL + b"\3" * 100_000), UNIT_OF_ALL + shape)


def many_abbrevs(path, n, step):
    shapes = b"".join(abbrev(3 + i * step, CLASS, 0) for i in range(n))
    dwarf(path, unit(b"\1" + ALL + uleb(3 + (n - 1) * step) * 10_000), UNIT_OF_ALL + shapes)


def tables_at_each_byte(path, n):
    """Units that name a table each, each a byte further in the same bytes."""
    shapes = b"".join(abbrev(3 + i, CLASS, 0) for i in range(20_000))
    dwarf(path, b"".join(unit(uleb(20_000), abbrev_off=5 * i) for i in range(n)), shapes)


def form_of(path, form, value):
    shape = abbrev(3, FUNCTION, 0, (AT_NAME, form), (AT_LOW, ADDR), (AT_HIGH, DATA8))
    dwarf(path, unit(b"\1" + ALL + b"\3" + value + ALL + b"\0"), UNIT_OF_ALL + shape, str=b"x" * 100)


# ---- units ----------------------------------------------------------------------------------------


def many_units(path, n, dies=b"", abbrevs=UNIT_OF_ALL):
    dwarf(path, unit(dies) * n, abbrevs)


def units_of_all(path, n):
    """Each says that all of the code is its own."""
    many_units(path, n, b"\1" + ALL + b"\0")


def units_with_lines(path, n, program):
    shape = abbrev(1, UNIT, 0, (AT_LOW, ADDR), (AT_HIGH, DATA8), (AT_STMT_LIST, SEC_OFFSET))
    dwarf(path, unit(b"\1" + ALL + struct.pack("=I", 0)) * n, shape, line=program)


def head_of(path, head):
    dwarf(path, head + unit(b"\1" + ALL + b"\0"), UNIT_OF_ALL)


# ---- lines ----------------------------------------------------------------------------------------


def line_program(opcodes, version=4, files=b"a\0\0\0\0\0", line_range=14, max_ops=1, opcode_base=13, length=None,
                 head_length=None):
    ops = bytes([1]) + (bytes([max_ops]) if version >= 4 else b"")
    head = ops + struct.pack("=BbBB", 1, -5 & 0x7F, line_range, opcode_base) + bytes(max(opcode_base - 1, 0))
    head += b"\0" + files
    body = struct.pack("=I", len(head) if head_length is None else head_length) + head + opcodes
    return struct.pack("=IH", len(body) + 2 if length is None else length, version) + body


SET = b"\0\x09\2" + struct.pack("=Q", CODE)
FAR = b"\0\x09\2" + struct.pack("=Q", CODE + CODE_BYTES)


def lines(path, opcodes, n_units=1, **more):
    units_with_lines(path, n_units, line_program(opcodes, **more))


# ---- ranges ---------------------------------------------------------------------------------------


def ranges(path, data, n_dies=1, version=4, section="ranges"):
    shape = abbrev(3, FUNCTION, 0, (AT_NAME, STRING), (AT_RANGES, SEC_OFFSET))
    dwarf(path, unit(b"\1" + ALL + (b"\3f\0" + struct.pack("=I", 0)) * n_dies + b"\0", version), UNIT_OF_ALL + shape,
          **{section: data})


def aranges(path, data):
    dwarf(path, unit(b"\1" + ALL + b"\0"), UNIT_OF_ALL, aranges=data)


# ---- strings --------------------------------------------------------------------------------------


def named(path, name, at=AT_LINKAGE):
    """All of the code is one function of this name."""
    shape = abbrev(3, FUNCTION, 0, (at, STRP), (AT_LOW, ADDR), (AT_HIGH, DATA8))
    dwarf(path, unit(b"\1" + ALL + b"\3" + bytes(4) + ALL + b"\0"), UNIT_OF_ALL + shape, str=name)


def deep_rust(n):
    return b"_RN" * n + b"C1a" + b"1b" * n


# ---- symbols --------------------------------------------------------------------------------------


def symbols(path, n, start, size, names=b"\0f\0", name=1):
    elf = Elf(path)
    elf.code(b"\x90" * CODE_BYTES)
    table = b"".join(struct.pack("=IBBHQQ", name(i) if callable(name) else name, 0x12, 0, 1, start(i), size)
                     for i in range(n))
    off = elf.put(table)
    elf.section(".symtab", off, len(table), kind=SHT_SYMTAB, entsize=24)
    elf.part(".strtab", names, kind=SHT_STRTAB)
    elf.write()


# ---- compression ----------------------------------------------------------------------------------


def packed(path, kind, size, body, name=".debug_info"):
    elf = Elf(path)
    elf.code(b"\x90" * CODE_BYTES)
    data = struct.pack("=IIQQ", kind, 0, size, 1) + body
    elf.section(name, elf.put(data), len(data), flags=SHF_COMPRESSED)
    elf.part(".debug_abbrev", UNIT_OF_ALL + b"\0")
    elf.write()


def packed_of_old(path, size, body):
    elf = Elf(path)
    elf.code(b"\x90" * CODE_BYTES)
    elf.part(".zdebug_info", b"ZLIB" + struct.pack(">Q", size) + body)
    elf.part(".debug_abbrev", UNIT_OF_ALL + b"\0")
    elf.write()


def zstd(data):
    return subprocess.run(["zstd", "-qc", "-19"], input=data, capture_output=True, check=True).stdout


def debugdata(path, data):
    elf = Elf(path)
    elf.code(b"\x90" * CODE_BYTES)
    elf.part(".gnu_debugdata", data)
    elf.write()


# ---- all ------------------------------------------------------------------------------------------


def case(function, *args, **kwargs):
    return functools.partial(lambda path, f, a, k: f(path, *a, **k), f=function, a=args, k=kwargs)


def cases():
    for n in (100, 10_000, 300_000):
        yield f"nested_blocks_{n}", case(nested, BLOCK, n)
        yield f"nested_calls_{n}", case(nested, INLINED, n)
        yield f"nested_functions_{n}", case(nested, FUNCTION, n)
        yield f"nested_classes_{n}", case(nested, CLASS, n)
        yield f"siblings_{n}", case(siblings, n)
        yield f"open_tree_{n}", case(open_tree, n)
        yield f"units_of_11_bytes_{n}", case(many_units, n)
        yield f"units_of_all_{n}", case(units_of_all, n)
    yield "origins_in_a_circle", case(chain, True)
    yield "origins_without_end", case(chain, False)
    for to in (0, 1, DIES_AT, DIES_AT + 1, DIES_AT + 17, DIES_AT + 37, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF):
        yield f"reference_to_{to:#x}", case(reference, to)
        yield f"far_reference_to_{to:#x}", case(reference, to, REF_ADDR)
        yield f"sibling_at_{to:#x}", case(sibling_back, to)
    for form in (0, DATA1, STRING, UDATA, INDIRECT, 0x21, 0x22, 0x2C, 0x7F, 0x1F01, 0x1F20, 0xFFFF, 1 << 40):
        yield f"attributes_of_{form:#x}", case(many_attributes, 10_000, form)
    for form in range(0x01, 0x2D):
        yield f"form_{form:#x}", case(form_of, form, b"\xff" * 8)
    for i, value in enumerate((bytes([INDIRECT]) * 64, bytes([STRING]) + b"x" * 100, bytes([IMPLICIT]),
                               uleb(1 << 63), b"\x80" * 100)):
        yield f"indirect_{i}", case(form_of, INDIRECT, value)
    yield "million_abbrevs", case(many_abbrevs, 1_000_000, 1)
    yield "sparse_abbrevs", case(many_abbrevs, 100_000, 1 << 20)
    yield "same_abbrevs", case(many_abbrevs, 100_000, 0)
    yield "tables_at_each_byte", case(tables_at_each_byte, 2_000)
    for i, head in enumerate((b"\0" * 4, b"\xff" * 4, b"\xff" * 12, b"\xff\xff\xff\xff" + struct.pack("=Q", 1 << 62),
                              unit(b"", 0), unit(b"", 1), unit(b"", 6), unit(b"", 65535), unit(b"", length=3),
                              unit(b"", 5), unit(b"\1", abbrev_off=0xFFFFFFFF), struct.pack("=I", 0xFFFFFFF0))):
        yield f"unit_head_{i}", case(head_of, head)
    yield "rows_by_the_million", case(lines, SET + b"\x20" * (4 * MIB))
    yield "rows_at_one_place", case(lines, SET + bytes([18]) * (8 * MIB))
    yield "rows_back_and_forth", case(lines, (SET + b"\1" + FAR + b"\1") * 100_000)
    yield "sequences_over_all", case(lines, (SET + b"\1" + FAR + b"\0\1\1") * 100_000)
    yield "one_program_for_many", case(lines, SET + b"\x20" * MIB, n_units=2_000)
    yield "endless_leb", case(lines, SET + b"\2" + b"\xff" * MIB)
    yield "files_by_the_million", case(lines, SET + b"\1" + FAR + b"\0\1\1", files=b"a\0\0\0\0" * MIB + b"\0")
    yield "long_file_name", case(lines, SET + b"\1" + FAR + b"\0\1\1", files=b"a" * MIB + b"\0\0\0\0\0")
    for k, v in (("line_range", 0), ("max_ops", 0), ("max_ops", 255), ("opcode_base", 0), ("opcode_base", 1),
                 ("opcode_base", 255), ("length", 0), ("length", 0xFFFFFFF0), ("length", 0xFFFFFFFF),
                 ("head_length", 0), ("head_length", 0xFFFFFFFF)):
        yield f"line_{k}_{v:#x}", case(lines, (SET + b"\x20" * 100 + FAR + b"\0\1\1") * 100, **{k: v})
    for version in (0, 2, 3, 4, 5, 6, 65535):
        yield f"line_version_{version}", case(lines, SET + b"\x20" * 100 + FAR + b"\0\1\1", version=version)
    pair = struct.pack("=QQ", CODE, CODE + CODE_BYTES)
    yield "same_range_by_the_million", case(ranges, pair * MIB)
    yield "ranges_of_many", case(ranges, pair * 1_000, n_dies=2_000)
    yield "base_again_and_again", case(ranges, struct.pack("=QQ", (1 << 64) - 1, CODE) * MIB)
    yield "range_backwards", case(ranges, struct.pack("=QQ", CODE + 5, CODE) * 1_000)
    yield "range_around", case(ranges, struct.pack("=QQ", (1 << 64) - 5, 5) * 1_000)
    for kind in range(16):
        yield f"range_list_{kind}", case(ranges, bytes([kind]) + b"\xff" * 4096, version=5, section="rnglists")
    yield "set_of_aranges", case(aranges, struct.pack("=IHIBB", 16 * MIB, 2, 0, 8, 0) + bytes(4) + pair * MIB)
    for i, data in enumerate((b"\xff" * 100, struct.pack("=IHIBB", 0xFFFFFFF0, 2, 0, 8, 0), bytes(MIB),
                              struct.pack("=IHIBB", 8, 2, 0, 0, 0) * 1_000,
                              struct.pack("=IHIBB", 8, 2, 0, 255, 255) * 1_000)):
        yield f"aranges_{i}", case(aranges, data)
    yield "name_of_a_megabyte", case(named, b"a" * MIB + b"\0")
    yield "plain_name_of_a_megabyte", case(named, b"a" * MIB + b"\0", AT_NAME)
    yield "name_without_end", case(named, b"a" * 5000)
    yield "name_of_controls", case(named, bytes(range(1, 256)) + b"\0")
    yield "name_of_broken_utf8", case(named, b"\xc3\x28\xe2\x82\xf0\x9f\x98\xff\xed\xa0\x80\0", AT_NAME)
    yield "name_of_escapes", case(named, b"\x1b[2J\x1b]0;title\7\r\n<script>\0", AT_NAME)
    yield "name_that_doubles", case(named, b"_Z1f" + b"S_".join([b"St4pairIii"] * 40) + b"\0")
    yield "name_that_explodes", case(named, b"_Z1fI" + b"N1aI" * 200 + b"i" + b"EE" * 200 + b"Evv\0")
    yield "name_of_substitutions", case(named, b"_Z1f1aIS_IS_S_EIS0_IS1_S1_EIS2_S2_EEE" + b"S3_" * 300 + b"\0")
    yield "name_of_rust", case(named, deep_rust(400) + b"\0")
    yield "name_of_old_rust", case(named, b"_ZN" + b"9$LT$$u7e$" * 100 + b"17h0123456789abcdefE\0")
    yield "name_of_d", case(named, b"_D" + b"3std" * 300 + b"FZv\0")
    yield "million_symbols", case(symbols, 1_000_000, lambda i: CODE + i % CODE_BYTES, 1)
    yield "symbols_at_one_place", case(symbols, 1_000_000, lambda i: CODE, CODE_BYTES)
    yield "symbols_nested", case(symbols, 500_000, lambda i: CODE + i % 4096, CODE_BYTES)
    yield "symbols_without_size", case(symbols, 500_000, lambda i: CODE + i % CODE_BYTES, 0)
    yield "symbols_of_all_sizes", case(symbols, 100_000, lambda i: CODE + i, (1 << 64) - 1)
    yield "symbols_with_tails", case(symbols, 200_000, lambda i: CODE + i % CODE_BYTES, 1,
                                     names=b"\0" + b"f" * MIB + b"\0", name=lambda i: 1 + i * 5)
    yield "symbols_without_names", case(symbols, 1_000, lambda i: CODE + i, 1, name=0xFFFFFFF0)
    for size in (0, 1, 4096, 64 * MIB, 1 << 30, 1 << 63):
        yield f"zlib_of_{size}", case(packed, 1, size, zlib.compress(bytes(min(size, 64 * MIB) + 1)))
        yield f"zstd_of_{size}", case(packed, 2, size, zstd(bytes(min(size, 16 * MIB) + 1)))
        yield f"old_zlib_of_{size}", case(packed_of_old, size, zlib.compress(bytes(min(size, 64 * MIB) + 1)))
    yield "unknown_compression", case(packed, 3, 100, b"x" * 100)
    yield "broken_zlib", case(packed, 1, 100, b"x" * 100)
    yield "broken_zstd", case(packed, 2, 100, b"x" * 100)
    yield "xz_bomb", case(debugdata, lzma.compress(bytes(300 * MIB), preset=1))
    yield "xz_in_xz", case(debugdata, lzma.compress(lzma.compress(bytes(10 * MIB))))
    yield "broken_xz", case(debugdata, b"\xfd7zXZ\0" + b"x" * 1000)
    rng = random.Random(23)
    for i in range(24):
        yield f"noise_{i}", case(dwarf, rng.randbytes(20_000), rng.randbytes(2_000), line=rng.randbytes(5_000),
                                 str=rng.randbytes(500), ranges=rng.randbytes(5_000), aranges=rng.randbytes(500))


CASES = dict(cases())
