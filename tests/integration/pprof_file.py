# SPDX-License-Identifier: Apache-2.0
"""Reads a pprof file and checks it, sharing no code with what wrote it.

read(path) gives a Profile in which everything is looked up; check(path) raises Invalid for
whatever breaks profile.proto, what `go tool pprof` and Parca demand, or what we promise of our files.
"""

import gzip
import re
import struct
from dataclasses import dataclass, field


class Invalid(Exception):
    pass


# ---- the wire format --------------------------------------------------------------------------


def _varint(buf, pos):
    value = shift = 0
    while True:
        if pos >= len(buf) or shift > 63:
            raise Invalid("truncated or overlong varint")
        byte = buf[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, pos
        shift += 7


def _fields(buf):
    """Yields (number, wire type, value): int for varints, bytes for the rest."""
    pos = 0
    while pos < len(buf):
        key, pos = _varint(buf, pos)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, pos = _varint(buf, pos)
        elif wire == 1:
            value, pos = struct.unpack_from("<Q", buf, pos)[0], pos + 8
        elif wire == 2:
            size, pos = _varint(buf, pos)
            value, pos = buf[pos : pos + size], pos + size
            if len(value) != size:
                raise Invalid("truncated field")
        elif wire == 5:
            value, pos = struct.unpack_from("<I", buf, pos)[0], pos + 4
        else:
            raise Invalid(f"wire type {wire}")
        yield number, wire, value


def _signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


def _repeated_ints(wire, value):
    if wire == 0:
        return [value]
    out, pos = [], 0
    while pos < len(value):
        item, pos = _varint(value, pos)
        out.append(item)
    return out


def _message(buf, names, repeated=()):
    """A sub-message of numbers only, as a dict with all of NAMES (field number -> name)."""
    out = {name: [] if name in repeated else 0 for name in names.values()}
    for number, wire, value in _fields(buf):
        name = names.get(number)
        if name in repeated:
            out[name] += [value] if isinstance(value, bytes) and name == "line" else _repeated_ints(
                wire, value
            )
        elif name:
            out[name] = value
    return out


# ---- what a profile is ------------------------------------------------------------------------


@dataclass
class Mapping:
    id: int
    start: int
    limit: int
    offset: int
    filename: str
    build_id: str
    has: tuple  # functions, filenames, line numbers, inline frames


# Of a location that is in none: a frame that says something instead of being one.
NO_MAPPING = Mapping(0, 0, 0, 0, "", "", (True,) * 4)


@dataclass
class Function:
    id: int
    name: str
    system_name: str
    filename: str
    start_line: int


@dataclass
class Line:
    function: Function
    line: int


@dataclass
class Location:
    id: int
    mapping: Mapping
    address: int
    lines: list  # innermost first
    is_folded: bool


@dataclass
class Sample:
    locations: list  # leaf first
    values: list
    labels: dict  # key -> str, or (number, unit)

    @property
    def count(self):
        return self.values[0]

    def names(self):
        """Function names, leaf first, inlined ones too."""
        return [line.function.name for loc in self.locations for line in loc.lines]

    def number(self, key):
        return self.labels[key][0]


@dataclass
class Profile:
    sample_types: list = field(default_factory=list)  # (type, unit)
    samples: list = field(default_factory=list)
    mappings: list = field(default_factory=list)
    locations: list = field(default_factory=list)
    functions: list = field(default_factory=list)
    strings: list = field(default_factory=list)
    comments: list = field(default_factory=list)
    period_type: tuple = ("", "")
    period: int = 0
    time_nanos: int = 0
    duration_nanos: int = 0

    @property
    def total(self):
        return sum(s.count for s in self.samples)

    def count(self, wanted):
        """How many samples WANTED(sample) is true for."""
        return sum(s.count for s in self.samples if wanted(s))

    def flat(self, name):
        """Samples whose innermost function is NAME."""
        return self.count(lambda s: s.names()[0] == name)

    def cum(self, name):
        """Samples with NAME anywhere on the stack."""
        return self.count(lambda s: name in s.names())

    def label_values(self, key):
        return {s.labels[key] for s in self.samples if key in s.labels}

    def comment(self, prefix):
        """What follows PREFIX in the one comment that starts with it."""
        found = [c[len(prefix) :].strip() for c in self.comments if c.startswith(prefix)]
        if len(found) != 1:
            raise Invalid(f"{len(found)} comments start with {prefix!r}: {self.comments}")
        return found[0]


_VALUE_TYPE = {1: "type", 2: "unit"}
_SAMPLE = {1: "location_id", 2: "value", 3: "label"}
_LABEL = {1: "key", 2: "str", 3: "num", 4: "num_unit"}
_MAPPING = {1: "id", 2: "start", 3: "limit", 4: "offset", 5: "filename", 6: "build_id",
            7: "has_functions", 8: "has_filenames", 9: "has_line_numbers", 10: "has_inline_frames"}
_LOCATION = {1: "id", 2: "mapping_id", 3: "address", 4: "line", 5: "is_folded"}
_LINE = {1: "function_id", 2: "line", 3: "column"}
_FUNCTION = {1: "id", 2: "name", 3: "system_name", 4: "filename", 5: "start_line"}


def _raw(buf):
    """The top-level fields, undecoded: number -> list of values."""
    raw = {}
    for number, wire, value in _fields(buf):
        if number in (7, 8, 9, 10, 12, 14, 15) and number in raw:
            raise Invalid(f"field {number} occurs twice: concatenated profiles?")
        values = _repeated_ints(wire, value) if number == 13 else [value]
        raw.setdefault(number, []).extend(values)
    return raw


class _Builder:
    def __init__(self, raw):
        self.raw = raw
        self.strings = []
        for value in raw.get(6, []):
            try:
                self.strings.append(value.decode("utf-8"))
            except UnicodeDecodeError as e:
                raise Invalid(f"string {value!r} is not UTF-8") from e
        if not self.strings or self.strings[0] != "":
            raise Invalid("string 0 is not empty")

    def text(self, index):
        if index >= len(self.strings):
            raise Invalid(f"string index {index} of {len(self.strings)}")
        return self.strings[index]

    def value_type(self, buf):
        m = _message(buf, _VALUE_TYPE)
        return self.text(m["type"]), self.text(m["unit"])

    def objects(self, number, names, make, repeated=()):
        """Decodes one table and checks that its ids are 1, 2, 3 ... in order."""
        table = []
        for i, buf in enumerate(self.raw.get(number, []), 1):
            m = _message(buf, names, repeated)
            if m["id"] != i:
                raise Invalid(f"id {m['id']} where {i} is expected (field {number})")
            table.append(make(m))
        return table

    def pick(self, table, index, what):
        if not 1 <= index <= len(table):
            raise Invalid(f"{what} {index} does not exist")
        return table[index - 1]

    def mapping(self, m):
        return Mapping(m["id"], m["start"], m["limit"], m["offset"], self.text(m["filename"]),
                       self.text(m["build_id"]), tuple(bool(m[k]) for k in list(_MAPPING.values())[6:]))

    def function(self, m):
        return Function(m["id"], self.text(m["name"]), self.text(m["system_name"]),
                        self.text(m["filename"]), m["start_line"])

    def location(self, m, functions, mappings):
        lines = []
        for buf in m["line"]:
            line = _message(buf, _LINE)
            lines.append(Line(self.pick(functions, line["function_id"], "function"), line["line"]))
        mapping = self.pick(mappings, m["mapping_id"], "mapping") if m["mapping_id"] else NO_MAPPING
        return Location(m["id"], mapping, m["address"], lines, bool(m["is_folded"]))

    def sample(self, buf, locations, n_types):
        ids, values, labels = [], [], {}
        for number, wire, value in _fields(buf):
            if number == 1:
                ids += _repeated_ints(wire, value)
            elif number == 2:
                values += [_signed(v) for v in _repeated_ints(wire, value)]
            elif number == 3:
                self.label(value, labels)
        if len(values) != n_types:
            raise Invalid(f"{len(values)} values for {n_types} sample types")
        return Sample([self.pick(locations, i, "location") for i in ids], values, labels)

    def label(self, buf, labels):
        m = _message(buf, _LABEL)
        key = self.text(m["key"])
        if not key or key in labels:
            raise Invalid(f"label {key!r} is empty or occurs twice")
        if m["str"]:
            labels[key] = self.text(m["str"])
        else:
            labels[key] = (_signed(m["num"]), self.text(m["num_unit"]))


def parse(buf):
    """Decodes an uncompressed profile."""
    raw = _raw(buf)
    b = _Builder(raw)
    p = Profile(strings=b.strings)
    p.sample_types = [b.value_type(v) for v in raw.get(1, [])]
    p.mappings = b.objects(3, _MAPPING, b.mapping)
    p.functions = b.objects(5, _FUNCTION, b.function)
    p.locations = b.objects(4, _LOCATION, lambda m: b.location(m, p.functions, p.mappings),
                            repeated=("line",))
    p.samples = [b.sample(v, p.locations, len(p.sample_types)) for v in raw.get(2, [])]
    p.comments = [b.text(i) for i in raw.get(13, [])]
    if 11 in raw:
        p.period_type = b.value_type(raw[11][0])
    p.period = raw.get(12, [0])[0]
    p.time_nanos = raw.get(9, [0])[0]
    p.duration_nanos = raw.get(10, [0])[0]
    return p


def read(path):
    with gzip.open(path) as f:
        return parse(f.read())


# ---- what we promise --------------------------------------------------------------------------


def _expect(truth, text):
    if not truth:
        raise Invalid(text)


def _check_header(p, gz):
    _expect(gz[4:8] == b"\0\0\0\0", "gzip header has a time stamp: the bytes would differ")
    _expect(p.sample_types == [("samples", "count"), ("cpu", "nanoseconds")],
            f"sample types {p.sample_types}")
    _expect(p.period_type == ("cpu", "nanoseconds"), f"period type {p.period_type}")
    _expect(p.period > 0, "no period")
    _expect(p.time_nanos > 1_600_000_000 * 10**9, f"time_nanos {p.time_nanos}")
    _expect(p.duration_nanos > 0, "no duration")


def _check_mappings(p):
    _expect(p.mappings, "no mapping")
    for m in p.mappings:
        _expect(all(m.has), f"has_* of {m.filename} is {m.has}")
        _expect(m.start < m.limit, f"{m.filename} spans {m.start:#x}-{m.limit:#x}")
        _expect(m.build_id == m.build_id.lower(), f"build id {m.build_id} is not lower case")
        _expect(all(c in "0123456789abcdef" for c in m.build_id), f"build id {m.build_id}")
        _expect(not m.filename.endswith(" (deleted)"), f"{m.filename} says deleted")
    kernel = [i for i, m in enumerate(p.mappings) if m.filename.startswith("[kernel")]
    _expect(kernel in ([], [len(p.mappings) - 1]), "the kernel's mapping is not the last")


def _check_locations(p):
    for loc in p.locations:
        _expect(loc.lines, f"location {loc.id} has no line")
        _expect(not loc.is_folded, f"location {loc.id} is folded")
        for line in loc.lines:
            _expect(line.function.name, f"location {loc.id}: a function without a name")
            _expect(loc.mapping is not NO_MAPPING or re.fullmatch(r"\[[^()<>]+\]", line.function.name),
                    f"location {loc.id}: {line.function.name} is in no mapping")
            _expect(0 <= line.line < 1 << 31, f"location {loc.id}: line {line.line}")


def _check_samples(p):
    for s in p.samples:
        _expect(s.locations, "a sample without a location")
        _expect(s.values[0] > 0, f"a sample that counts {s.values[0]}")
        _expect(s.values[1] == s.values[0] * p.period, f"values {s.values}, period {p.period}")
        for key, unit in (("pid", "pid"), ("tid", "tid")):
            value = s.labels.get(key)
            _expect(isinstance(value, tuple), f"label {key} is {value!r}, not a number")
            _expect(value[1] == unit, f"label {key} has the unit {value[1]!r}")
        for key in ("thread", "comm"):
            _expect(isinstance(s.labels.get(key), str), f"label {key}: {s.labels.get(key)!r}")


def _check_references(p):
    """Nothing in the tables that no sample uses, but for the mappings; no control characters."""
    locations = {loc.id for s in p.samples for loc in s.locations}
    _expect(len(locations) == len(p.locations), "locations that no sample has")
    functions = {line.function.id for loc in p.locations for line in loc.lines}
    _expect(len(functions) == len(p.functions), "functions that no location has")
    for text in p.strings:
        _expect(text.isprintable() or text == "", f"control characters in {text!r}")


def accounting(p):
    """The numbers of the accounting comment, whose identities are checked."""
    numbers = {}
    for word in p.comment("samples:").split():
        key, _, value = word.partition("=")
        _expect(key not in numbers and value.isdigit(), f"accounting word {word!r}")
        numbers[key] = int(value)
    for key in ("expected", "kept", "idle", "filtered", "lost"):
        _expect(key in numbers, f"no {key} in the accounting: {numbers}")
    parts = numbers["kept"] + numbers["idle"] + numbers["filtered"] + numbers["lost"]
    _expect(numbers["expected"] == parts, f"expected is not the sum of its parts: {numbers}")
    reasons = sum(v for k, v in numbers.items() if k.startswith("lost."))
    _expect(numbers["lost"] == reasons, f"lost is not the sum of its reasons: {numbers}")
    return numbers


def check(path):
    """Raises Invalid unless the file at PATH is all that we promise. Returns the profile."""
    with open(path, "rb") as f:
        gz = f.read()
    _expect(gz[:2] == b"\x1f\x8b", f"{path} is not gzip")
    try:
        p = parse(gzip.decompress(gz))
        _check_header(p, gz)
        _check_mappings(p)
        _check_locations(p)
        _check_samples(p)
        _check_references(p)
        accounting(p)
    except (Invalid, EOFError, OSError, struct.error) as e:
        raise Invalid(f"{path}: {e}") from e
    return p
