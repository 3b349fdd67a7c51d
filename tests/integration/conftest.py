# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the built cprofd, the test programs, and recordings that several tests look at.

CPROFD_BUILD names the build directory. Recordings are made once per session, since each takes seconds.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

import cprofd_run
import pprof_tool

TESTS = Path(__file__).resolve().parents[1]


def pytest_configure(config):
    if os.geteuid() != 0:
        pytest.exit("the integration tests need root: cprofd loads BPF programs", returncode=1)
    # Whoever runs us in the background may have had Ctrl-C ignored, and programs inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def mount_namespaces():
    """For tests that mount in a namespace of their own."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace to be had: not allowed, or our root is no mount point (a chroot)")


@pytest.fixture(scope="session")
def build_dir():
    return Path(os.environ["CPROFD_BUILD"]).resolve()


@pytest.fixture(scope="session")
def programs(build_dir):
    """The folder of the test programs, built."""
    out = build_dir / "tests" / "programs"
    subprocess.run([TESTS / "programs" / "build", out], check=True)
    return out


@pytest.fixture(scope="session")
def cprofd(build_dir):
    """Runs the cprofd of this build: cprofd("--pid", 7, ...) -> Run."""
    binary = build_dir / "cprofd"
    assert binary.exists(), f"{binary} is not built"
    return cprofd_run.Cprofd(binary)


@pytest.fixture(scope="session")
def pprof():
    tool = pprof_tool.find()
    if not tool:
        pytest.skip("go is not installed: no go tool pprof")
    return tool


@pytest.fixture
def start(programs):
    """Starts a test program and ends it after the test: start("split_c", 5) -> Target."""
    with cprofd_run.Targets(programs) as targets:
        yield targets.start


@pytest.fixture(scope="session")
def busy_host(cprofd, programs, tmp_path_factory):
    """One recording of the whole host while most test programs run: what `--all` gives."""
    out = tmp_path_factory.mktemp("busy_host")
    seconds = 24
    with cprofd_run.Targets(programs) as targets:
        for language in ("split_c", "split_cc", "split_rs", "split_go"):
            if (programs / language).exists():
                targets.start(language, 60)
        targets.start("threads", 60)
        targets.start("syscalls", 60)
        targets.start("deep", 60, 100)
        targets.start("idle", 60)
        run = cprofd("--all", "--seconds", seconds, "-o", out)
        assert run.status == 0, run.stderr
        return cprofd_run.Recording(out, run, dict(targets.by_name), seconds)


def write_config(folder, out, window, more=""):
    """A config for the daemon that writes below OUT; returns its path."""
    path = folder / "cprofd.conf"
    path.write_text(f"[sampling]\nfrequency = 99\n[output]\ndirectory = {out}\nwindow = {window}\n"
                    f"min_samples = 5\n{more}")
    return path


class Windows(cprofd_run.Recording):
    """What a daemon left, with the length of its windows in seconds."""

    window = 2

    def paths_of(self, name):
        """The files of that target alone, in order of time, partial windows left out."""
        wanted = {(self.targets[name].pid, "pid")}
        found = [path for path, p in self.profiles.items() if p.label_values("pid") == wanted]
        return sorted(found)[1:-1]


@pytest.fixture(scope="session")
def ten_windows(cprofd, programs, tmp_path_factory):
    """A daemon run of ten whole windows and the partial ones before and after."""
    folder = tmp_path_factory.mktemp("daemon")
    out = folder / "profiles"
    config = write_config(folder, out, f"{Windows.window}s")
    seconds = 12 * Windows.window + 0.5
    with cprofd_run.Targets(programs) as targets:
        targets.start("split_c", 120)
        targets.start("shortlived", 120)
        daemon = cprofd.popen("--config", config)
        time.sleep(seconds)
        assert daemon.poll() is None, daemon.stderr.read().decode()
        daemon.send_signal(signal.SIGTERM)
        run = cprofd_run.finish(daemon, 30)
        return Windows(out, run, dict(targets.by_name), seconds)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 512 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder],
                          capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a tmpfs: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def pytest_terminal_summary(terminalreporter):
    """Leaves the counts where tests/run-integration and quickstart add them up."""
    path = os.environ.get("CPROFD_COUNTS")
    if not path:
        return
    stats = terminalreporter.stats
    skipped = stats.get("skipped", [])
    lines = [f"passed {len(stats.get('passed', []))}",
             f"failed {len(stats.get('failed', [])) + len(stats.get('error', []))}",
             f"skipped {len(skipped)}"]
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        lines.append(f"skip {report.nodeid}: {reason.removeprefix('Skipped: ')}")
        terminalreporter.write_line("SKIP " + lines[-1].removeprefix("skip "))
    Path(path).write_text("\n".join(lines) + "\n")
