"""In which order a window reads its process, and what comes of it: on a fake process, whose every reading is noted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_gomem.base.errors import MeasureError, ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.cgroup.reading import GroupReading
from pytest_gomem.measure.registry import builtin_metrics, evaluate
from pytest_gomem.measure.window import MemoryLimit, Window
from pytest_gomem.observe.records import Observed
from pytest_gomem.observe.sources import Source
from pytest_gomem.session.service import Service
from pytest_gomem.testing import FakeProcess

MIB = 1 << 20
# Collections, until two readings agree: what the service is still about to let go of is no part of the window.
SETTLE = ["gc twice", "memstats", "connections", "gc", "memstats"]
SETTLE_AT_REST = ["gc twice", "memstats", "gc", "memstats"]
# Two in a row: the second less the first is what one such reading itself allocates.
CALIBRATE = ["metrics", "memstats", "metrics", "memstats"]
OPENING = [*SETTLE, "free", *CALIBRATE, "smaps", "reset peak", "kernel", "image"]
CLOSING = ["kernel", "image", "smaps", "metrics", "memstats", *SETTLE_AT_REST, "gc records"]


def read_in(process: FakeProcess) -> list[str]:
    """What was read since this was last asked."""
    found, process.events = process.events, []
    return found


def value(window: Window, name: str) -> float:
    return evaluate(window, builtin_metrics())[name].value


class Page:
    """A source that tells goroutines, and what it has allocated so far."""

    def __init__(self, process: FakeProcess) -> None:
        self.process = process

    def read(self) -> Observed:
        self.process.record("page")
        self.process.allocate(700, 7)
        stats = self.process.memstats
        return Observed(self.process.time, {"goroutines": stats.goroutines, "total_alloc": stats.total_alloc})

    def close(self) -> None:
        pass


def page(*, always: bool = True) -> Source:
    return Source("page", 60, frozenset({"goroutines", "total_alloc"}), Page, always=lambda process: always)


def test_a_window_opens_on_returned_memory_and_reads_the_kernel_last():
    """Collections, free memory, MemStats twice; the reset of the peak comes behind all that our readings allocate."""
    process = FakeProcess(rss=20 * MIB, hwm=300 * MIB, heap_released=6 * MIB)
    window = process.open_window()
    assert read_in(process) == OPENING
    closed = window.close()
    assert (closed.start.rss, closed.start.hwm) == (14 * MIB, 14 * MIB)  # without 6 MiB that were free
    assert closed.opening_smaps.t < closed.start.t < closed.opened
    assert closed.opened == pytest.approx(closed.start.t + 0.001)  # behind the image of the program
    assert closed.peak_reset
    assert closed.held == 0


def test_a_window_closes_with_the_kernel_first_and_collections_last():
    """Neither the garbage nor the pages of our own readings are in what the kernel tells of the window."""
    process = FakeProcess()
    window = process.open_window()
    read_in(process)
    process.work(2.0, rss=90 * MIB)
    now = process.time
    closed = window.close()
    assert read_in(process) == CLOSING
    assert closed.end.t == closed.closed == pytest.approx(now + 0.001)
    assert closed.end.t < closed.smaps.t < closed.memstats.end.t < closed.memstats.after_gc.t
    assert closed.duration == pytest.approx(2.001)


def test_what_readings_allocate_is_in_no_figure():
    """What the test allocates is exact to the byte and the object; the collections that follow are not in it."""
    process = FakeProcess()
    window = process.open_window()
    process.work(allocate=30_000_000, objects=1000, keep=5_000_000, gc=3, rss=60 * MIB)
    closed = window.close()
    assert (closed.memstats.read_bytes, closed.memstats.read_objects) == (1500, 15)
    assert value(closed, "total_alloc") == 30_000_000 + 3 * 100
    assert value(closed, "allocs") == 1000 + 3 * 1
    assert value(closed, "gc_cycles") == 3
    assert [cycle.number for cycle in closed.gctrace.cycles] == [record.number for record in closed.gc_records]
    assert value(closed, "live_heap") == 3 * MIB + 5_000_000
    assert value(closed, "peak_rss") == 60 * MIB


def test_a_window_that_opens_anew_measures_what_follows():
    """As after warmup(): all opening readings once more."""
    process = FakeProcess()
    window = process.open_window()
    window.operations.count(7)
    process.work(allocate=10_000_000, rss=200 * MIB)
    process.change(rss=30 * MIB)
    read_in(process)
    window.restart()
    assert read_in(process) == OPENING
    process.work(allocate=1_000_000, objects=10)
    window.operations.count(2)
    closed = window.close()
    assert (value(closed, "total_alloc"), closed.ops) == (1_000_000, 2)
    assert value(closed, "peak_rss") <= 30 * MIB


def test_without_an_agent_nothing_is_freed():
    """By pprof the same order without what the agent alone can do."""
    process = FakeProcess(inside="pprof", heap_released=6 * MIB)
    window = process.open_window()
    assert read_in(process) == [*SETTLE, "memstats", "memstats", "smaps", "reset peak", "kernel", "image"]
    closed = window.close()
    assert read_in(process) == ["kernel", "image", "smaps", "memstats", *SETTLE_AT_REST]
    assert closed.held == 6 * MIB
    assert closed.runtime == Unavailable("runtime/metrics need the agent: it was not built here")
    assert closed.memstats.reader == "pprof"


def test_without_an_inside_the_kernel_tells_what_it_can():
    """Nothing is forced, and every figure of the heap has the reason."""
    process = FakeProcess(inside=None)
    window = process.open_window()
    closed = window.close()
    assert read_in(process) == ["smaps", "reset peak", "kernel", "image", "kernel", "image", "smaps"]
    assert closed.memstats == Unavailable("no source tells MemStats")


def test_a_peak_that_is_not_ours_to_reset_stays():
    """An attached process's peak is reset on request alone."""
    process = FakeProcess(rss=20 * MIB, hwm=300 * MIB)
    process.may_reset_peak = False
    closed = process.open_window().close()
    assert "reset peak" not in process.events
    assert (closed.peak_reset, closed.end.hwm) == (False, 300 * MIB)
    refused = FakeProcess()
    refused.failing["reset peak"] = "it belongs to another user"
    assert not refused.open_window().close().peak_reset


