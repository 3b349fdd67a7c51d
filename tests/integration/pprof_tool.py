# SPDX-License-Identifier: Apache-2.0
"""go tool pprof, run offline on files that it must not symbolize itself."""

import re
import shutil
import socket
import subprocess
import time
import urllib.request
from dataclasses import dataclass


@dataclass
class Row:
    """A line of -top: flat and cum in samples."""

    flat: int
    cum: int


class Pprof:
    def __init__(self, binary):
        self.binary = binary  # what "go tool pprof" runs; itself, so that it can be stopped

    def argv(self, *args):
        return [self.binary, "-symbolize=none", *map(str, args)]

    def __call__(self, *args):
        """Runs it and returns its standard output as bytes; fails where it complains."""
        done = subprocess.run(self.argv(*args), capture_output=True, timeout=120, check=False)
        err = done.stderr.decode()
        assert done.returncode == 0, err
        for word in ("rror", "unrecognized", "malformed", "failed"):
            assert word not in err, err
        return done.stdout

    def text(self, *args):
        return self(*args).decode()

    def top(self, *paths, options=()):
        """(total samples, function -> Row) as -top prints them."""
        text = self.text("-top", "-nodecount=100000", "-nodefraction=0", "-sample_index=samples",
                         *options, *paths)
        total = re.search(r"of (\d+) total|^Showing nodes accounting for (\d+), 100%", text, re.M)
        rows = {}
        for line in text.splitlines():
            m = re.match(r"\s*(-?\d+)\s+-?[\d.]+%\s+-?[\d.]+%\s+(-?\d+)\s+-?[\d.]+%\s+(.*)$", line)
            if m:
                rows[m[3].removesuffix(" (inline)")] = Row(int(m[1]), int(m[2]))
        assert total, text
        return int(total[1] or total[2]), rows

    def http_pages(self, *paths, pages=("", "top", "flamegraph", "peek", "source")):
        """Serves PATHS with -http and returns page name -> HTML."""
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        server = subprocess.Popen(
            self.argv(f"-http=127.0.0.1:{port}", "-no_browser", *paths),
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            _wait_for_port(port, server)
            return {page: _fetch(f"http://127.0.0.1:{port}/ui/{page}") for page in pages}
        finally:
            server.kill()
            server.communicate()


def _wait_for_port(port, server):
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert server.poll() is None, server.stderr.read().decode()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("pprof -http does not listen")


def _fetch(url):
    # No proxy: this is our own machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=60) as answer:
        assert answer.status == 200
        return answer.read().decode()


def find():
    """The tool, or None where go is not installed."""
    go = shutil.which("go")
    if not go:
        return None
    done = subprocess.run([go, "tool", "-n", "pprof"], capture_output=True, check=False)
    return Pprof(done.stdout.decode().strip()) if done.returncode == 0 else None
