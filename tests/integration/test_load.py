"""Loads: sent by a real driver process to a real HTTP server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest

from pytest_gomem.base.errors import LoadError
from pytest_gomem.load.driver import Schedule, in_parallel, run_load
from pytest_gomem.load.drivers import LoadDriver
from pytest_gomem.load.failures import judge_load
from pytest_gomem.load.spec import LoadSpec

PATIENCE = 30.0  # seconds until a test gives up; none comes near when all is well


@contextmanager
def serving(answer):
    """A keep-alive server in threads; `answer(request)` gives its status and body, or None for having answered."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_one_request(self):
            try:
                super().handle_one_request()
            except ConnectionError:
                self.close_connection = True

        def do_GET(self):
            self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if (told := answer(self)) is not None:
                self.send_response(told[0])
                self.send_header("Content-Length", str(len(told[1])))
                self.end_headers()
                self.wfile.write(told[1])

        do_POST = do_GET  # noqa: N815 - http.server looks it up by this name

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def driver():
    driver = LoadDriver()
    yield driver
    driver.close()


def processes_of_drivers():
    def is_driver(child):
        try:
            return any("load.driver" in argument for argument in child.cmdline())
        except psutil.Error:  # it has just ended
            return False

    return [child for child in psutil.Process().children() if is_driver(child)]


def gone(pid):
    """Whether the process has ended; one that nobody has waited for yet has ended too."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


@pytest.mark.parametrize("connections", [1, 4, 16])
def test_fixed_work_is_exact_and_shared_fairly(driver, connections):
    """Exactly the requests asked for arrive, over exactly the connections asked for, in equal shares."""
    seen = []
    with serving(lambda request: seen.append(request.client_address) or (200, b"ok")) as url:
        record = driver.run(LoadSpec.of(url, "/", requests=50, connections=connections))
    assert (record.requests, record.errors, len(record.latencies), record.statuses) == (50, 0, 50, (("200", 50),))
    shares = Counter(seen).values()
    assert len(shares) == connections
    assert sum(shares) == 50
    assert max(shares) - min(shares) <= 1
    assert 0 < max(record.latencies) <= record.duration
    assert record.rate_asked is None
    assert record.rate_achieved is None


def test_no_more_connections_than_requests(driver):
    """Connections without a request to send are not opened."""
    seen = set()
    with serving(lambda request: seen.add(request.client_address) or (200, b"")) as url:
        assert driver.run(LoadSpec.of(url, "/", requests=2, connections=5)).requests == 2
    assert len(seen) == 2


def test_all_connections_work_at_once(driver):
    """With four connections four requests are in flight together: the server answers none before it has all."""
    together = threading.Barrier(4)

    def answer(request):
        together.wait(PATIENCE)
        return 200, b""

    with serving(answer) as url:
        assert driver.run(LoadSpec.of(url, "/", requests=8, connections=4)).errors == 0


def test_each_connection_has_a_thread():
    """However short its work, no thread does that of two connections."""
    assert len(set(in_parallel([threading.get_ident] * 16))) == 16


def test_two_loads_at_once(driver):
    """Loads from two threads run side by side: the server answers neither before it has both."""
    together = threading.Barrier(2)
    records = []

    def answer(request):
        together.wait(PATIENCE)
        return 200, b""

    with serving(answer) as url:
        spec = LoadSpec.of(url, "/", requests=1)
        threads = [threading.Thread(target=lambda: records.append(driver.run(spec))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [record.errors for record in records] == [0, 0]


def test_what_is_sent(driver):
    """Method, path, headers and body of the load reach the server."""
    seen = []

    def answer(request):
        seen.append((request.command, request.path, request.headers["X-Mine"], request.body))
        return 200, b""

    with serving(answer) as url:
        driver.run(
            LoadSpec.of(f"{url}/api", "/up?a=1", method="POST", body=b"\0\xff", headers={"X-Mine": "y"}, requests=1)
        )
    assert seen == [("POST", "/api/up?a=1", "y", b"\0\xff")]


def test_answers_are_read_whole(driver):
    """A body in chunks and a connection that the server closes after each answer are no errors."""

    def answer(request):
        request.send_response(200)
        request.send_header("Transfer-Encoding", "chunked")
        request.send_header("Connection", "close")
        request.end_headers()
        for _ in range(3):
            request.wfile.write(b"80000\r\n" + b"x" * 0x80000 + b"\r\n")
        request.wfile.write(b"0\r\n\r\n")

    with serving(answer) as url:
        assert driver.run(LoadSpec.of(url, "/", requests=4, connections=2)).statuses == (("200", 4),)


def test_failing_statuses_are_errors_by_status(driver):
    """Statuses from 400 on are errors, counted apart, and answered requests have a latency whatever the status."""
    turn = iter([200, 503, 302, 404, 503])
    with serving(lambda request: (next(turn), b"words")) as url:
        record = driver.run(LoadSpec.of(url, "/", requests=5))
    assert record.statuses == (("200", 1), ("302", 1), ("404", 1), ("503", 2))
    assert (record.errors, len(record.latencies)) == (3, 5)


def test_late_answers_are_errors_without_a_latency(driver):
    """A request that nobody answered in time counts as a timeout, and its waiting is no latency."""
    over = threading.Event()
    with serving(lambda request: over.wait(PATIENCE) and None) as url:
        record = driver.run(LoadSpec.of(url, "/", requests=3, connections=3, timeout=0.05))
        over.set()
    assert (record.statuses, record.errors, record.latencies) == ((("timeout", 3),), 3, ())


MORTAL = """
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count

