"""A service that is watched: what grows, and what ends the watching early."""

from __future__ import annotations

import io
import json
import re
from dataclasses import fields

import pytest
from pprof_profiles import HEAP, profile

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.commands import leaks
from pytest_gomem.commands.cli import main
from pytest_gomem.diagnosis.watched import READINGS, watch
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.observe.records import MemStats
from pytest_gomem.pprof.model import Function, Line, Location
from pytest_gomem.pprof.write import compressed

MIB = 1 << 20
FILL = {1: Location(None, 0, (Line(Function("main.fill", "", "/src/main.go", 1), 21, 0),), False)}
STACKS = """goroutine 1 [running]:
net/http/pprof.handler.ServeHTTP()
	/go/src/net/http/pprof/pprof.go:1 +0x1

"""
WORKER = """goroutine %d [chan receive]:
main.worker()
	/src/main.go:41 +0x1
created by main.serve in goroutine 1
	/src/main.go:12 +0x1

"""


class Service:
    """Leaks so many bytes and goroutines a second; stops at `ends` seconds by an error, or by Ctrl-C."""

    def __init__(self, leak=0, goroutines=0, ends=None, error=None):
        self.at, self.leak, self.more, self.ends = 0.0, leak, goroutines, ends
        self.error = error or ObserveError("it does not answer")

    def now(self):
        return self.at

    def sleep(self, seconds):
        self.at += seconds

    @property
    def held(self):
        return round(self.leak * self.at)

    def settled(self):
        if self.ends is not None and self.at >= self.ends:
            raise self.error
        values = {field.name: 0 for field in fields(MemStats)}
        told = {"t": self.at, "heap_alloc": MIB + self.held, "total_alloc": 10 * self.held, "pauses": ()}
        return MemStats(**{**values, **told, "goroutines": None, "by_size": ()})

    def goroutines(self):
        return 10 + round(self.more * self.at)

    def heap_profile(self):
        held = self.held
        rows = [([1], (held // 16, held, held // 16, held))] if held else []
        return compressed(profile(rows, FILL, HEAP, period=1))

    def goroutine_stacks(self):
        return (STACKS + "".join(WORKER % number for number in range(2, self.goroutines()))).encode()


@pytest.fixture
def command(monkeypatch):
    """Runs `gomem leaks` on such a service, and gives the status and what it printed."""

    def command(service, *argv):
        monkeypatch.setattr(leaks, "PprofEndpoint", lambda url: service)
        monkeypatch.setattr(leaks, "System", lambda pid: service)
        monkeypatch.setattr(service, "close", lambda: None, raising=False)
        out, err = io.StringIO(), io.StringIO()
        return main(["leaks", "localhost:6060", *argv], out, err), out.getvalue(), err.getvalue()

    return command


def test_what_grows_is_told_with_who_allocates_it(command):
    """In time, with the interval, and by line; goroutines by where they were created."""
    status, out, err = command(Service(leak=1e6, goroutines=2), "--for", "60s")
    assert status == 1
    assert "watching http://localhost:6060/debug/pprof for 1.00 min; Ctrl-C ends it early" in err
    assert re.search(r"live heap   1\.05 MB -> 61\.0 MB  grows by 1\.00 MB/s \(", out)
    assert re.search(r"goroutines  10 -> 130 +grows by 2\.", out)
    assert "allocated meanwhile: 600 MB" in out
    assert "main.fill" in out
    assert "+120  chan receive  main.worker (main.go:41), created by main.serve (main.go:12)" in out


def test_without_growth_its_bound_is_told(command):
    """Nobody is accused."""
    status, out, _ = command(Service())
    assert status == 0
    assert out.count("can be told from 30 readings in 1.00 min") == 2
    assert "allocated by" not in out
    assert "by state" not in out


@pytest.mark.parametrize("error", [ObserveError("it does not answer"), KeyboardInterrupt()])
def test_what_is_known_is_told_when_it_ends_early(command, error):
    """By Ctrl-C, or since the service is gone."""
    status, out, _ = command(Service(leak=1e6, ends=40.0, error=error))
    assert status == 1
    assert re.search(r"live heap .* grows by 1\.00 MB/s", out)
    assert "note: you ended it early" in out or "note: it ended early: it does not answer" in out


def test_too_few_readings_tell_nothing(command):
    """It is said, and who allocated is told all the same."""
    status, out, _ = command(Service(leak=1e6, ends=5.0))
    assert status == 0
    assert "it is not known whether it grows: there were 3 readings, and growth needs 10" in out
    assert "main.fill" in out


def test_a_service_that_does_not_answer_is_an_error(command):
    """One line, status 2."""
    status, out, err = command(Service(ends=0.0))
    assert (status, out) == (2, "")
    assert err.endswith("gomem leaks: it does not answer\n")


def test_as_json(command):
    """The same as data, in base units."""
    status, out, err = command(Service(leak=1e6), "--json")
    found = json.loads(out)
    assert (status, err) == (1, "")
    assert found["live_heap"]["shape"] == "grows"
    assert found["live_heap"]["slope"] == pytest.approx(1e6)
    assert found["goroutines"]["shape"] == "level"
    assert found["rss"] is None
    assert [one["function"] for one in found["culprits"]] == ["main.fill"]
    assert found["goroutine_groups"] == []


@pytest.mark.parametrize("wrong", ["0s", "4s", "soon", "-1s"])
def test_a_time_that_is_too_short_is_refused(command, wrong):
    """With what to write."""
    status, _, err = command(Service(), "--for", wrong)
    assert status == 2
    assert err.startswith("gomem leaks: argument --for: ")


def test_a_slow_service_is_read_as_often_as_it_can():
    """The time that was asked for is kept, and not the number of readings."""

    class Slow(Service):
        def settled(self):
            self.at += 3
            return super().settled()

    slow = Slow()
    found = watch(slow, 10.0, GoModule(), clock=slow, rss=lambda: 5)
    assert 3 <= found.readings < READINGS
    assert found.seconds <= 13
    assert [value for _, value in found.points["rss"]] == [5] * found.readings
