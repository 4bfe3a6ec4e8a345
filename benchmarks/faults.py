"""Shows what a user sees of faults: the line that names one, how long it takes, how much is printed, what is left.

Each fault is a small project whose pytest must end by itself, say what is wrong in the line of pytest's summary, print
few lines, and leave no process behind.

    python benchmarks/faults.py [--small] [WORD ...]     only faults with one of these words in their name
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil
from common import PROGRAMS, program, table, verdict, workshop

TAG = "GOMEM_FAULT"
GIVEN_UP = 120.0  # seconds until a pytest that does not end is killed
SETTLED = 10.0
MOST_LINES = 60
SHOWN = 150  # characters of the first line
SMALL = ("drips its header", "404", "exits in a get", "supervisor is killed")

# Answers `kind`, which is its second argument; /healthz is answered well by those that begin with "then ".
SERVER = """\
import socket, sys, threading, time

port, kind = int(sys.argv[1]), sys.argv[2]
OK = b"HTTP/1.1 200 OK\\r\\n"
HEADS = {"body": OK + b"\\r\\n", "header": OK + b"X-A: ", "status line": b"HTTP/1.1 20", "large": OK + b"\\r\\n"}
EMPTY = b"Content-Length: 0\\r\\nConnection: close\\r\\n\\r\\n"

def answer(connection):
    with connection:
        path = connection.recv(65536).split()[1]
        if kind.startswith("then ") and path == b"/healthz":
            return connection.sendall(OK + EMPTY)
        if kind == "404":
            return connection.sendall(b"HTTP/1.1 404 Not Found\\r\\n" + EMPTY)
        connection.sendall(HEADS[kind.removeprefix("then ")])
        while True:
            connection.sendall(b"x" * (1 << 20 if "large" in kind else 1))
            time.sleep(0 if "large" in kind else 0.1)

def safely(connection):
    try:
        answer(connection)
    except OSError:
        pass

with socket.create_server(("127.0.0.1", port)) as server:
    while True:
        threading.Thread(target=safely, args=(server.accept()[0],), daemon=True).start()
"""
HEALTH = "{http: /healthz, timeout: 2s}"
EMPTY_TEST = """\
def test_it(go_service):
    pass
"""


# Serves for as long as pytest runs.
STRANGER = """\
import atexit, os, socket, subprocess, sys

with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
os.environ["STRANGER"] = str(port)
stranger = subprocess.Popen([sys.executable, "server.py", str(port), "then body"])
atexit.register(stranger.kill)
"""

KEEPS = """\
import pytest


@pytest.mark.gomem(peak_rss="60MB")
def test_it(go_service):
    go_service.get("/keep?mb=70")
"""


@dataclass(frozen=True)
class Fault:
    """A project and what its pytest is to say; CHAOS and PYTHON in its files are paths, FOLDER in its env is its own.

    yaml: gomem.yaml; "" = there is none. files: further ones by name. says: must stand in the summary's line, or in
    that of an error of usage. hides: must stand nowhere. most: seconds.
    """

    name: str
    says: str
    yaml: str
    test: str = EMPTY_TEST
    files: Mapping[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    most: float = 30.0
    env: Mapping[str, str] = field(default_factory=dict)
    hides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What came of one: seconds is None where pytest had to be killed."""

    fault: Fault
    first_line: str
    seconds: float | None
    lines: int
    left: int
    shown: tuple[str, ...] = ()  # of what was to be hidden


def served(name: str, says: str, kind: str, test: str = EMPTY_TEST, timeout: str = "3s", **more: float) -> Fault:
    """A service in Python that answers in a wrong way."""
    yaml = f"""\
version: 1
services:
  api:
    command: [PYTHON, server.py, "{{port}}", "{kind}"]
    ready: {{http: /healthz, timeout: {timeout}}}
"""
    return Fault(name, says, yaml, test, {"server.py": SERVER}, **more)  # type: ignore[arg-type]


