# SPDX-License-Identifier: Apache-2.0
"""go tool pprof takes our files, alone and merged from ten windows, and every total equals the samples."""

import re
import shutil

import pytest

import pprof_file

REPORTS = ("-top", "-tree", "-peek=seventy", "-list=seventy", "-traces", "-tags", "-callgrind",
           "-raw", "-dot", "-lines -top", "-files -top", "-addresses -top")


@pytest.fixture(scope="module")
def one(busy_host):
    return busy_host.path_of(busy_host.targets["split_c"].pid)


@pytest.fixture(scope="module")
def ten(ten_windows):
    """Ten windows of one process."""
    return ten_windows.paths_of("split_c")[:10]


def total_of(paths):
    return sum(pprof_file.read(path).total for path in paths)


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("which", ["alone", "ten windows merged"])
def test_reports(report, which, one, ten, pprof):
    paths = [one] if which == "alone" else ten
    text = pprof.text(*report.split(), *paths)
    assert "seventy" in text or "split" in text  # -files and -tags name no function
    assert "<unknown>" not in text


def test_svg(one, ten, pprof):
    if not shutil.which("dot"):
        pytest.skip("graphviz is not installed")
    for paths in ([one], ten):
        assert b"<svg" in pprof("-svg", *paths)


def test_web_pages(one, ten, pprof):
    for paths in ([one], ten):
        for page, html in pprof.http_pages(*paths).items():
            # Go before 1.20 shows only source that it can disassemble, and it knows no build ids: for a
            # program that has one the page is empty. The source itself is test_list_shows_the_source().
            if page != "source":
                assert "seventy" in html, f"/ui/{page}"


def test_total_equals_samples(one, ten, pprof):
    for paths in ([one], ten):
        total, rows = pprof.top(*paths)
        assert total == total_of(paths)
        assert sum(row.flat for row in rows.values()) == total


def test_raw_counts_every_sample(one, ten, pprof):
    for paths in ([one], ten):
        text = pprof.text("-raw", *paths)
        body = text[text.index("Samples:") : text.index("Locations")]
        counts = [int(m[1]) for m in re.finditer(r"^\s+(\d+)\s+\d+: ", body, re.M)]
        assert sum(counts) == total_of(paths)


def test_whole_host_merges(busy_host, pprof):
    total, _ = pprof.top(*busy_host.profiles)
    assert total == sum(p.total for p in busy_host.profiles.values())


def test_difference_with_itself_is_nothing(one, pprof):
    text = pprof.text("-top", "-sample_index=samples", "-nodefraction=0", f"-diff_base={one}", one)
    assert "seventy" not in text or re.search(r"^\s*0\s+0%.*seventy", text, re.M), text


def test_difference_of_two_windows(ten, pprof):
    total, rows = pprof.top(ten[1], options=(f"-diff_base={ten[0]}",))
    a, b = pprof_file.read(ten[0]), pprof_file.read(ten[1])
    assert total == a.total  # percentages are of the base
    change = rows["seventy"].flat if "seventy" in rows else 0
    assert change == b.flat("seventy") - a.flat("seventy")


def test_merged_file_is_a_profile(ten, pprof, tmp_path):
    """What pprof writes from ten windows still holds all samples and labels."""
    merged = tmp_path / "merged.pb.gz"
    merged.write_bytes(pprof("-proto", "-output=/dev/stdout", *ten))
    p = pprof_file.read(merged)
    assert p.total == total_of(ten)
    assert len(p.label_values("pid")) == 1
    assert p.time_nanos == min(pprof_file.read(path).time_nanos for path in ten)


def test_tags(busy_host, pprof):
    text = pprof.text("-tags", busy_host.path_of(busy_host.targets["threads"].pid))
    for word in ("pid:", "tid:", "thread:", "comm:", "alpha", "beta", "gamma"):
        assert word in text


def test_focus_on_a_tid(busy_host, pprof):
    """Numeric labels can be selected by range, which needs their unit to be right."""
    path = busy_host.path_of(busy_host.targets["threads"].pid)
    p = busy_host.profiles[path]
    tid = next(s.number("tid") for s in p.samples if s.labels["thread"] == "alpha")
    _, rows = pprof.top(path, options=(f"-tagfocus=tid={tid}tid:{tid}tid",))
    assert sum(row.flat for row in rows.values()) == p.count(lambda s: s.number("tid") == tid)
