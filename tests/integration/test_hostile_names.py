# SPDX-License-Identifier: Apache-2.0
"""cprofd-symbolizer asked for the names of files that are made to be dear (hostile_names.py): each is answered,
cheaply, within little memory, with clean text, and by the same process as the others."""

import re

import pytest

import hostile_names
from symbolizer_worker import Failed, Worker

# The collector gives a question 5 s of CPU. Real files, the largest too, take less than one.
CPU_SECONDS_MAX = 3.0
PEAK_MIB_MAX = 600
FRAMES_MAX = 3 << 20
N_ADDRESSES = 2000


@pytest.fixture(scope="module")
def measured(request):
    rows = []
    yield rows
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{len(rows)} hostile files, the dearest:")
        print("\n".join(f"{name:28} {cpu:5.2f} s CPU {peak:4} MiB  {answer}"
                        for name, cpu, peak, answer in sorted(rows, key=lambda m: -m[1])[:10]))


def check_text(addrs):
    for a in addrs:
        for f in a.frames:
            for text in (f.name, f.system_name, f.filename):
                assert not re.search("[\x00-\x1f\x7f\ufffd]", text), repr(text)
                assert len(text) <= 4096


@pytest.mark.parametrize("name", hostile_names.CASES)
def test_dear_names(tmp_path, measured, name):
    hostile = tmp_path / "hostile"
    hostile_names.CASES[name](hostile)
    offs = [hostile_names.CODE_AT + i * hostile_names.CODE_BYTES // N_ADDRESSES for i in range(N_ADDRESSES)]
    w = Worker()
    w.sock.settimeout(30)
    before = w.cpu_seconds()
    try:
        addrs, _ = w.symbolize(hostile, offs)
        answer = f"{sum(bool(a.frames) for a in addrs)} named"
        assert sum(len(a.frames) for a in addrs) <= FRAMES_MAX
        check_text(addrs)
    except Failed as e:
        answer = e.args[1]
    cpu, peak = w.cpu_seconds() - before, w.peak_kib() // 1024
    measured.append((name, cpu, peak, answer))
    # Also as what belongs to another file; and the process goes on.
    w.symbolize("/bin/true", [0x4000], debug=hostile, alt=hostile, split=hostile)
    hostile.unlink()
    assert w.symbolize("/bin/true", [0x4000])[0]
    assert w.close() == 0
    assert cpu <= CPU_SECONDS_MAX, f"{cpu} s"
    assert peak <= PEAK_MIB_MAX, f"{peak} MiB"