def chaos(
    name: str, says: str, mode: str, test: str = EMPTY_TEST, ready: str = "{http: /healthz, timeout: 2s}"
) -> Fault:
    """A service in Go that goes wrong in one of the ways of tests/programs/chaos."""
    yaml = f"""\
version: 1
services:
  api:
    binary: CHAOS
    args: ["--mode", {mode}, "--listen", "127.0.0.1:{{port}}", "--unix", "{{tmp}}/socket"]
    ready: {ready}
"""
    return Fault(name, says, yaml, test)


def requested(call: str) -> str:
    """A test that does one thing with its service."""
    return f"import os, signal\n\n\ndef test_it(go_service):\n    {call}\n"


OTHERS = ("urllib3", "pytest_gomem/", "INTERNALERROR", "got no answer")  # tracebacks of a library, or of ours
SECRET = "hunter2hunter2"
LOGS = """\
version: 1
services:
  api:
    command: [/bin/sh, -c, 'printf "\\033[2J\\033]0;owned\\007 password=$PASSWORD\\n"; exit 3']
    env: {PASSWORD: "${GOMEM_PASSWORD}"}
    ready: {log: never}
"""
SET_UP = """\
import pytest


@pytest.fixture
def database(go_service):
    raise RuntimeError("no database")


def test_it(database):
    pass
"""


def died(name: str, says: str, call: str) -> Fault:
    """A service that dies while its test asks something of it."""
    return replace(chaos(name, f"service 'api': {says}", "serve", requested(call)), hides=OTHERS)


def configured(name: str, says: str, yaml: str) -> Fault:
    """A gomem.yaml that is refused."""
    return Fault(name, says, yaml, hides=(*OTHERS, "\x1b[2J"))


def supervisor_gets(name: str, says: str, number: str) -> Fault:
    """A test in whose midst the supervisor gets a signal."""
    call = f"import psutil; os.kill(psutil.Process(go_service.pid).ppid(), signal.{number})"
    return replace(chaos(name, says, "serve", requested(call)), hides=OTHERS)


def built_by(name: str, says: str, go: str) -> Fault:
    """A service that is built by a Go command of this shell."""
    yaml = "version: 1\nservices:\n  api:\n    build: ./cmd/api\n    agent: false\n"
    env = {"PATH": f"FOLDER/bin{os.pathsep}{os.environ['PATH']}"}
    return Fault(name, says, yaml, files={"bin/go": f"#!/bin/sh\n{go}\n"}, most=60.0, env=env, hides=OTHERS)


LONG = "t" * 90
# Its parent is the supervisor, whose parent is pytest.
KILLS_PYTEST = "kill -9 $(cut -d' ' -f4 /proc/$PPID/stat)"

