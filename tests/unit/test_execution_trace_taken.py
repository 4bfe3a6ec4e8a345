"""The execution trace of a window: between which readings it is taken, what comes of it, and why there may be none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from test_session_window import CLOSING, OPENING, read_in
from trace_samples import REPORT

from pytest_gomem.base.errors import ConfigErrors, ObserveError, Place, ToolchainError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.config import flight
from pytest_gomem.config.fields import located
from pytest_gomem.config.services import parse_service
from pytest_gomem.instruments.execution_trace import TRACE, ExecutionTrace, read_afterwards
from pytest_gomem.instruments.flight_recorder import FlightRecorder
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.observe.agent.records import Flight, Traced
from pytest_gomem.session.instrument import Closes
from pytest_gomem.testing import FakeProcess
from pytest_gomem.tracing import read
from pytest_gomem.tracing.found import TraceFound

FILE = b"go 1.26 trace\0\0\0"


@pytest.fixture
def reads(monkeypatch):
    """What was read, with the module of the program. Its answer is REPORT."""
    reads = []

    def read_trace(path, *, module):
        reads.append((path.read_bytes(), module))
        return REPORT

    monkeypatch.setattr(read, "read_trace", read_trace)
    return reads


def tracing(folder, ended_by=""):
    """A process whose agent writes traces."""
    process = FakeProcess(folder=folder)
    agent = process._agent

    def start_trace(path, most, seconds):
        process.record("trace")
        path.write_bytes(FILE)

    def stop_trace():
        process.record("trace ends")
        return Traced(64 << 20, 2.0, ended_by)

    def start_flight(most, pause, path):
        process.record("flight")
        agent.paused = path

    def stop_flight():
        process.record("flight ends")
        return Flight(int(agent.paused.exists()), 7, 0.012)

    agent.start_trace, agent.traced = start_trace, stop_trace
    agent.start_flight, agent.stop_flight = start_flight, stop_flight
    agent.write_flight = lambda path: path.write_bytes(FILE)
    return process


def taken(process, instrument, *, restart=False, work=lambda window: None):
    """What was found of a window, and its files."""
    window = process.open_window(instruments=read_afterwards(instrument))
    if restart:
        window.restart()
    work(window)
    window.close()
    window.measurement = SimpleNamespace(service=SimpleNamespace(module=GoModule("example.com/app")))
    window.instruments.close(Closes.JUDGED, window)
    found = [one for _, one in window.instruments.findings()]
    traces = [one.trace for one in found if one.trace is not None]
    return (traces or [None])[-1], {name: one for f in found for name, one in f.artifacts.items()}, found


def test_it_is_of_the_work_alone(reads, tmp_path):
    """After the readings of the opening, and before those of the close; the file is gone when it has been read."""
    process = tracing(tmp_path)
    found, files, _ = taken(process, ExecutionTrace())
    assert found == TraceFound(REPORT)
    assert read_in(process) == [*OPENING, "trace", "trace ends", *CLOSING]
    assert reads == [(FILE, "example.com/app")]
    assert (files[TRACE].raw, files[TRACE].suffix, files[TRACE].is_whole) == (FILE, ".out", True)
    assert list(tmp_path.iterdir()) == []


def test_a_warm_up_is_not_in_it(reads, tmp_path):
    process = tracing(tmp_path)
    assert taken(process, ExecutionTrace(), restart=True)[0] == TraceFound(REPORT)
    events = [event for event in process.events if event.startswith("trace")]
    assert events == ["trace", "trace ends", "trace", "trace ends"]
    assert len(reads) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("ended_by", "words"), [("size", "after 67.1 MB"), ("time", "2"), ("program", "the program")])
def test_what_ended_it_early_is_told(reads, tmp_path, ended_by, words):
    found, _, _ = taken(tracing(tmp_path, ended_by), ExecutionTrace())
    assert "the trace ended early" in found.note
    assert words in found.note


def test_why_there_is_none(reads, tmp_path, monkeypatch):
    """No agent, another trace, no Go to build the reader with, for which the trace is kept."""
    assert taken(FakeProcess(inside="pprof"), ExecutionTrace())[0].report == Unavailable(
        "an execution trace needs the agent: it was not built here"
    )
    process = tracing(tmp_path)

    def refuses(path, most, seconds):
        raise ObserveError("the agent of the service: tracing is already enabled")

    process._agent.start_trace = refuses
    found, files, _ = taken(process, ExecutionTrace())
    assert "another trace of the service is on, perhaps one that the program has started itself" in found.report.reason
    assert files == {}

    def no_go(path, *, module):
        raise ToolchainError("no Go toolchain")

    monkeypatch.setattr(read, "read_trace", no_go)
    found, files, _ = taken(tracing(tmp_path), ExecutionTrace())
    assert found.report == Unavailable("no Go toolchain")
    assert files[TRACE].raw == FILE


# The flight recorder


def asked(**when):
    written = {"binary": "/bin/api", "trace": {"flight": "8MiB", **({"when": when} if when else {})}}
    return parse_service(located(written, Place("gomem.yaml")), "api", Path("/")).trace


def test_what_gomem_yaml_says_of_it():
    assert asked() == flight.FlightRecorder(8 << 20)
    assert asked(pause="10ms", latency="0.25s") == flight.FlightRecorder(8 << 20, 0.01, 0.25)
    for trace, words in (
        ({}, "names no size"),
        ({"flight": "1kB"}, "must be from 1MiB to 256MiB"),
        ({"flight": "8MiB", "when": {"pauses": "1s"}}, "did you mean pause"),
        ({"flight": "8MiB", "when": {"pause": "1MB"}}, "when.pause"),
    ):
        with pytest.raises(ConfigErrors, match=words):
            parse_service(located({"binary": "/b", "trace": trace}, Place("gomem.yaml")), "api", Path("/"))


def test_without_when_it_is_read_at_the_close(reads, tmp_path):
    found, files, _ = taken(tracing(tmp_path), FlightRecorder(asked()))
    assert found == TraceFound(REPORT, "of the end of the window, by the flight recorder")
    assert files[TRACE].raw == FILE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("seconds", "is_read"), [(0.2, False), (0.3, True)])
def test_it_is_read_after_a_request_that_takes_long(reads, tmp_path, seconds, is_read):
    process = tracing(tmp_path)
    work = lambda window: window.instruments.answered(window, seconds)  # noqa: E731
    found, _, every = taken(process, FlightRecorder(asked(latency="250ms")), work=work)
    if is_read:
        assert found == TraceFound(REPORT, "read by the flight recorder after a request of 300 ms")
    else:
        assert found is None
        assert "the flight recorder was not read: nothing took as long as `when` says" in every[0].notes
    assert list(tmp_path.iterdir()) == []


def test_it_is_read_after_a_long_pause(reads, tmp_path):
    """By the agent, which leaves a file."""
    process = tracing(tmp_path)
    work = lambda window: process._agent.paused.write_bytes(FILE)  # noqa: E731
    found, _, _ = taken(process, FlightRecorder(asked(pause="10ms")), work=work)
    assert found.note == "read by the flight recorder after GC cycle 7, a pause of 12.0 ms"
    assert list(tmp_path.iterdir()) == []


def test_a_window_with_a_recorder_has_no_figures(tmp_path):
    window = tracing(tmp_path).open_window(instruments=read_afterwards(FlightRecorder(asked())))
    window.restart()
    assert "which disturbs it" in window.close().disturbed


def test_a_recorder_that_was_left_on_is_no_obstacle(reads, tmp_path):
    """A test that is skipped within a window of a shared service closes none."""
    process = tracing(tmp_path)
    start, left = process._agent.start_flight, [True]
    end = process._agent.stop_flight

    def start_flight(most, pause, path):
        if left:
            process._agent.paused = path
            raise ObserveError("the agent of the service: already started")
        start(most, pause, path)

    def stop_flight():
        left.clear()
        return end()

    process._agent.start_flight, process._agent.stop_flight = start_flight, stop_flight
    assert taken(process, FlightRecorder(asked()))[0].report == REPORT
