"""Phases of a window: their readings, their own figures, and that the window's figures are as if there were none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from pytest_gomem.base.errors import MeasureError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.measure.peak import peak_moment
from pytest_gomem.measure.registry import builtin_metrics, evaluate
from pytest_gomem.measure.window import Phase, Window
from pytest_gomem.session.phases import UNCOLLECTED
from pytest_gomem.session.service import Service
from pytest_gomem.session.window import OpenWindow
from pytest_gomem.testing import FakeProcess

MB, MIB = 1_000_000, 1 << 20
ENTER = ["metrics", "memstats", "kernel", "reset peak", "kernel"]
LEAVE = ["kernel", "smaps", "metrics", "memstats"]
COLLECT = ["gc twice", "memstats", "gc", "memstats", "metrics", "memstats"]
# Of the whole window: what a phase's own readings must leave as it is.
KEPT = ("total_alloc", "allocs", "gc_cycles", "live_heap", "heap_objects", "goroutines", "peak_rss", "gc_pause_max")


@contextmanager
def phase(window: OpenWindow, name: str, ops: int | None = None, *, collect: bool = False) -> Iterator[None]:
    window.phases.enter(name, ops)
    yield
    window.phases.leave(collect=collect)


def figures(window: Window | None) -> dict[str, float]:
    assert window is not None
    return {name: getattr(result, "value", None) for name, result in evaluate(window, builtin_metrics()).items()}


def worked(process: FakeProcess, part: Callable[[OpenWindow], None]) -> Window:
    """A window in which the process peaks at 300 MiB, then does the work of `part`."""
    window = process.open_window()
    process.work(allocate=100 * MB, objects=10, rss=300 * MIB, gc=1)
    process.change(rss=20 * MIB)
    part(window)
    return window.close()


def test_a_phase_reads_the_kernel_next_to_its_work():
    """Last when it opens and first when it closes; what is before the reset is the window's peak still."""
    process = FakeProcess()
    window = process.open_window()
    process.events.clear()
    window.phases.enter("login", None)
    assert process.events == ENTER
    opened = process.time
    process.work(2.0, rss=50 * MIB)
    window.phases.leave()
    assert process.events == [*ENTER, *LEAVE]
    (found,) = window.close().phases
    assert (found.start, found.end) == (opened, pytest.approx(opened + 2.001))
    assert found.window.start.t == opened
    assert found.window.end.t == found.end < found.window.smaps.t < found.window.memstats.end.t


@pytest.mark.parametrize(("collecting", "collect"), [(frozenset(), True), (frozenset({"login"}), False)])
def test_a_phase_forces_collections_where_it_is_to(collecting, collect):
    """Last of all, and behind them one reading that tells what they took; a budget asks for it by the phase's name."""
    process = FakeProcess()
    window = process.open_window(collecting=collecting)
    for _ in range(2):
        process.events.clear()
        with phase(window, "login", collect=collect):
            process.work(allocate=10 * MB, keep=1 * MB)
        assert process.events == [*ENTER, *LEAVE, *COLLECT]
    first, second = window.close().phases
    assert (first.name, second.name) == ("login", "login#2")
    assert figures(second.window)["live_heap"] - figures(first.window)["live_heap"] == 1 * MB


def test_a_collecting_phase_waits_for_goroutines_that_end():
    """More than the service had at rest: as its window does."""
    process = FakeProcess(goroutines=8)
    window = process.open_window()
    with phase(window, "login", collect=True):
        process.change(goroutines=28)
        process.later(0.2, goroutines=8)
    assert "connections" in process.events[process.events.index("free") :]
    assert window.close().phases[0].window.memstats.after_gc.goroutines == 8


def test_without_collections_what_needs_them_has_a_reason():
    process = FakeProcess()
    window = process.open_window(collecting=frozenset({"another"}))
    with phase(window, "login"):
        process.work(allocate=10 * MB)
    (found,) = window.close().phases
    assert found.window.memstats.after_gc == UNCOLLECTED
    assert figures(found.window)["live_heap"] is None


@pytest.mark.parametrize("collect", [False, True])
@pytest.mark.parametrize("inside", ["agent", "pprof"])
def test_phases_leave_the_figures_of_the_window_as_they_are(inside, collect):
    """To the byte, the object and the cycle, whatever their own readings and collections add."""
    work = {"allocate": 10 * MB, "objects": 1000, "keep": 2 * MB, "gc": 2, "rss": 60 * MIB}

    def in_phases(window: OpenWindow) -> None:
        for name in ("a", "b", "a"):
            with phase(window, name, collect=collect):
                apart.work(**work)

    plain, apart = FakeProcess(inside=inside), FakeProcess(inside=inside)
    whole = worked(plain, lambda window: [plain.work(**work) for _ in range(3)])
    divided = worked(apart, in_phases)
    assert [each.name for each in divided.phases] == ["a", "b", "a#2"]
    expected, found = figures(whole), figures(divided)
    assert {name: found[name] for name in KEPT} == {name: expected[name] for name in KEPT}
    assert found["peak_rss"] == 300 * MIB
    assert len(divided.own_cycles) == (9 if collect else 0)
    forced = {cycle.number for cycle in divided.gctrace.cycles if cycle.forced}
    assert not forced
    if inside == "agent":
        name = "/gc/cycles/total:gc-cycles"
        assert divided.runtime.gained(name) == whole.runtime.gained(name) == 7