turns = count(1)

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if next(turns) > 5:
            os._exit(1)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def test_a_server_that_dies_in_the_middle(driver):
    """Every request is accounted for: what the server answered before its death, and the rest as errors by kind."""
    with subprocess.Popen([sys.executable, "-c", MORTAL], stdout=subprocess.PIPE, text=True) as server:
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        record = driver.run(LoadSpec.of(url, "/", requests=40, connections=4))
    outcomes = dict(record.statuses)
    answered = outcomes.pop("200", 0)
    assert record.requests == 40
    assert answered <= 5
    assert record.errors == sum(outcomes.values()) == 40 - answered
    assert outcomes.keys() <= {"connection refused", "connection reset", "closed without an answer"}
    with pytest.raises(LoadError, match=f"{record.errors} of 40 requests failed: "):
        judge_load(record, allow_errors=False, allow_missed_rate=False)


def test_an_open_loop_sends_its_plan(driver):
    """With a connection for each request nothing is late: rate x duration requests arrive, at the rate asked for."""
    with serving(lambda request: (200, b"")) as url:
        record = driver.run(LoadSpec.of(url, "/", rate=10, duration="2s", connections=20))
    assert (record.requests, record.errors, record.rate_asked, record.rate_achieved) == (20, 0, 10.0, 10.0)
    judge_load(record, allow_errors=False, allow_missed_rate=False)


def test_a_slow_service_misses_the_rate_and_cannot_hide_its_queue(driver):
    """Latency counts from when a request was due: the n-th answer of a slow service is late by all those before it."""
    takes, interval = 0.05, 0.01

    def answer(request):
        time.sleep(takes)
        return 200, b""

    with serving(answer) as url:
        record = driver.run(LoadSpec.of(url, "/", rate=1 / interval, duration=20 * interval, connections=1))
    assert 1 <= record.requests < 20
    assert record.rate_achieved == pytest.approx(record.requests / (20 * interval))
    for nth, latency in enumerate(record.latencies):
        assert latency > (nth + 1) * takes - nth * interval - 1e-3
    with pytest.raises(LoadError, match="asked for 100 requests/s, achieved"):
        judge_load(record, allow_errors=False, allow_missed_rate=False)


def test_the_schedule_is_even():
    """Requests are due at equal distances from the first, however late they are taken on."""
    schedule = Schedule(planned=4, interval=100.0)
    start = schedule.take()
    assert [schedule.take() - start for _ in range(3)] == pytest.approx([100.0, 200.0, 300.0])
    assert schedule.take() is None


