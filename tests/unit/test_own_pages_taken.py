"""When a service's own pages are read: on a fake process with a real HTTP server, whose every reading is noted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from test_session_window import CLOSING, OPENING, read_in, value

from pytest_gomem.base.errors import ObserveError, Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.config.budgets import Budget, parse_budget
from pytest_gomem.instruments.own_pages import OwnPages
from pytest_gomem.instruments.registry import builtin_instruments
from pytest_gomem.measure.registry import evaluate
from pytest_gomem.session.instrument import WindowPlan
from pytest_gomem.session.window import OpenWindow
from pytest_gomem.testing import FakeProcess

COST = (700, 7)  # bytes and objects that the page takes


class Site:
    """A process whose pages are published; `work` counts jobs. scrapes: the page counts its readers."""

    def __init__(self, port: int) -> None:
        self.process = FakeProcess(bases=[f"http://127.0.0.1:{port}"])
        self.jobs = self.scrapes = 0
        self.connected: set[object] = set()

    def page(self, path: str) -> str | None:
        try:
            self.process.record(path)
        except ObserveError:
            return None
        self.process.allocate(*COST)
        if path == "/metrics":
            self.scrapes += 1
            text = f"# TYPE jobs_total counter\njobs_total {self.jobs}\n"
            return f"{text}# TYPE scrapes_total counter\nscrapes_total {self.scrapes}\n"
        return json.dumps({"jobs": self.jobs}) if path == "/debug/vars" else None

    def window(self, *names: str, **phases: str) -> OpenWindow:
        """With budgets on these metrics, and on one of each of these phases."""
        written = {**dict.fromkeys(names, 5), "phases": {phase: {name: 5} for phase, name in phases.items()}}
        return self.process.open_window(instruments=builtin_instruments()(plan(*budgets(written))))


def budgets(written: dict[str, object]) -> list[Budget]:
    return [b for name, one in written.items() for b in parse_budget(name, one, units={}, scope="", place=Place())]


def plan(*budgets: Budget) -> WindowPlan:
    return WindowPlan("api", None, budgets)


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # which keeps connections

        def setup(self) -> None:
            super().setup()
            site.connected.add(self)

        def finish(self) -> None:
            super().finish()
            site.connected.discard(self)

        def do_GET(self) -> None:
            page = site.page(self.path)
            body = (page or "").encode()
            self.send_response(200 if page else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


def test_no_page_is_read_without_a_budget_on_it(site):
    """It disturbs: the window of a test that names none is read as ever, and says so."""
    assert builtin_instruments()(plan()) == ()
    assert builtin_instruments()(plan(*budgets({"phases": {}}))) == ()
    closed = site.process.open_window().close()
    assert "/metrics" not in read_in(site.process)
    assert closed.own.names == ()


def test_pages_are_read_before_all_else_and_behind_all_else(site):
    """So nothing of them is in the near-exact figures: their garbage is collected first, or comes last."""
    window = site.window("prom:jobs_total", "expvar:jobs")
    found = ["/metrics"] * 4 + ["/debug/vars"] * 4  # searched, then three times in a row
    assert read_in(site.process) == found + OPENING
    site.process.work(allocate=1_000_000, objects=100)
    site.jobs = 30
    closed = window.close()
    assert read_in(site.process) == [*CLOSING[:-1], "/metrics", "/debug/vars", CLOSING[-1]]
    assert value(closed, "total_alloc") == 1_000_000
    metrics = evaluate(closed, ())
    assert {name: metrics[name].value for name in metrics} == {"prom:jobs_total": 30, "expvar:jobs": 30}


def test_no_connection_is_kept(site):
    """It would be a goroutine of the service, in the window and not before it."""
    window = site.window("prom:jobs_total", "expvar:jobs")
    for _ in range(2):
        deadline = time.monotonic() + 10
        while site.connected and time.monotonic() < deadline:
            time.sleep(0.001)
        assert site.connected == set()
        window.close()


def test_only_the_pages_that_budgets_name_are_read(site):
    """Each of them costs the service something."""
    site.window("expvar:jobs").close()
    assert "/metrics" not in read_in(site.process)


def test_a_page_that_counts_its_readers(site):
    """What our readings add is told and left out, also that of the page as a source of other figures."""
    window = site.window("prom:scrapes_total")
    site.page("/metrics")  # a reader of the service's own
    found = evaluate(window.close(), ())["prom:scrapes_total"]
    assert (found.value, found.note) == (1, "without 1 that reading the page itself has counted")


def test_a_window_that_opens_anew_counts_from_there(site):
    """As after warmup()."""
    window = site.window("prom:jobs_total")
    site.jobs = 10
    window.restart()
    site.jobs = 13
    assert value(window.close(), "prom:jobs_total") == 3


def test_a_phase_reads_the_page_at_its_own_edges(site):
    """Outside of its figures; in the window what the readings allocate, count and take is left out."""
    window = site.window("prom:jobs_total", login="prom:jobs_total", other="expvar:jobs")
    for jobs, name in ((5, "login"), (7, "login"), (0, "quiet")):
        window.enter_phase(name, None)
        site.process.work(allocate=1_000, objects=1)
        site.jobs += jobs
        window.leave_phase(collect=False)
        site.jobs += 100
    closed = window.close()
    own = [evaluate(phase.window, ()) for phase in closed.phases]
    assert [phase.name for phase in closed.phases] == ["login", "login#2", "quiet"]
    assert [one["prom:jobs_total"].value for one in own[:2]] == [5, 7]
    assert own[2] == {}
    assert value(closed, "prom:jobs_total") == 312
    assert value(closed, "total_alloc") == 3_000
    assert [value(phase.window, "total_alloc") for phase in closed.phases] == [1_000] * 3


def test_a_service_that_ended_has_no_figure(site):
    """With how it ended."""
    window = site.window("prom:jobs_total")
    site.process.end(code=2)
    found = evaluate(window.close(), ())["prom:jobs_total"]
    assert "ended with exit status 2" in found.reason


def test_an_exec_in_the_window_loses_what_was_counted(site):
    """A gauge of the new program is still its own."""
    window = site.window("prom:jobs_total", "expvar:jobs")
    site.process.program = "second"
    site.jobs = 4
    found = evaluate(window.close(), ())
    assert "replaced itself by another program" in found["prom:jobs_total"].reason
    assert found["expvar:jobs"].value == 4


def test_a_page_that_is_not_there_is_named_with_its_key(site):
    """Searched once, on each port."""
    site.page = lambda path: None
    found = evaluate(site.window("prom:jobs_total", "expvar:jobs").close(), ())
    assert "no Prometheus page found (http://127.0.0.1" in found["prom:jobs_total"].reason
    assert "name its URL under `metrics:` of the service" in found["prom:jobs_total"].reason
    assert "under `expvar:`" in found["expvar:jobs"].reason
    lost = OwnPages(budgets({"prom:jobs_total": 1})).ended(None).own[""]
    assert isinstance(lost.pages["prom"], Unavailable)