def test_sources_beside_are_read_between_memstats_and_the_collections():
    """Twice at the opening, before MemStats is calibrated; after it at the close, then the kernel once more."""
    process = FakeProcess(sources=[page()])
    window = process.open_window()
    assert read_in(process) == [*SETTLE, "free", "page", "page", *CALIBRATE, "smaps", "reset peak", "kernel", "image"]
    closed = window.close()
    assert read_in(process) == [
        "kernel", "image", "smaps", "metrics", "memstats", "page", "kernel", *SETTLE_AT_REST, "gc records",
    ]  # fmt: skip
    (edges,) = closed.sources
    assert (edges.source, edges.cost) == ("page", {"total_alloc": 700})
    assert closed.after.t > edges.end.t > closed.memstats.end.t


def test_a_source_that_tells_nothing_new_is_not_read():
    """Whoever disturbs the service is not read for nothing; one that fails costs its own figures."""
    process = FakeProcess(sources=[page(always=False)])
    process.open_window().close()
    assert "page" not in process.events
    failing = FakeProcess(sources=[page()])
    failing.failing["page"] = "GET /metrics: 500"
    closed = failing.open_window().close()
    assert closed.sources[0].start == closed.sources[0].end == Unavailable("GET /metrics: 500")
    assert not isinstance(closed.memstats, Unavailable)


def test_where_no_collection_can_be_forced_memstats_is_read_once_more():
    """Behind the sources that are compared with it; goroutines are then those of a source, once they stand still."""
    process = FakeProcess(sources=[page()])
    process.failing["gc twice"] = "collections are refused"
    window = process.open_window()
    assert read_in(process) == [
        "gc twice", "free", "page", "page", *CALIBRATE, "smaps", "reset peak", "kernel", "image",
    ]  # fmt: skip
    process.change(goroutines=40)
    process.later(0.1, goroutines=9)
    closed = window.close()
    assert read_in(process)[:11] == [
        "kernel", "image", "smaps", "metrics", "memstats", "page", "kernel", "gc twice", "memstats", "page",
        "connections",
    ]  # fmt: skip
    assert closed.memstats.after_gc == Unavailable("collections are refused")
    assert closed.memstats.later.t > closed.after.t
    assert closed.sources[0].goroutines == 9


def test_goroutines_that_a_page_alone_tells_are_those_at_rest():
    """Nobody can force a collection there; connections that are being closed are waited for all the same."""
    process = FakeProcess(sources=[page(always=False)], inside=None)
    window = process.open_window()
    assert read_in(process) == ["page", "page", "smaps", "reset peak", "kernel", "image"]
    process.change(goroutines=28)
    process.later(0.2, goroutines=8)
    closed = window.close()
    assert read_in(process)[:8] == ["kernel", "image", "smaps", "page", "kernel", "page", "connections", "page"]
    assert value(closed, "goroutines") == 8


def test_counts_of_operations_that_disagree_are_an_error():
    """Both are named; a window without any count has none."""
    window = FakeProcess().open_window(ops=5)
    window.operations.request(1000.0, "200", ok=True)
    with pytest.raises(MeasureError, match="disagree: requests made 1, ops= 5"):
        window.close()
    assert FakeProcess().open_window().close().ops is None