def test_each_phase_has_every_figure_of_its_own():
    """Of its own work, time, operations and peak; the window's peak came before it."""
    process = FakeProcess()

    def parts(window: OpenWindow) -> None:
        with phase(window, "small"):
            window.phases.operations.count(2)
            window.operations.count(2)
            process.work(1.0, allocate=2 * MB, objects=20, rss=25 * MIB, cpu=1.5)
        with phase(window, "big", ops=5, collect=True):
            process.work(3.0, allocate=30 * MB, objects=30, keep=30 * MB, gc=3, rss=90 * MIB, cpu=2.5)

    whole = worked(process, parts)
    small, big = whole.phases
    assert (small.ops, big.ops, whole.ops) == (2, 5, 2)
    of_small, of_big = figures(small.window), figures(big.window)
    assert set(of_small) == set(figures(whole))
    # The reading at its opening allocates behind the numbers it tells, and so does the one of runtime/metrics.
    assert of_small["total_alloc"] == 2 * MB
    assert of_big["total_alloc"] == 30 * MB + 3 * 100
    assert (of_small["gc_cycles"], of_big["gc_cycles"]) == (0, 3)
    assert (of_small["peak_rss"], of_big["peak_rss"]) == (25 * MIB, 90 * MIB)
    assert (of_small["live_heap"], of_big["live_heap"]) == (None, 3 * MIB + 30 * MB)
    assert small.window.duration == pytest.approx(1.001)
    assert small.window.loads == small.window.sources == small.window.phases == ()
    assert small.window.is_phase
    assert {sample.t for sample in small.window.timeline} <= {sample.t for sample in whole.timeline}
    assert peak_moment(whole).latest <= small.start - whole.opened


def test_phases_do_not_nest_and_have_plain_names():
    """Where a body fails its phase is forgotten, and the next one opens."""
    process = FakeProcess()
    window = process.open_window()
    window.phases.enter("outer", None)
    with pytest.raises(MeasureError, match="phase 'outer' is open: phases do not nest"):
        window.phases.enter("inner", None)
    window.phases.abandon()
    for name in ("", "a#2"):
        with pytest.raises(MeasureError, match="no name of a phase"):
            window.phases.enter(name, None)
    with phase(window, "next"):
        pass
    window.phases.enter("open", None)
    assert [found.name for found in window.close().phases] == ["next"]


def test_a_service_counts_operations_for_the_window_and_the_phase():
    """What fails in a phase is forgotten with it, and the window goes on; without a window a phase is nothing."""
    process = FakeProcess()
    process.name = "api"
    service = Service(process, lambda: pytest.fail("no load is asked for"))
    with service.phase("nothing"):
        service.count(5)
    service.window = window = process.open_window()
    service.count(3)
    with service.phase("kept"):
        service.count(2)
    with pytest.raises(ZeroDivisionError), service.phase("broken"):
        service.count(1 // 0)
    with pytest.raises(MeasureError, match="do not nest"), service.phase("outer"), service.phase("inner"):
        pass
    closed = window.close()
    assert [(found.name, found.ops) for found in closed.phases] == [("kept", 2)]
    assert closed.ops == 5


def test_a_window_that_opens_anew_has_no_earlier_phase():
    """Neither a closed one nor the one within which it opened anew."""
    window = FakeProcess().open_window()
    with phase(window, "before"):
        pass
    with phase(window, "around"):
        window.restart()
    assert window.close().phases == ()


@pytest.mark.parametrize("event", ["kernel", "memstats", "metrics"])
def test_what_a_phase_could_not_read_is_missing_in_it_alone(event):
    """At one of its edges; the window and the other phases have theirs."""
    process = FakeProcess()
    window = process.open_window()
    process.failing[event] = "no answer"
    window.phases.enter("broken", None)
    del process.failing[event]
    window.phases.leave()
    with phase(window, "whole"):
        pass
    closed = window.close()

    def record(of: Phase | Window) -> object:
        one = of.window if isinstance(of, Phase) else of
        return {"kernel": one.start, "memstats": one.memstats, "metrics": one.runtime}[event]

    broken, whole = closed.phases
    assert record(broken) == Unavailable("no answer")
    assert not isinstance(record(whole), Unavailable)
    assert not isinstance(record(closed), Unavailable)
