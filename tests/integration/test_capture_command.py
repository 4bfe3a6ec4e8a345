"""The command `gomem capture`: a profile of a real service as it came, and what it says when there is none to keep."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import io
import json
import os
import signal
import socket
import subprocess
import threading
import time

import psutil
import pytest
from looking import pprof_tool

from pytest_gomem.commands.cli import main
from pytest_gomem.pprof.read import read_profile


def run(*argv):
    out, err = io.StringIO(), io.StringIO()
    return main(["capture", *map(str, argv)], out, err), out.getvalue(), err.getvalue()


@pytest.fixture
def service(launch, programs):
    """A service with two ports, of which one has pprof."""
    args = ["--listen", "127.0.0.1:{port}", "--admin", "127.0.0.1:{port:admin}"]
    return launch(binary=programs["server"], args=args, ready={"http": "/healthz"})


@pytest.fixture
def answering():
    """Starts an HTTP server that answers every request with a function of the path, and gives its address."""
    servers = []

    def answering(answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, body, *told = answer(self.path)
                self.send_response(status)
                self.send_header("Content-Length", str(*told or (len(body),)))
                self.end_headers()
                with contextlib.suppress(OSError):  # who asked has given up
                    self.wfile.write(body)

            def log_message(self, *args):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return f"127.0.0.1:{server.server_port}"

    yield answering
    for server in servers:
        server.shutdown()
        server.server_close()


def test_each_profile_of_a_service(service, tmp_path):
    """By URL and by process id, in every kind; the file is what the service sent, and `go tool pprof` opens it."""
    admin = f"127.0.0.1:{service.ports['admin']}"
    heap = tmp_path / "heap.pb.gz"
    status, out, err = run(f"http://{admin}/debug/pprof/heap?debug=1", "-o", heap, "--json")
    assert (status, err) == (0, "")
    answer = json.loads(out)
    assert {key: answer[key] for key in ("file", "url", "profile", "bytes")} == {
        "file": str(heap),
        "url": f"http://{admin}/debug/pprof",
        "profile": "heap",
        "bytes": heap.stat().st_size,
    }
    assert list(answer["sample_types"]) == ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"]
    assert read_profile(heap).sample_types[3].type == "inuse_space"
    for target, kind, type_ in ((service.child.pid, "allocs", "alloc_space"), (admin, "goroutine", "goroutine")):
        file = tmp_path / f"{kind}.pb.gz"
        status, out, err = run(target, f"--{kind}", "-o", file)
        assert (status, err) == (0, "")
        assert f"{kind} profile of http://{admin}/debug/pprof" in out
        assert type_ in {kind.type for kind in read_profile(file).sample_types}
        peer = subprocess.run([pprof_tool(), "-top", "-symbolize=none", file], capture_output=True, text=True)
        assert peer.returncode == 0, peer.stderr
    status, out, _ = run(admin, "--allocs", "--seconds", "1", "-o", tmp_path / "delta.pb.gz")
    assert status == 0
    assert read_profile(tmp_path / "delta.pb.gz").duration_nanos >= 1e9
    assert not list(tmp_path.glob("*.part"))


def test_what_is_no_file_is_written_to_and_not_replaced(answering, tmp_path):
    """As for every file of ours: a link keeps its place, since in that of /dev/stdout nobody wants a profile."""
    url = answering(lambda path: (200, PROFILE))
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there.pb.gz")
    assert run(url, "-o", link)[0] == 0
    assert link.is_symlink()
    assert (tmp_path / "there.pb.gz").read_bytes() == PROFILE


PROFILE = gzip.compress(b"\x0a\x04\x08\x01\x10\x02\x32\x00\x32\x05space\x32\x05bytes")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((404, b"404 page not found\n"), "/heap?gc=1 answered 404: 404 page not found"),
        ((500, b"Could not enable\nmore"), "answered 500: Could not enable"),
        ((200, b"<!DOCTYPE html><html>login</html>"), "an HTML page, not a profile"),
        ((200, PROFILE[:-9]), "gzip data that is cut short"),
        ((200, PROFILE[:20] + b"\xff" + PROFILE[21:]), "damaged gzip data"),
        ((200, b""), "empty: no profile was written"),
        ((200, b"hello"), "not a pprof profile"),
        ((200, PROFILE, 10_000), "answer cut off"),
    ],
)
def test_answers_that_are_no_profile(answering, tmp_path, answer, says):
    """One line says what came; the file that was there stays."""
    kept = tmp_path / "heap.pb.gz"
    kept.write_bytes(b"old")
    status, out, err = run(answering(lambda path: answer), "-o", kept)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("heap.pb.gz", b"old")]


def test_the_bytes_are_kept_as_they_came(answering, tmp_path):
    """Nothing is packed anew."""
    assert run(answering(lambda path: (200, PROFILE)), "-o", tmp_path / "p")[0] == 0
    assert (tmp_path / "p").read_bytes() == PROFILE


def connected(service):
    """Whether somebody of this process is connected with its admin port."""
    port = service.ports["admin"]
    return any(c.raddr and c.raddr.port == port for c in psutil.Process().net_connections("tcp"))


def test_a_service_that_hangs_or_dies_meanwhile(service, answering, tmp_path):
    """A timeout is told as one, and so is the end of the process; nothing is written."""
    gate = threading.Event()
    address = answering(lambda path: (200, PROFILE if gate.wait(30) else b""))
    status, _, err = run(address, "--timeout", "0.2", "-o", tmp_path / "p")
    gate.set()
    assert status == 2
    assert "got no whole answer within 0.2 s" in err

    def kill():
        while not connected(service):
            time.sleep(0.01)
        os.kill(service.child.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    status, _, err = run(f"127.0.0.1:{service.ports['admin']}", "--allocs", "--seconds", "20", "-o", tmp_path / "p")
    killer.join()
    assert status == 2
    assert any(words in err for words in ("closed without an answer", "connection reset"))
    assert err.count("\n") == 1
    assert not list(tmp_path.glob("p*"))


def test_processes_that_cannot_be_asked(programs, launch, start):
    """No such process, no port, no pprof behind the ports: each is said."""
    assert "there is no process 4194305" in run(4194305)[2]
    sleeper = start("sleep", "100")
    assert f"pid {sleeper.pid} listens on no TCP port: give the pprof URL of the service" in run(sleeper.pid)[2]
    os.kill(sleeper.pid, signal.SIGSTOP)
    while psutil.Process(sleeper.pid).status() != psutil.STATUS_STOPPED:
        time.sleep(0.01)
    assert f"process {sleeper.pid} is stopped (state T): send it SIGCONT" in run(sleeper.pid)[2]
    bare = launch(binary=programs["server"], args=["--listen", "127.0.0.1:{port}"], ready={"http": "/healthz"})
    status, _, err = run(bare.child.pid)
    assert status == 2
    assert f"no pprof endpoint found (http://127.0.0.1:{bare.ports['']}/debug/pprof" in err
    assert "import net/http/pprof in the service, or name its URL in place of the process id" in err
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert "connection refused" in run(f"http://127.0.0.1:{unused.getsockname()[1]}")[2]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "the following arguments are required: URL|PID"),
        (["a", "b"], "unrecognized arguments: b"),
        (["ftp://host"], "'ftp://host' is neither a process id nor an address"),
        (["http://"], "is neither a process id nor an address"),
        (["host:99999"], "is neither a process id nor an address"),
        (["1", "--heap", "--goroutine"], "argument --goroutine: not allowed with argument --heap"),
        (["1", "--seconds", "5"], "--seconds works only with --allocs"),
        (["1", "--allocs", "--seconds", "0"], "argument --seconds: 0 is not a number of seconds above 0"),
        (["1", "--allocs", "--seconds", "nan"], "argument --seconds: nan is not"),
        (["1", "--timeout", "soon"], "argument --timeout: soon is not"),
    ],
)
def test_bad_arguments(argv, says):
    """One line and status 2."""
    status, out, err = run(*argv)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1


def test_help_is_an_answer():
    """It says what may be asked."""
    assert run("--help")[1].startswith("usage: gomem capture ")