def test_the_schedule_ends_on_time():
    """What was not taken on when the time is over is never sent."""
    schedule = Schedule(planned=1_000_000, interval=1e-9)
    assert 1 <= sum(1 for _ in iter(schedule.take, None)) < 1_000_000


def test_an_impossible_request_is_an_error_of_its_own(driver):
    """A header that HTTP cannot carry is no failing service: nothing is counted, and the driver lives on."""
    with serving(lambda request: (200, b"")) as url:
        with pytest.raises(LoadError, match="Invalid header value"):
            driver.run(LoadSpec.of(url, "/", requests=4, connections=2, headers={"X": "a\nb"}))
        assert driver.run(LoadSpec.of(url, "/", requests=1)).errors == 0
    assert len(processes_of_drivers()) == 1


def test_the_same_load_without_a_process():
    """What the driver process runs is a plain function of the spec."""
    with serving(lambda request: (200, b"")) as url:
        assert run_load(LoadSpec.of(url, "/", requests=3)).statuses == (("200", 3),)


def test_the_process_is_kept_and_ends_on_close(driver):
    """All loads of a run share one process; closing ends it, and a later load starts another."""
    with serving(lambda request: (200, b"")) as url:
        spec = LoadSpec.of(url, "/", requests=1)
        driver.run(spec)
        first = processes_of_drivers()
        driver.run(spec)
        assert processes_of_drivers() == first
        assert len(first) == 1
        driver.close()
        assert processes_of_drivers() == []
        driver.run(spec)
        assert len(processes_of_drivers()) == 1


def test_a_prepared_process_runs_the_first_load(driver):
    """A process started ahead of its window is the one that the load uses."""
    driver.prepare()
    with serving(lambda request: (200, b"")) as url:
        driver.run(LoadSpec.of(url, "/", requests=1))
    assert len(processes_of_drivers()) == 1


def test_a_driver_killed_in_the_middle(driver):
    """The death of the driver is told as what it is, and the next load works."""
    kill_first = iter([True])

    def answer(request):
        if next(kill_first, False):
            processes_of_drivers()[0].kill()
        return 200, b""

    with serving(answer) as url:
        spec = LoadSpec.of(url, "/", requests=10_000)
        with pytest.raises(LoadError, match=r"sends the load \(pid \d+\) was killed by SIGKILL in the middle of it"):
            driver.run(spec)
        assert processes_of_drivers() == []
        assert driver.run(LoadSpec.of(url, "/", requests=5)).errors == 0


@pytest.mark.parametrize("body", [b"", bytes(1 << 20)], ids=["before its answer", "before its request"])
def test_a_stopped_driver_is_given_up(driver, monkeypatch, body):
    """It is named, ended with what it has sent, and the next load works. How long it is waited for is shortened."""
    monkeypatch.setattr("pytest_gomem.load.drivers._LOOK", 0.05)
    monkeypatch.setattr("pytest_gomem.load.drivers._STOPPED_LOOKS", 4)
    driver.prepare()
    (process,) = processes_of_drivers()

    def answer(request):
        if request.path == "/stop":
            process.suspend()
        return 200, b""

    if body:
        process.suspend()
    with serving(answer) as url:
        words = r"sends the load \(pid \d+\) is stopped \(SIGSTOP, or a debugger\): it was given up after 0\.2 s"
        with pytest.raises(LoadError, match=words):
            driver.run(LoadSpec.of(url, "/stop", requests=2, body=body))
        assert processes_of_drivers() == []
        assert driver.run(LoadSpec.of(url, "/", requests=5)).errors == 0


def test_a_driver_that_does_not_end_is_given_up(driver, monkeypatch):
    """No load is waited for without end."""
    monkeypatch.setattr(LoadSpec, "longest", 0.0)
    monkeypatch.setattr("pytest_gomem.load.drivers._SLACK", 0.2)
    with serving(lambda request: time.sleep(1) or (200, b"")) as url:
        with pytest.raises(LoadError, match=r"\(pid \d+\) did not end within 0 s: it was given up"):
            driver.run(LoadSpec.of(url, "/", requests=100))
        assert processes_of_drivers() == []


