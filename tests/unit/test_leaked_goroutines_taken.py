"""When the stacks are read for a limit on goroutines that stay: on a fake process, whose every reading is noted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from test_left_goroutines import goroutine, workers
from test_session_window import CLOSING, OPENING, SETTLE, read_in

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.config.budgets import Budget, parse_budget
from pytest_gomem.config.fields import Place
from pytest_gomem.instruments.goroutines import AT_CLOSE, AT_OPENING
from pytest_gomem.instruments.leaked_goroutines import LeakedGoroutines
from pytest_gomem.instruments.registry import builtin_instruments
from pytest_gomem.measure.left_goroutines import Exempt
from pytest_gomem.measure.registry import builtin_metrics
from pytest_gomem.session.instrument import WindowPlan
from pytest_gomem.testing import FakeProcess

LIMITS = parse_budget(
    "leaked_goroutines", 0, units={m.name: m.unit for m in builtin_metrics()}, scope="", place=Place()
)


class Stacks(dict[str, bytes]):
    """The text of a process's goroutines, as it is at the moment."""

    def __init__(self, process: FakeProcess, text: Callable[[float], list[str]]) -> None:
        super().__init__()
        self._process, self._text = process, text

    def __getitem__(self, kind: str) -> bytes:
        return "".join([goroutine(1, "main.main", by=""), *self._text(self._process.time)]).encode()


def process_with(text: Callable[[float], list[str]]) -> FakeProcess:
    process = FakeProcess()
    process.profiles = Stacks(process, text)
    return process


def plan(*budgets: Budget, **said) -> WindowPlan:
    return WindowPlan("api", None, budgets, **said)


def test_only_a_limit_has_the_stacks_read():
    """They stop the service. An observed round reads them in its own way."""
    choose = builtin_instruments()
    assert choose(plan()) == ()
    assert choose(plan(*LIMITS, is_observed=True)) == ()
    assert [type(one) for one in choose(plan(*LIMITS))] == [LeakedGoroutines]
    closed = FakeProcess().open_window().close()
    assert "no limit of the test is on it" in closed.left.reason


def test_they_are_read_before_the_window_and_after_all_other_readings():
    """At rest before: a goroutine that is about to end would hide one that stays."""
    process = process_with(lambda now: workers(7))
    window = process.open_window(instruments=[LeakedGoroutines(Exempt())])
    assert read_in(process) == [*SETTLE, "stacks", *OPENING]
    closed = window.close()
    assert read_in(process) == [*CLOSING[:-1], "stacks", CLOSING[-1]]
    assert not closed.left.leaked
    assert set(window.profiles.artifacts()) == {AT_OPENING, AT_CLOSE}


def test_what_ends_within_two_seconds_is_no_leak():
    """The first look without one is the last."""
    process = process_with(lambda now: workers(20) if 1001.0 < now < 1003.0 else [])
    window = process.open_window(instruments=[LeakedGoroutines(Exempt())])
    process.work(1.5)
    began = process.time
    assert not window.close().left.leaked
    assert began < 1003.0 < process.time < 1003.3
    assert process.slept[-1] <= 0.25


def test_what_stays_is_looked_at_for_two_seconds_and_asked_whether_it_is_blocked_for_ever():
    """The ages are those of the looks; the collection that finds blocked ones comes last."""
    process = process_with(lambda now: workers(20, state="select (leaked)") if now > 1001.0 else [])
    window = process.open_window(instruments=[LeakedGoroutines(Exempt(("main.gone",)))])
    process.work(1.5)
    read_in(process)
    closed = window.close()
    looks = read_in(process)
    assert looks[-3:] == ["goroutineleak profile", "stacks", "gc records"]
    assert looks.count("stacks") < 20
    assert closed.left.ages[20] == pytest.approx(2.0, abs=0.1)
    assert closed.left.blocked == {20}
    ((_, finding),) = window.instruments.findings()
    assert finding.notes == ("ignore_goroutines: no goroutine of this window matches 'main.gone'",)


def test_a_release_without_the_profile_calls_none_blocked():
    """Before Go 1.26 there is none."""
    process = process_with(lambda now: workers(20) if now > 1001.0 else [])
    process.failing["goroutineleak profile"] = "there is no profile"
    window = process.open_window(instruments=[LeakedGoroutines(Exempt())])
    process.work(1.5)
    left = window.close().left
    assert (set(left.leaked), left.blocked) == ({20}, frozenset())


def test_without_stacks_the_metric_says_why():
    """At the opening and at the close."""
    process = process_with(lambda now: [])
    process.failing["stacks"] = "it is busy"
    window = process.open_window(instruments=[LeakedGoroutines(Exempt())])
    assert window.close().left == Unavailable("it is busy")
    del process.failing["stacks"]
    window = process.open_window(instruments=[LeakedGoroutines(Exempt())])
    process.failing["stacks"] = "it is busy"
    assert window.close().left == Unavailable("it is busy")


def test_a_page_in_the_place_of_stacks_is_no_figure():
    """As a service may answer that has a route for everything."""
    process = FakeProcess()
    process.profiles["stacks"] = b"<html>\n"
    window = process.open_window(instruments=[LeakedGoroutines(Exempt())])
    assert "something else" in window.close().left.reason


@pytest.mark.parametrize(("inside", "is_noted"), [("agent", False), ("pprof", True)])
def test_memory_that_is_not_returned_is_told(inside, is_noted):
    """Many stacks take megabytes, of which only the agent can rid the window."""
    process = FakeProcess(inside=inside)
    process.profiles = Stacks(process, lambda now: workers(*range(10, 12_000)))
    window = process.open_window(instruments=[LeakedGoroutines(Exempt())])
    window.close()
    ((_, finding),) = window.instruments.findings()
    assert [note.partition(":")[0] for note in finding.notes] == [
        "the stacks of all goroutines were read first"
    ] * is_noted


def test_responses_that_are_not_closed_are_told():
    """Their stacks lie in net/http alone."""
    reads = "net/http.(*persistConn).readLoop"
    process = process_with(lambda now: [goroutine(5, reads), goroutine(6, reads)] if now > 1001.0 else [])
    window = process.open_window(instruments=[LeakedGoroutines(Exempt())])
    process.work(1.5)
    window.close()
    ((_, finding),) = window.instruments.findings()
    assert [note.partition(":")[0] for note in finding.notes] == ["2 responses are neither closed nor read to the end"]


def test_a_phase_has_no_figure():
    """The stacks are read at the edges of the window."""
    process = process_with(lambda now: [])
    window = process.open_window(instruments=[LeakedGoroutines(Exempt())])
    window.phases.enter("login", None)
    window.phases.leave()
    (phase,) = window.close().phases
    assert "the whole window" in phase.window.left.reason


@pytest.mark.parametrize(("cycles", "leaked"), [(1, [20]), (3, [21, 22])])
def test_of_cycles_the_first_one_starts_what_is_started_once(cycles, leaked):
    """What came to be in the others counts; of a single cycle, what came to be in it."""
    numbers: list[int] = []
    process = process_with(lambda now: workers(*numbers))
    window = process.open_window(instruments=[LeakedGoroutines(Exempt())])
    for number in range(cycles):
        process.work(0.1)
        numbers.append(20 + number)
        window.end_cycle()
    left = window.close().left
    assert (list(left.leaked), left.since_first_cycle) == (leaked, cycles > 1)
