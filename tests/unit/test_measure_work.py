"""The metrics of allocation and work: differences without the cost of reading, and shares of operations."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gomem_windows import CLOSED, MIB, OPENED, kernel, memstats, pair, read, reason, window

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.load.spec import LoadRecord

PER_OP = ("alloc_bytes_per_op", "allocs_per_op", "cpu_per_op")


def test_one_reading_is_subtracted_from_what_was_allocated():
    """30.05 MB and 200 400 objects were counted, 50 kB and 400 of them by the reading itself."""
    assert read("total_alloc", window()).value == 30_000_000
    assert read("allocs", window()).value == 200_000
    assert read("alloc_rate", window()).value == 3_000_000
    assert read("alloc_bytes_per_op", window()).value == 30_000
    assert read("allocs_per_op", window()).value == 200
    assert "50.0 kB for our own readings is subtracted" in read("total_alloc", window()).precision
    assert "over 1000 operations" in read("alloc_bytes_per_op", window()).precision


def test_less_than_a_reading_costs_is_nothing_and_says_so():
    """A window that allocated less than one reading costs gives 0, never a negative figure."""
    idle = pair(end=memstats(50, 5_040_000, 50_100))
    assert read("total_alloc", window(memstats=idle)).value == 0
    assert "too little to tell from nothing" in read("allocs_per_op", window(memstats=idle)).note


@pytest.mark.parametrize("name", [*PER_OP, "ops", "throughput"])
@pytest.mark.parametrize(("ops", "words"), [(None, "no operations were counted"), (0, "no operation was done")])
def test_per_operation_needs_operations(name, ops, words):
    """Neither uncounted operations nor none at all can be divided by."""
    assert words in reason(name, window(ops=ops))


def test_throughput_and_cpu():
    """1000 operations in 10 s with 2 s of CPU time."""
    assert read("ops", window()).value == 1000
    assert read("throughput", window()).value == 100
    assert read("cpu_time", window()).value == 2.0
    assert read("cpu_per_op", window()).value == 0.002


def test_cpu_that_ran_backwards_is_unavailable():
    """A tree that lost a member may show less CPU time at the close than at the opening."""
    assert "ended in the window" in reason("cpu_time", window(tree=True, end=kernel(CLOSED, MIB, MIB, cpu=0.5)))


def test_latencies_are_those_of_all_loads():
    """The quantiles go over every request of the window, by nearest rank."""
    loads = (LoadRecord(2, 0, 1.0, (0.1, 0.4)), LoadRecord(2, 1, 1.0, (0.2, 0.3)))
    one = window(loads=loads)
    assert read("latency_p50", one).value == 0.2
    assert read("latency_p99", one).value == 0.4
    assert read("latency_p99", one).note == "p99 of 4 requests is their maximum"
    assert read("error_rate", one).value == 0.25
    assert read("latency_p99", window()).value == pytest.approx(990e-5)


def test_no_requests_have_neither_latency_nor_errors():
    """Without requests there is no error rate of 0."""
    assert "no request was timed" in reason("latency_p50", window(loads=()))
    assert "no request was made" in reason("error_rate", window(loads=()))


def test_goroutines_are_counted_after_the_collections_or_at_the_close():
    """The later count is the better one; the earlier stands in; without both there is a reason."""
    assert read("goroutines", window()).value == 6
    early = pair(after_gc=Unavailable("heap?gc=1 answered 403"))
    assert read("goroutines", window(memstats=early)).value == 8
    assert "at the close" in read("goroutines", window(memstats=early)).source
    neither = replace(early, end=replace(early.end, goroutines=None))
    assert "could not be read" in reason("goroutines", window(memstats=neither))


def test_program_that_ended_by_itself_has_wait4s_cpu_time():
    """Where no reading of the process is left, the CPU time of its whole life is the window's."""
    gone = Unavailable("the program has ended")
    whole = window(start=gone, end=gone, peak_reset=False, lifetime_peak=50 * MIB, lifetime_cpu=4.0)
    assert read("cpu_time", whole).value == 4.0
    assert read("cpu_time", whole).source == "rusage of wait4"
    assert read("gc_assist_cpu", whole).value == pytest.approx(40 * 100e-6 / 4.0)


@pytest.mark.parametrize("name", ["alloc_rate", "throughput", "gc_rate", "gc_interval", "gc_cpu_capacity"])
def test_window_without_duration_has_no_rates(name):
    """Nothing is divided by a duration of 0."""
    assert reason(name, window(closed=OPENED)) == "the window has no duration"
