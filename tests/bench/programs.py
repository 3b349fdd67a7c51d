# SPDX-License-Identifier: Apache-2.0
"""The programs that tests/bench/unwind profiles, with work for each: mostly Debian's own, stripped.

A program is a function that is given a Place. It returns either Attach(pid), a server that runs under load and is
profiled with all its children, or Command(argv), which is started under cprofd and never ends by itself.
It raises Missing where it cannot be run here. All is below a scratch directory; the Place ends what was started.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

WORKLOADS = Path(__file__).resolve().parent / "workloads"
SQLITE_IN_GO = "github.com/mattn/go-sqlite3@v1.14.24"  # carries SQLite as one C file


class Missing(Exception):
    pass


@dataclass
class Attach:
    pid: int


@dataclass
class Command:
    argv: list


class Place:
    """A scratch directory, and the processes that were started in it, which are ended with it."""

    def __init__(self, folder, programs):
        self.folder = Path(folder)
        self.programs = programs  # where tests/programs are built
        self.started = []
        self.user = None

    def unprivileged(self):
        """From here on programs run as nobody, who owns the directory."""
        shutil.chown(self.folder, "nobody", "nogroup")
        self.user = {"user": "nobody", "group": "nogroup", "extra_groups": []}

    def need(self, *commands, more_path=""):
        """The path of the first of COMMANDS; all must be there."""
        path = "/usr/bin:/usr/sbin:/bin:/sbin:/usr/local/bin:" + more_path + ":" + os.environ.get("PATH", "")
        found = [shutil.which(command, path=path) for command in commands]
        for command, where in zip(commands, found):
            if not where:
                raise Missing(f"{command} is not installed")
        return found[0]

    def program(self, name):
        if not (self.programs / name).exists():
            raise Missing(f"tests/programs/{name} was not built")
        return str(self.programs / name)

    def _options(self, log):
        env = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "GOCACHE", "GOPROXY")}
        env |= {"HOME": str(self.folder), "TMPDIR": str(self.folder), "LC_ALL": "C.UTF-8"}
        return {"cwd": self.folder, "env": env, "stdin": subprocess.DEVNULL, "stdout": log,
                "stderr": subprocess.STDOUT, **(self.user or {})}

    def start(self, *argv):
        """Runs ARGV until the end; its own session, so that its children can be ended too."""
        with open(self.folder / f"{len(self.started)}.log", "w", encoding="utf-8") as log:
            process = subprocess.Popen([str(a) for a in argv], start_new_session=True,
                                       **self._options(log))
        self.started.append(process)
        return process

    def run(self, *argv, timeout=120):
        done = subprocess.run([str(a) for a in argv], check=False, timeout=timeout,
                              **self._options(subprocess.PIPE))
        if done.returncode:
            last = done.stdout.decode(errors="replace").strip().splitlines()[-1:]
            raise Missing(f"{Path(argv[0]).name} failed: {' '.join(last)}")
        return done.stdout

    def wait(self, ready, what, seconds=20):
        end = time.monotonic() + seconds
        while not ready():
            if time.monotonic() > end:
                raise Missing(f"{what} does not start")
            time.sleep(0.1)

    def stop(self):
        for process in reversed(self.started):
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                pass
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")
        return self.folder / name


def again(script):
    """SCRIPT, in the shell, again and again. It fails rather than to loop over nothing."""
    return Command(["sh", "-ec", f"while :; do {script}; done >/dev/null"])


# ---- servers under load -----------------------------------------------------------------------


def postgres(place):
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name))
    if not binaries or not (binaries[-1] / "postgres").exists():
        raise Missing("postgresql is not installed")
    pg = binaries[-1]
    place.unprivileged()
    data, at = place.folder / "data", ("-h", place.folder, "-U", "bench")
    place.run(pg / "initdb", "-D", data, "-U", "bench", "-A", "trust", "--no-sync")
    server = place.start(pg / "postgres", "-D", data, "-k", place.folder, "-c", "listen_addresses=",
                         "-c", "fsync=off", "-c", "shared_buffers=64MB")
    place.wait((place.folder / ".s.PGSQL.5432").exists, "postgres")
    time.sleep(0.5)
    place.run(pg / "pgbench", *at, "-i", "-s", "4", "-q", "postgres")
    place.start(pg / "pgbench", *at, "-c", "4", "-T", "600", "-n", "-b", "tpcb-like@1",
                "-b", "select-only@5", "postgres")
    return Attach(server.pid)


def redis(place):
    server, load = place.need("redis-server"), place.need("redis-benchmark")
    place.unprivileged()
    sock = place.folder / "sock"
    process = place.start(server, "--port", "0", "--unixsocket", sock, "--save", "", "--dir", place.folder)
    place.wait(sock.exists, "redis-server")
    place.start(load, "-s", sock, "-l", "-q", "-n", "50000", "-r", "20000", "-P", "4", "-t",
                "set,get,incr,lpush,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100,mset")
    return Attach(process.pid)


NGINX = """daemon off; pid {0}/pid; error_log {0}/error.log; worker_processes 1;
events {{ }}
http {{
    access_log {0}/access.log; gzip on; gzip_types text/plain; default_type text/plain;
    client_body_temp_path {0}/b; proxy_temp_path {0}/p; fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u;
    scgi_temp_path {0}/s;
    server {{
        listen 127.0.0.1:{1}; root {0};
        location ~ ^/x(.*)-([0-9]+)$ {{ rewrite ^/x(.*)-([0-9]+)$ /page$1.txt?$2 last; }}
        location /proxy {{ proxy_pass http://127.0.0.1:{1}/page.txt; }}
    }}
}}
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def nginx(place):
    server, load = place.need("nginx"), place.need("wrk")
    port = free_port()
    place.write("page.txt", Path(__file__).read_text(encoding="utf-8"))
    config = place.write("nginx.conf", NGINX.format(place.folder, port))
    script = place.write("load.lua", """local paths = {"/x-12345", "/page.txt", "/proxy", "/missing"}
local i = 0
request = function()
   i = i + 1
   return wrk.format("GET", paths[i % 4 + 1], {["Accept-Encoding"] = i % 8 < 4 and "gzip" or "none"})
end
""")
    place.unprivileged()
    process = place.start(server, "-c", config, "-p", place.folder, "-e", place.folder / "error.log")

    def ready():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/page.txt"):
                return True
        except (urllib.error.URLError, ConnectionError):
            return False

    place.wait(ready, "nginx")
    place.start(load, "-t", "1", "-c", "16", "-d", "600s", "-s", script, f"http://127.0.0.1:{port}/")
    return Attach(process.pid)


# ---- interpreters -----------------------------------------------------------------------------


def python3(place):
    return Command([place.need("/usr/bin/python3"), "-I", WORKLOADS / "work.py"])


def ruby(place):
    return Command([place.need("ruby"), WORKLOADS / "work.rb"])


def perl(place):
    return Command([place.need("/usr/bin/perl"), WORKLOADS / "work.pl"])


def php(place):
    return Command([place.need("php"), WORKLOADS / "work.php"])


def node(place):
    return Command([place.need("/usr/bin/node"), WORKLOADS / "work.js"])


def java(place):
    place.run(place.need("javac"), "-d", place.folder, WORKLOADS / "Work.java")
    return Command([place.need("java"), "-XX:+PreserveFramePointer", "-XX:-UsePerfData", "-Xmx256m", "-cp", place.folder,
                    "Work"])


# ---- compilers --------------------------------------------------------------------------------


def sqlite_in_one_file(place):
    """SQLite's amalgamation, which Debian does not package, from the Go module proxy; None without a network."""
    if not shutil.which("go"):
        return None
    done = subprocess.run(["go", "mod", "download", "-json", SQLITE_IN_GO], capture_output=True,
                          cwd=place.folder, check=False, timeout=120)
    if done.returncode:
        return None
    return str(Path(json.loads(done.stdout)["Dir"]) / "sqlite3-binding.c")


def made_c(place):
    """A C file of 2,000 functions, where there is none that others wrote."""
    text = "#include <stdio.h>\n#include <string.h>\n#include <stdlib.h>\nint f0(int x) { return x; }\n"
    for i in range(1, 2000):
        text += (f"int f{i}(int x) {{ int a[{i % 13 + 2}] = {{x, {i}}}; for (int i = 0; i < {i % 7 + 2};"
                 f" i++) {{ switch (x % 5) {{ case 0: x += f{i - 1}(x / 2); break; case 1: x ^= a[i & 1];"
                 f' break; case 2: printf("%d", x); break; default: x -= {i}; }} }} return x; }}\n')
    return str(place.write("made.c", text))


def gcc(place):
    cc, source = place.need("gcc"), sqlite_in_one_file(place) or made_c(place)
    return again(f"{cc} -O2 -g -c -w -o {place.folder}/x.o {source}")


def clang(place):
    cc = place.need("clang++", "g++")
    return again(f"{cc} -std=c++17 -O2 -g -c -o {place.folder}/x.o {WORKLOADS}/work.cc")


# ---- codecs, archives, data -------------------------------------------------------------------


def x264(place):
    encoder, film = place.need("x264"), place.folder / "film.y4m"
    place.run(place.need("ffmpeg"), "-f", "lavfi", "-i", "mandelbrot=s=640x360:r=25", "-t", "3",
              "-pix_fmt", "yuv420p", film)
    return again(f"{encoder} --quiet --no-progress --preset medium -o /dev/null {film} 2>/dev/null")


def ffmpeg(place):
    tool = place.need("ffmpeg")
    return again(f"{tool} -v error -f lavfi -i testsrc2=s=640x360 -f lavfi -i sine=440 -t 60 "
                 "-vf scale=480:-2,unsharp -c:v mpeg4 -c:a aac -f null -")


def archive(place, megabytes=16):
    """Libraries and modules of this host in one file."""
    path = place.folder / "archive"
    with open(path, "wb") as out:
        for source in sorted(Path("/usr/lib/python3").rglob("*.py")) + sorted(
                Path("/usr/lib/x86_64-linux-gnu").glob("*.so")):
            if out.tell() > megabytes << 20:
                break
            if source.is_file():
                out.write(source.read_bytes()[: 1 << 20])
    return path


def xz(place):
    tool, source = place.need("xz"), archive(place)
    return again(f"{tool} -6 -T2 -k -f {source}; {tool} -d -c {source}.xz; {tool} -t {source}.xz")


def zstd(place):
    tool, source = place.need("zstd"), archive(place)
    return again(f"{tool} -q -b1 -e12 -i0 {source} >/dev/null 2>&1; {tool} -q -T2 -9 -f {source}; "
                 f"{tool} -q -t {source}.zst")


def sqlite3(place):
    tool = place.need("sqlite3")
    return again(f"{tool} -batch :memory: <{WORKLOADS}/work.sql")


def git(place):
    tool = place.need("git")
    repository = place.folder / "repository"
    repository.mkdir()
    files = [p for p in sorted(Path("/usr/lib").glob("python3.*/*.py"))
             or sorted(Path(os.__file__).parent.glob("*.py")) if p.is_file()][:120]
    config = ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "-C", repository]
    place.run(tool, *config, "init", "-q")
    for revision in range(12):
        for i, path in enumerate(files):
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
            keep = [line for n, line in enumerate(lines) if (n + i) % 12 <= revision]
            (repository / path.name).write_text("".join(keep), encoding="utf-8")
        place.run(tool, *config, "add", "-A")
        place.run(tool, *config, "commit", "-q", "-m", f"revision {revision}")
    it = f"{tool} -C {repository}"
    return again(f"{it} fsck --full 2>/dev/null; {it} repack -adfq; {it} log -p --stat; {it} blame argparse.py; "
                 f"{it} grep -n 'def .*self'; {it} diff --word-diff HEAD~5; {it} archive HEAD")


def openssl(place):
    tool = place.need("openssl")
    ciphers = ("aes-128-gcm aes-256-gcm aes-256-cbc chacha20-poly1305 camellia-256-cbc sha256 sha512 md5 "
               "sha3-256 blake2b512 aes-256-xts sha1 sm4-cbc")
    loop = "; ".join(f"{tool} speed -seconds 1 -bytes 4096 -evp {c} 2>/dev/null" for c in ciphers.split())
    return again(f"{tool} speed -seconds 1 rsa2048 ecdsap256 ecdhx25519 ed25519 ecdsap384 2>/dev/null & {loop}; "
                 "wait")


# ---- our own: what a language does to a stack -------------------------------------------------


def cxx(place):
    return Command([place.program("throw"), "1000"])


def go(place):
    return Command([place.program("garbage"), "1000"])


def rust(place):
    return Command([place.program("panics"), "1000"])


ALL = {"postgres": postgres, "redis-server": redis, "nginx": nginx, "python3": python3, "ruby": ruby,
       "perl": perl, "php": php, "node": node, "java": java, "gcc": gcc, "clang": clang, "x264": x264,
       "ffmpeg": ffmpeg, "xz": xz, "zstd": zstd, "sqlite3": sqlite3, "git": git, "openssl": openssl,
       "c++": cxx, "go": go, "rust": rust}
OURS = ["throw", "garbage", "panics"]
