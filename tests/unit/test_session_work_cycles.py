"""Cycles of work: a settled reading after each, and that the window's figures are as if there were none."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pytest_gomem.base.errors import ConfigError, MeasureError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.measure.registry import builtin_metrics, evaluate
from pytest_gomem.session.instrument import Instrument
from pytest_gomem.session.service import Service
from pytest_gomem.testing import FakeProcess

MB, MIB = 1_000_000, 1 << 20
WORK = {"allocate": 10 * MB, "objects": 1000, "keep": MB, "gc": 2, "rss": 60 * MIB}
# What the readings between cycles must leave as it is.
KEPT = (
    "total_alloc", "allocs", "gc_cycles", "live_heap", "heap_objects", "goroutines", "peak_rss", "gc_pause_max",
    "alloc_rate", "cpu_time",
)  # fmt: skip


def serving(process: FakeProcess, **options) -> Service:
    process.name = "api"
    service = Service(process, lambda: pytest.fail("no load"))
    service.window = process.open_window(**options)
    return service


def figures(window):
    return {name: getattr(result, "value", None) for name, result in evaluate(window, builtin_metrics()).items()}


@pytest.mark.parametrize("inside", ["agent", "pprof"])
def test_cycles_leave_the_figures_of_the_window_as_they_are(inside):
    """Allocation, collections, CPU and time, whatever the readings between them take."""
    plain, apart = FakeProcess(inside=inside), FakeProcess(inside=inside)
    through, in_cycles = serving(plain), serving(apart)
    for _ in range(12):
        plain.work(**WORK)
    for number in in_cycles.cycles(12):
        assert number == len(in_cycles.window.work_cycles.finished(None))
        apart.work(**WORK)
    expected, found = figures(through.window.close()), in_cycles.window.close()
    assert {name: figures(found)[name] for name in KEPT} == pytest.approx({name: expected[name] for name in KEPT}, 1e-3)
    assert found.duration == pytest.approx(12.0, rel=0.01)
    assert found.closed - found.opened > found.duration + 12 * 0.005
    assert found.own_seconds > 0


def test_a_phase_within_each_cycle_has_its_own_time():
    """The readings between cycles are outside of it, and the course of the cycles is the window's alone."""
    process = FakeProcess()
    service = serving(process)
    for _ in service.cycles(12):
        with service.phase("login"):
            process.work(**WORK)
            service.count(10)
    window = service.window.close()
    for phase in window.phases:
        assert phase.window.duration == pytest.approx(1.0, rel=0.02)
        found = evaluate(phase.window, builtin_metrics())
        assert found["throughput"].value == pytest.approx(10.0, rel=0.02)
        assert phase.window.own_cpu == 0
        assert isinstance(found["heap_growth"], Unavailable)


def test_each_cycle_has_what_it_left():
    """Bytes, objects and goroutines at rest, with the time and the operations of the work alone."""
    process = FakeProcess()
    service = serving(process)
    before = process.memstats.heap_objects
    for number in service.cycles(3):
        process.work(allocate=10 * MB, objects=1000, keep=MB, goroutines=8 + number, rss=(30 + number) * MIB)
        service.count(50)
    cycles = service.window.close().work_cycles
    assert [cycle.ops for cycle in cycles] == [50, 100, 150]
    assert [cycle.seconds for cycle in cycles] == pytest.approx([1.0, 2.0, 3.0], rel=0.02)
    assert [b.live - a.live for a, b in pairwise(cycles)] == [MB, MB]
    assert [b.objects - a.objects for a, b in pairwise(cycles)] == [100, 100]
    assert cycles[0].objects <= before + 100
    assert [cycle.goroutines for cycle in cycles] == [8, 9, 10]
    assert [cycle.rss for cycle in cycles] == [30 * MIB, 31 * MIB, 32 * MIB]


def test_operations_that_are_only_declared_are_shared_out():
    """Each cycle did as many."""
    process = FakeProcess()
    service = serving(process, ops=60)
    for _ in service.cycles(3):
        process.work()
    assert [cycle.ops for cycle in service.window.close().work_cycles] == [20, 40, 60]


def test_growth_is_told_from_what_cycles_leave():
    """As the metrics tell it: bytes per operation."""
    process = FakeProcess()
    service = serving(process)
    for _ in service.cycles(12):
        process.work(**WORK)
        service.count(1000)
    assert figures(service.window.close())["heap_growth_per_op"] == pytest.approx(1000.0, rel=0.01)


def test_instruments_are_told_and_what_they_do_is_left_out():
    """After the reading, with the number of the cycle."""
    process, told = FakeProcess(), []

    class Dump(Instrument):
        name = "dump"

        def cycled(self, target, number):
            told.append(number)
            process.allocate(50 * MB, 1000)
            process.collect(1, forced=True)
            process.pass_time(1.0)

    service = serving(process, instruments=[Dump()])
    for _ in service.cycles(2):
        process.work(**WORK)
    window = service.window.close()
    assert told == [1, 2]
    assert window.duration == pytest.approx(2.0, rel=0.05)
    assert figures(window)["total_alloc"] == pytest.approx(2 * 10 * MB, rel=0.01)
    assert figures(window)["gc_cycles"] == 4


def test_a_warm_up_drops_the_cycles_before_it():
    """The window opens anew."""
    process = FakeProcess()
    service = serving(process)
    with service.warmup():
        for _ in service.cycles(5):
            process.work()
    for _ in service.cycles(3):
        process.work()
    window = service.window.close()
    assert len(window.work_cycles) == 3
    assert window.duration == pytest.approx(3.0, rel=0.05)


def test_what_makes_no_course_is_refused():
    """A second loop, a cycle that ends within a phase, and no cycles at all."""
    process = FakeProcess()
    service = serving(process)
    with pytest.raises(ConfigError):
        service.cycles(0)
    with service.phase("login"), pytest.raises(MeasureError, match="put the phase into the loop"):
        list(service.cycles(2))
    assert list(service.cycles(2)) == [0, 1]
    with pytest.raises(MeasureError, match="has had its cycles"):
        list(service.cycles(2))


def test_without_a_window_it_is_a_loop():
    """As under --gomem-no-measure."""
    service = serving(FakeProcess())
    service.window = None
    assert list(service.cycles(3)) == [0, 1, 2]


def test_a_cycle_that_cannot_be_read_is_the_reason():
    """It is asked once, and the work goes on."""
    process = FakeProcess()
    service = serving(process)
    for number in service.cycles(3):
        process.work()
        if number == 1:
            process.failing["gc twice"] = "silent"
    found = service.window.close()
    assert found.work_cycles == Unavailable("cycle 2 could not be read: silent")
    assert process.events.count("gc twice") == 4  # at the edges, and after two of three cycles
    reading = evaluate(found, builtin_metrics())["heap_growth"]
    assert reading == Unavailable("cycle 2 could not be read: silent")