FAULTS = (
    supervisor_gets("the supervisor is killed", "is gone: it was killed by SIGKILL", "SIGKILL"),
    supervisor_gets("the supervisor is stopped", "is stopped (SIGSTOP, or a debugger): it was given up", "SIGSTOP"),
    built_by("go hangs", "go version` did not answer within 20 s", "exec sleep 300"),
    built_by(
        "pytest is killed in a build",
        "",  # it had no time to say a word
        f"[ $1 = version ] && exec echo go version go1.26.0 linux/amd64; sleep 300 & {KILLS_PYTEST}; sleep 300",
    ),
    Fault(
        "TMPDIR of 90 characters and more",
        "1 passed",
        'version: 1\nservices:\n  api:\n    build: SOURCE\n    args: [--listen, "127.0.0.1:{port}"]\n'
        "    ready: {tcp: true}\n",
        "def test_it(go_service):\n    go_service.free()  # by the agent\n",
        {f"{LONG}/of-ours": " "},
        most=60.0,
        env={"TMPDIR": f"FOLDER/{LONG}"},
    ),
    served("health drips its body", "no whole answer within", "body"),
    served("health drips its header", "no whole answer within", "header"),
    served("health drips its status line", "no whole answer within", "status line"),
    served("health is 404", "it answered with status 404", "404", timeout="1s"),
    served(
        "pprof, expvar and metrics drip",
        "live_heap",
        "then header",
        'import pytest\n\n\n@pytest.mark.gomem(live_heap="1GB")\ndef test_it(go_service):\n    pass\n',
        most=60.0,
    ),
    served("get drips", "no whole answer within 1 s", "then body", requested('go_service.get("/x", timeout="1s")')),
    served("get is endless", "larger than max_body=128MiB", "then large", requested('go_service.get("/x")')),
    served(
        "load drips",
        "4 of 4 requests failed: 4 x timeout",
        "then body",
        requested('go_service.load("/x", requests=1000, connections=4, timeout="1s")'),
    ),
    chaos("never listens", "connection refused", "idle"),
    chaos("listens on a unix socket", "connection refused", "unix"),
    chaos("speaks TLS", "HTTPS server", "tls"),
    chaos("speaks HTTP/2 alone", "no HTTP/1.1 came back", "http2"),
    chaos("get over HTTP/2 alone", "no HTTP/1.1 came back", "http2", requested('go_service.get("/x")'), "{tcp: true}"),
    chaos("a daemon", "follow: true", "daemon"),
    chaos("a daemon that lingers", "follow: true", "late-daemon", requested("__import__('time').sleep(1)")),
    chaos("several share the port", "tree: true", "prefork"),
    Fault(
        "a stranger has the port",
        "which is no process of this service",
        """\
version: 1
services:
  api:
    command: [sleep, "300"]
    ready: {http: "http://127.0.0.1:${STRANGER}/healthz"}
""",
        files={"server.py": SERVER, "conftest.py": STRANGER},
    ),
    Fault(
        "a shell starts the service",
        "peak_rss is ",
        """\
version: 1
services:
  api:
    command: [sh, -c, "CHAOS -listen 127.0.0.1:{port}; exit $?"]
    ready: {http: /healthz}
""",
        KEEPS,
    ),
    Fault(
        "the package is a library",
        "is no package main: there is no program to run",
        "version: 1\nservices: {api: {build: ./.}}\n",
        files={
            "go.mod": "module example.com/api\n\ngo 1.21\n",
            "lib.go": "package api\n",
            "cmd/api/main.go": "package main\n\nfunc main() {}\n",
        },
    ),
    chaos(
        "stopped in a test",
        "no whole answer within 1 s",
        "serve",
        requested('os.kill(go_service.pid, signal.SIGSTOP); go_service.get("/pid", timeout="1s")'),
    ),
    died("exits in a get", "ended with exit status 3", 'go_service.get("/exit?code=3")'),
    died("exits in a load", "ended with exit status 3", 'go_service.load("/exit?code=3", requests=9, connections=3)'),
    died("panics in a get", "panicked: boom (exit status 2)", 'go_service.get("/panic")'),
    died("is killed in a get", "was killed by SIGKILL", 'os.kill(go_service.pid, 9); go_service.get("/pid")'),
    replace(chaos("set-up fails behind a service", "RuntimeError: no database", "serve", SET_UP), hides=OTHERS),
    Fault(
        "escapes and a secret in a log",
        "password=${GOMEM_PASSWORD}",
        LOGS,
        env={"GOMEM_PASSWORD": SECRET},
        hides=(*OTHERS, SECRET, "\x1b[2J"),
    ),
    configured("escapes in a key", r"'a\x1b[2Jb\nforged'", 'version: 1\nservices: {}\n"a\\e[2Jb\\nforged": 1\n'),
    configured("gomem.yaml of 100 MB", "is larger than 1 MiB", "version: 1\n" * 9_000_000),
    configured("a million brackets", "is nested too deeply", "a: " + "[" * 1_000_000),
    configured("half a million values", "holds more than 10000 values", "a: [" + "1," * 500_000 + "]"),
    configured("no gomem.yaml", "there is no gomem.yaml, which says how", ""),
)


