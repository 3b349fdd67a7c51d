# SPDX-License-Identifier: Apache-2.0
"""Programs with a known split of work: shares, names, files, lines and inline chains are right."""

from dataclasses import dataclass

import pytest

from cprofd_run import TESTS, assert_share, function_lines


@dataclass
class Split:
    program: str
    source: str
    names: tuple  # in the profile: seventy, twenty, ten, one_round
    definitions: tuple  # in the source
    system_name: str  # part of the linker's name of the first


SPLITS = [
    Split("split_c", "split.c", ("seventy", "twenty", "ten", "one_round"),
          ("seventy", "twenty", "ten", "one_round"), "seventy"),
    Split("split_cc", "split.cc",
          ("work::Engine::seventy", "work::twenty", "work::ten", "work::Engine::one_round"),
          ("Engine::seventy", "twenty", "ten", "Engine::one_round"), "_ZN4work6Engine7seventy"),
    Split("split_rs", "split.rs",
          ("split_rs::seventy", "split_rs::twenty", "split_rs::ten", "split_rs::one_round"),
          ("seventy", "twenty", "ten", "one_round"), "split_rs7seventy"),
    Split("split_go", "split.go", ("main.seventy", "main.twenty", "main.ten", "main.oneRound"),
          ("seventy", "twenty", "ten", "oneRound"), "main.seventy"),
]


@pytest.fixture(params=SPLITS, ids=lambda s: s.program)
def split(request, busy_host):
    if request.param.program not in busy_host.targets:
        pytest.skip(f"{request.param.program}: its compiler is not installed")
    return request.param


def plain(name):
    """A name without parameter lists, template arguments and Rust's hash."""
    head = name.split("(")[0].split("<")[0]
    return head.split(" ")[-1].split("::h0")[0]


def matches(name, wanted):
    return plain(name) == wanted or plain(name).rpartition("::h")[0] == wanted


def in_file(line, source):
    return line.function.filename.endswith("/tests/programs/" + source)


def work_samples(profile, split):
    """Samples within one_round(), which is where all work is; what is outside is a clock or an interrupt."""
    return [s for s in profile.samples if any(matches(n, split.names[3]) for n in s.names())]


def test_shares(busy_host, split):
    profile = busy_host.of(split.program)
    samples = work_samples(profile, split)
    total = sum(s.count for s in samples)
    assert total >= 100, "too few samples to say anything"
    assert total >= 0.97 * profile.total, "work is missing from the stacks"
    for name, share in zip(split.names, (0.7, 0.2, 0.1)):
        count = sum(s.count for s in samples if any(matches(n, name) for n in s.names()))
        assert_share(count, total, share, name)


def test_shares_in_go_tool_pprof(busy_host, split, pprof):
    path = busy_host.path_of(busy_host.targets[split.program].pid)
    total, rows = pprof.top(path)
    assert total == busy_host.profiles[path].total
    work = next(row.cum for name, row in rows.items() if matches(name, split.names[3]))
    for name, share in zip(split.names, (0.7, 0.2, 0.1)):
        row = next((r for n, r in rows.items() if matches(n, name)), None)
        assert row, f"{name} is not in -top: {list(rows)}"
        assert_share(row.cum, work, share, f"-top {name}")


def test_lines(busy_host, split):
    """Every frame of ours has its file, a line within its function, and the line of its declaration."""
    profile = busy_host.of(split.program)
    seen = set()
    for loc in profile.locations:
        for line in loc.lines:
            for name, definition in zip(split.names, split.definitions):
                if not matches(line.function.name, name):
                    continue
                first, last = function_lines(split.source, definition)
                assert in_file(line, split.source), line.function.filename
                assert first <= line.line <= last, f"{name}: line {line.line}"
                assert line.function.start_line in (first, 0 if split.source.endswith("go") else first)
                seen.add(name)
    assert seen == set(split.names)


def test_inline_chain(busy_host, split):
    """ten() has no frame of its own: its location has two lines, itself and then one_round()."""
    profile = busy_host.of(split.program)
    inlined = 0
    for s in work_samples(profile, split):
        leaf = s.locations[0]
        if not matches(leaf.lines[0].function.name, split.names[2]):
            continue
        inlined += s.count
        assert len(leaf.lines) == 2, [line.function.name for line in leaf.lines]
        assert matches(leaf.lines[1].function.name, split.names[3])
        first, last = function_lines(split.source, split.definitions[3])
        assert first < leaf.lines[1].line <= last
    assert inlined > 0


def test_callers_are_at_the_call(busy_host, split):
    """The line of a caller is that of the call, not of what comes after it."""
    profile = busy_host.of(split.program)
    first, last = function_lines(split.source, split.definitions[3])
    source = source_lines(split.source)
    for s in work_samples(profile, split):
        for callee, caller in zip(s.locations, s.locations[1:]):
            if not matches(callee.lines[-1].function.name, split.names[0]):
                continue
            outer = caller.lines[0]
            assert matches(outer.function.name, split.names[3]), outer.function.name
            assert first <= outer.line <= last
            assert "seventy(x)" in source[outer.line - 1]


def source_lines(name):
    return (TESTS / "programs" / name).read_text().splitlines()


def test_system_names(busy_host, split):
    profile = busy_host.of(split.program)
    for function in profile.functions:
        if matches(function.name, split.names[0]):
            assert split.system_name in (function.system_name or function.name)


def test_list_shows_the_source(busy_host, split, pprof):
    path = busy_host.path_of(busy_host.targets[split.program].pid)
    text = pprof.text("-list", "seventy", path)
    assert "x << 13" in text or "x<<13" in text.replace(" ", ""), text


def test_main_binary_comes_first(busy_host, split):
    profile = busy_host.of(split.program)
    assert profile.mappings[0].filename.endswith("/" + split.program)
    if split.program != "split_go":  # older Go versions write no GNU build id
        assert len(profile.mappings[0].build_id) >= 16


def test_command_name(busy_host, split):
    assert busy_host.of(split.program).label_values("comm") == {split.program}