def test_a_stopped_process_is_given_two_seconds_and_then_not_asked():
    """Nobody of it could answer; what the kernel tells is there all the same."""
    process = FakeProcess()
    process.stopped = "process 4242 is stopped (state T): send it SIGCONT"
    closed = process.open_window().close()
    assert sum(process.slept) == pytest.approx(4.0, abs=0.11)
    assert not isinstance(closed.end, Unavailable)


def test_a_dead_process_costs_only_what_it_took_along():
    """Its peak comes from its end, and each other figure says how it died."""
    process = FakeProcess()
    window = process.open_window()
    process.work(1.0, rss=70 * MIB)
    process.end(code=None, signal=9)
    closed = window.close()
    assert closed.end.reason.startswith("the process was killed by SIGKILL")
    assert closed.end == closed.memstats
    assert closed.lifetime_peak == 70 * MIB
    assert value(closed, "peak_rss") == 70 * MIB


def test_a_memory_cgroup_is_read_beside_the_kernel():
    """Its peak begins anew where that of the process does, and is read before our own readings; it sets the limit."""
    process = FakeProcess()
    process.group_reading = GroupReading(
        t=999.0, limit=256 * MIB, current=20 * MIB, peak=90 * MIB, anon=18 * MIB, file=0, kernel=MIB,
        anon_peak=80 * MIB, oom_kills=0, peak_since=900.0,
    )  # fmt: skip
    window = process.open_window()
    at = OPENING.index("reset peak") + 1
    assert read_in(process) == [*OPENING[:at], "group", *OPENING[at:]]
    process.group_reading = replace(process.group_reading, peak=60 * MIB, anon_peak=50 * MIB)
    closed = window.close()
    assert read_in(process) == [CLOSING[0], "group", *CLOSING[1:]]
    assert value(closed, "cgroup_peak") == 60 * MIB
    assert value(closed, "memory_headroom") == (256 - 60) * MIB
    assert closed.limit == MemoryLimit(256 * MIB, "memory_limit", of_group=True)


def test_a_program_that_replaced_itself_begins_to_count_anew():
    """MemStats of another program are not compared; of its peak before the exec what was sampled is known."""
    process = FakeProcess()
    window = process.open_window()
    process.work(1.0, rss=80 * MIB)
    process.program, process.kernel = "second", process.kernel.__class__(process.time, 5 * MIB, 5 * MIB, 3, 3, 0.1)
    closed = window.close()
    assert read_in(process)[-3:] == ["kernel", "image", "smaps"]
    assert closed.memstats == closed.runtime == closed.gctrace
    assert "replaced itself" in closed.memstats.reason
    assert closed.end.hwm == 80 * MIB


def test_goroutines_that_end_are_waited_for_and_those_that_stay_are_told():
    """Before the window opens, and behind its close; a service that never rests says so."""
    process = FakeProcess(goroutines=40)
    process.later(0.003, goroutines=8)  # between the first two readings
    window = process.open_window()
    assert read_in(process)[:8] == [*SETTLE, "connections", "gc", "memstats"]
    process.change(goroutines=28)
    process.later(0.2, goroutines=8)
    assert window.close().memstats.after_gc.goroutines == 8

    restless = FakeProcess()
    window = restless.open_window()
    restless.connections_closing = 2
    restless.change(goroutines=20)
    closed = window.close()
    assert closed.memstats.unrest.endswith("2 of its connections were still being closed")
    assert closed.memstats.opening_unrest == ""


def test_an_event_that_fails_raises():
    process = FakeProcess()
    process.failing["page"] = "503"
    with pytest.raises(ObserveError, match="503"):
        process.record("page")


def test_a_window_that_was_disturbed_has_no_figures():
    """Each metric has the reason, in phases too; a window that opens anew is undisturbed."""
    process = FakeProcess()
    window = process.open_window()
    window.phases.enter("login", None)
    window.disturbed = "a heap dump disturbs"
    window.phases.leave()
    closed = window.close()
    for one in (closed, closed.phases[0].window):
        assert set(evaluate(one, builtin_metrics()).values()) == {Unavailable("a heap dump disturbs")}
    again = process.open_window()
    again.disturbed = "a heap dump disturbs"
    again.restart()
    assert value(again.close(), "peak_rss")


def test_what_no_agent_can_dump_disturbs_no_window():
    """The figures stay."""
    process = FakeProcess(inside="pprof")
    process.name = "api"
    service = Service(process, lambda: pytest.fail("no load is asked for"))
    service.window = process.open_window()
    with pytest.raises(ObserveError, match="has no agent"):
        service.retention()
    assert value(service.window.close(), "peak_rss")