def seen(fault: Fault, folder: Path, binary: Path) -> Seen:
    """Run the project's pytest to its end."""
    folder.mkdir()
    for name, text in {
        "gomem.yaml": fault.yaml,
        "test_it.py": fault.test,
        "pytest.ini": "[pytest]\n",
        **fault.files,
    }.items():
        if not text:
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        paths = {"CHAOS": str(binary), "PYTHON": sys.executable, "SOURCE": str(PROGRAMS / "server")}
        (folder / name).write_text(replaced(text, paths))
        (folder / name).chmod(0o755)
    mark = f"{os.getpid()}-{folder.name}"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *fault.args]
    env = {name: replaced(value, {"FOLDER": str(folder)}) for name, value in fault.env.items()}
    began = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **env, TAG: mark, "CI": "1"},  # with CI, pytest leaves the lines of its summary whole
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as pytest:
        try:
            text, seconds = pytest.communicate(timeout=GIVEN_UP)[0], time.monotonic() - began
        except subprocess.TimeoutExpired:
            pytest.kill()
            text, seconds = pytest.communicate()[0], None
    left = still_there(mark)
    for process in left:
        process.kill()
    lines = text.splitlines()
    summary = [line.partition(" - ")[2] for line in lines if line.startswith(("FAILED ", "ERROR "))]
    usage = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    shown = tuple(word for word in fault.hides if word in text)
    return Seen(fault, (summary or usage or lines[-1:] or [""])[0], seconds, len(lines), len(left), shown)


def replaced(text: str, words: Mapping[str, str]) -> str:
    """A text with other words in it."""
    for word, other in words.items():
        text = text.replace(word, other)
    return text


def still_there(mark: str) -> list[psutil.Process]:
    """What lives SETTLED seconds after pytest's end: where that was killed, the supervisor ends the others after it."""
    deadline = time.monotonic() + SETTLED
    while left := [process for process in psutil.process_iter() if _has(process, mark)]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return left


def _has(process: psutil.Process, mark: str) -> bool:
    try:
        return bool(process.environ().get(TAG) == mark)
    except (psutil.Error, OSError):
        return False


def missed(one: Seen) -> list[str]:
    """What is not as it must be."""
    fault, faults = one.fault, []
    if one.seconds is None or one.seconds > fault.most:
        faults.append(f"does not end within {fault.most:g} s")
    if fault.says not in one.first_line:
        faults.append(f"does not say '{fault.says}': {one.first_line}")
    if one.lines > MOST_LINES:
        faults.append(f"prints {one.lines} lines")
    faults += [f"shows {word!r}" for word in one.shown]
    if one.left:
        faults.append(f"leaves {one.left} processes")
    return [f"{fault.name}: {words}" for words in faults]


def main() -> int:
    """Run the faults, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="only faults with one of these in their name")
    parser.add_argument("--small", action="store_true", help="some of them, for CI")
    asked = parser.parse_args()
    words = SMALL if asked.small else asked.words
    chosen = [fault for fault in FAULTS if not words or any(word in fault.name for word in words)]
    with workshop() as folder:
        binary = program("chaos", folder)
        all_seen = [seen(fault, folder / str(number), binary) for number, fault in enumerate(chosen)]
    rows = [
        (one.fault.name, "-" if one.seconds is None else f"{one.seconds:.1f}", one.lines, one.left) for one in all_seen
    ]
    table("faults: what it costs to be told", ("fault", "seconds", "lines printed", "processes left"), rows)
    print("\nthe first line")
    for one in all_seen:
        print(f"  {one.fault.name}: {one.first_line[:SHOWN]}")
    return verdict([line for one in all_seen for line in missed(one)])


if __name__ == "__main__":
    sys.exit(main())
