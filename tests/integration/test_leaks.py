# SPDX-License-Identifier: Apache-2.0
"""The daemon, built with AddressSanitizer and UBSan, through ten rotations: no error and no leak."""

import signal
import subprocess
import time

import pytest

from conftest import TESTS, write_config
from cprofd_run import Cprofd, environment, finish, profiles


@pytest.fixture(scope="module")
def sanitized(build_dir):
    """cprofd of a second build, beside ours, with the sanitizers."""
    out = build_dir.with_name(build_dir.name + "-san")
    subprocess.run(["make", "-s", "-j2", "-C", TESTS.parent, "SAN=address,undefined", f"O={out}",
                    "all"], check=True)
    return Cprofd(out / "cprofd")


def test_ten_rotations(sanitized, start, tmp_path):
    out = tmp_path / "profiles"
    config = write_config(tmp_path, out, window="1s")
    start("split_c", 60)
    start("shortlived", 60)
    start("dlopen", 20, start.__self__.folder / "libdlopen_late.so")
    daemon = sanitized.popen("--config", config, env=environment(
        ASAN_OPTIONS="detect_leaks=1:exitcode=99", UBSAN_OPTIONS="print_stacktrace=1:exitcode=98"))
    time.sleep(11.5)
    daemon.send_signal(signal.SIGTERM)
    run = finish(daemon, 60)
    for word in ("AddressSanitizer", "LeakSanitizer", "runtime error"):
        assert word not in run.stderr, run.stderr
    assert run.status == 0, run.stderr
    times = {p.time_nanos // 10**9 for p in profiles(out).values()}
    assert len(times) >= 10
