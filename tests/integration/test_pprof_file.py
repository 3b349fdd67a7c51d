# SPDX-License-Identifier: Apache-2.0
"""The reader and the checker of the other tests, themselves tested: against protoc, and on broken files."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest

import pprof_file

PROTO = Path(__file__).resolve().parents[2] / "proto" / "profile.proto"

GOOD = """
sample_type { type: 1 unit: 2 } sample_type { type: 3 unit: 4 }
sample { location_id: 1 location_id: 2 value: 2 value: 20
  label { key: 5 num: 7 num_unit: 5 } label { key: 6 num: 8 num_unit: 6 }
  label { key: 7 str: 8 } label { key: 9 str: 8 } }
mapping { id: 1 memory_start: 4096 memory_limit: 8192 filename: 10 build_id: 11
  has_functions: true has_filenames: true has_line_numbers: true has_inline_frames: true }
location { id: 1 mapping_id: 1 address: 4100 line { function_id: 1 line: 3 } }
location { id: 2 mapping_id: 1 address: 4200
  line { function_id: 1 line: 4 } line { function_id: 2 line: 5 } }
function { id: 1 name: 12 system_name: 12 filename: 13 start_line: 2 }
function { id: 2 name: 14 system_name: 14 filename: 13 }
string_table: "" string_table: "samples" string_table: "count" string_table: "cpu"
string_table: "nanoseconds" string_table: "pid" string_table: "tid" string_table: "thread"
string_table: "worker" string_table: "comm" string_table: "/bin/x" string_table: "ab12"
string_table: "leaf" string_table: "/src/x.c" string_table: "root" string_table: "%s"
time_nanos: 1700000000000000000 duration_nanos: 5 period_type { type: 3 unit: 4 } period: 10
comment: 15
"""
ACCOUNTING = "samples: expected=10 kept=2 idle=7 filtered=0 lost=1 lost.ring_full=1"


def write(tmp_path, text, accounting=ACCOUNTING):
    if not shutil.which("protoc"):
        pytest.skip("protoc is not installed")
    done = subprocess.run(
        ["protoc", f"-I{PROTO.parent}", "--encode=perftools.profiles.Profile", str(PROTO)],
        input=(text % accounting).encode(), capture_output=True, check=True)
    path = tmp_path / "x.pb.gz"
    path.write_bytes(gzip.compress(done.stdout, mtime=0))
    return path


def test_reads_what_protoc_wrote(tmp_path):
    p = pprof_file.check(write(tmp_path, GOOD))
    assert p.total == 2
    sample = p.samples[0]
    assert sample.names() == ["leaf", "leaf", "root"]
    assert sample.labels == {"pid": (7, "pid"), "tid": (8, "tid"), "thread": "worker",
                             "comm": "worker"}
    assert p.mappings[0].build_id == "ab12"
    assert p.functions[0].start_line == 2
    assert pprof_file.accounting(p)["lost.ring_full"] == 1


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("location_id: 2 value", "location_id: 3 value", "location 3"),
        ("value: 2 value: 20", "value: 2 value: 21", "values"),
        ("value: 2 value: 20", "value: 2", "1 values"),
        ("function_id: 2", "function_id: 9", "function 9"),
        ("location { id: 2", "location { id: 3", "id 3 where 2"),
        ("has_filenames: true", "", "has_"),
        ("line { function_id: 1 line: 3 }", "", "no line"),
        ("label { key: 6 num: 8 num_unit: 6 }", "", "label tid"),
        ("num: 7 num_unit: 5", "num: 7", "unit"),
        ("time_nanos: 1700000000000000000", "", "time_nanos"),
        ("build_id: 11", "build_id: 13", "build id"),
        ('string_table: "" ', 'string_table: "x" ', "string 0"),
    ],
)
def test_refuses_a_broken_file(tmp_path, old, new, complaint):
    assert GOOD.count(old) == 1
    with pytest.raises(pprof_file.Invalid, match=complaint):
        pprof_file.check(write(tmp_path, GOOD.replace(old, new)))


@pytest.mark.parametrize(
    "accounting",
    [
        "samples: expected=11 kept=2 idle=7 filtered=0 lost=1 lost.ring_full=1",
        "samples: expected=10 kept=2 idle=7 filtered=0 lost=1 lost.ring_full=2",
        "samples: expected=10 kept=2 idle=8 lost=0",
        "nothing",
    ],
)
def test_refuses_accounts_that_do_not_add_up(tmp_path, accounting):
    with pytest.raises(pprof_file.Invalid):
        pprof_file.check(write(tmp_path, GOOD, accounting))


def test_refuses_a_truncated_file(tmp_path):
    path = write(tmp_path, GOOD)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(pprof_file.Invalid):
        pprof_file.check(path)