@pytest.mark.parametrize(
    ("work", "seconds"),
    [({"requests": 10, "connections": 3}, 8), ({"rate": 5, "duration": 3}, 5)],
    ids=["fixed work", "open loop"],
)
def test_how_long_a_load_can_take(work, seconds):
    """Where each request takes its whole timeout."""
    assert LoadSpec.of("http://127.0.0.1:1", "/", timeout=2, **work).longest == seconds


def test_a_driver_killed_between_loads_is_replaced(driver):
    """A driver that died idle is nobody's error."""
    with serving(lambda request: (200, b"")) as url:
        spec = LoadSpec.of(url, "/", requests=1)
        driver.run(spec)
        (process,) = processes_of_drivers()
        process.kill()
        wait_until(lambda: os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None)
        assert driver.run(spec).errors == 0


def test_an_interrupted_load(driver):
    """Ctrl-C in the middle of a load leaves no driver behind that still sends, and the next load works."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    interrupt_first = iter([True])

    def answer(request):
        if next(interrupt_first, False):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return 200, b""

    try:
        with serving(answer) as url:
            with pytest.raises(KeyboardInterrupt):
                driver.run(LoadSpec.of(url, "/", requests=1_000_000))
            assert processes_of_drivers() == []
            assert driver.run(LoadSpec.of(url, "/", requests=5)).errors == 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_does_not_touch_an_idle_driver(driver):
    """The terminal sends SIGINT to the whole group: the driver stays, silent, for pytest to decide."""
    with serving(lambda request: (200, b"")) as url:
        spec = LoadSpec.of(url, "/", requests=1)
        driver.run(spec)
        (process,) = processes_of_drivers()
        process.send_signal(signal.SIGINT)
        assert driver.run(spec).errors == 0
        assert processes_of_drivers() == [process]


def test_modules_of_the_tests_are_not_taken_for_pythons_own(driver, tmp_path, monkeypatch):
    """A tests/queue.py in sys.path, in PYTHONPATH or in the working directory does not reach the driver."""
    for name in ("queue", "http", "json", "signal"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('this is a test, not a library')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with serving(lambda request: (200, b"")) as url:
        assert driver.run(LoadSpec.of(url, "/", requests=1)).errors == 0


def test_a_driver_that_cannot_start_says_why(driver, monkeypatch):
    """What the driver wrote to stderr before it died is part of the error."""
    monkeypatch.setattr("pytest_gomem.load.drivers.helper_path", lambda library: [])
    with pytest.raises(LoadError, match=r"(?s)exited with status 1 .*No module named 'pytest_gomem'"):
        driver.run(LoadSpec.of("http://127.0.0.1:1", "/", requests=1))


PARENT = """
import os, sys, time
import psutil
from pytest_gomem.load.drivers import LoadDriver
from pytest_gomem.load.spec import LoadSpec

driver = LoadDriver()
driver.run(LoadSpec.of(sys.argv[1], "/", requests=1))
(child,) = psutil.Process().children()
heir = os.fork() if sys.argv[2] == "forks" else 0
if sys.argv[2] != "forks" or heir:
    print(child.pid, heir, flush=True)
    if sys.argv[3] == "busy":
        driver.run(LoadSpec.of(sys.argv[1], "/", requests=10_000_000))
time.sleep(60)
"""


@pytest.mark.parametrize("forks", ["forks", "alone"])
@pytest.mark.parametrize("busy", ["busy", "idle"])
def test_a_driver_ends_with_its_parent(forks, busy):
    """kill -9 of pytest ends the driver, in the middle of a load too, and while a forked child holds its stdin open."""
    with serving(lambda request: (200, b"")) as url:
        command = [sys.executable, "-c", PARENT, url, forks, busy]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
            pid, heir = map(int, parent.stdout.readline().split())
            assert not gone(pid)
            parent.kill()
            try:
                wait_until(lambda: gone(pid))
            finally:
                for left in filter(None, (heir, 0 if gone(pid) else pid)):
                    os.kill(left, signal.SIGKILL)
