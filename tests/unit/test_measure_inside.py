"""What the agent tells of the inside of a window: histograms, scans, size classes, cycles joined with gctrace."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from gomem_windows import CLOSED, MIB, OPENED, memstats, pair, read, reason, runtime, trace, window
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.measure.allocation import size_classes
from pytest_gomem.measure.cycles import joined_cycles
from pytest_gomem.measure.quantiles import Bucket, gained, quantile, total
from pytest_gomem.measure.runtime_metrics import histograms
from pytest_gomem.measure.window import RuntimeMetrics
from pytest_gomem.observe.agent.records import Histogram
from pytest_gomem.observe.records import GcRecord, SizeClass
from pytest_gomem.report.failure_details import size_class_text


def test_stops_and_waits():
    """Quantiles of what the histograms gained in the window, not of all since the start."""
    assert (read("gc_stop_p50", window()).value, read("gc_stop_p99", window()).value) == (20e-6, 80e-6)
    assert read("sched_latency_p99", window()).value == 1e-6
    assert histograms(window())["gc_stops"] == (Bucket(16e-6, 20e-6, 80), Bucket(64e-6, 80e-6, 20))


def test_older_go():
    """Before Go 1.22 the stops have another name; before 1.21 there are no scans."""
    new = runtime()
    old = {"/gc/pauses:seconds": new.start["/sched/pauses/total/gc:seconds"]}
    grown = {"/gc/pauses:seconds": new.end["/sched/pauses/total/gc:seconds"]}
    made = window(runtime=RuntimeMetrics(old, grown))
    assert read("gc_stop_p99", made).source == "/gc/pauses:seconds by the agent"
    assert reason("scan_heap", made) == "this Go release has no /gc/scan/heap:bytes"
    assert reason("sched_latency_p99", made) == "this Go release has no /sched/latencies:seconds"


def test_without_the_agent():
    """Everything of runtime/metrics is unavailable with the reason."""
    made = window(runtime=Unavailable("runtime/metrics need the agent: it is a binary"))
    for name in ("scan_total", "gc_stop_p50", "sched_latency_p99"):
        assert reason(name, made) == "runtime/metrics need the agent: it is a binary"
    assert histograms(made) == {}


def test_no_stop_is_0():
    """No cycle stopped the world: that is known."""
    at = runtime().start
    reading = read("gc_stop_p99", window(runtime=RuntimeMetrics(at, at)))
    assert (reading.value, reading.note) == (0.0, "no GC cycle stopped the world in the window")


@given(st.lists(st.floats(1e-9, 1.0), min_size=1, max_size=200), st.sampled_from([1, 50, 99, 100]))
def test_a_quantile_is_at_most_one_bucket_off(values, percent):
    """Against the values themselves, in buckets that are a quarter wide."""
    bounds = [0.0, *(1e-9 * 1.25**n for n in range(95)), math.inf]
    counts = [sum(low <= value < high for value in values) for low, high in pairwise(bounds)]
    zero = Histogram((0,) * len(counts), tuple(bounds))
    buckets = gained(zero, Histogram(tuple(counts), tuple(bounds)))
    assert total(buckets) == len(values)
    exact = sorted(values)[max(1, -(-len(values) * percent // 100)) - 1]
    assert exact <= quantile(buckets, percent) * (1 + 1e-12) <= exact * 1.25 * (1 + 1e-9) or exact <= 1e-9


def test_histograms_that_do_not_fit():
    """Another process, another Go: a reason."""
    start = Histogram((1, 2), (0.0, 1.0, 2.0))
    with pytest.raises(ObserveError, match="ran backwards"):
        gained(start, Histogram((1, 1), (0.0, 1.0, 2.0)))
    with pytest.raises(ObserveError, match="buckets of the histogram changed"):
        gained(start, Histogram((1, 2), (0.0, 1.0, 3.0)))
    with pytest.raises(ObserveError, match="gained nothing"):
        quantile((), 99)


def sized(last: int, total_alloc: int, *mallocs: int):
    classes = tuple(SizeClass(size, n, n // 2) for size, n in zip((0, 16, 4096), (0, *mallocs), strict=True))
    return memstats(last, total_alloc, 9, by_size=classes)


def test_size_classes_sum_to_what_was_allocated():
    """Each class by its own size, the rest as larger ones; an empty class is left out."""
    both = pair(start=sized(10, 1000, 10, 1), end=sized(50, 1000 + 16 * 5 + 1_000_000, 15, 1))
    grown = size_classes(window(memstats=both))
    assert [(one.size, one.mallocs, one.bytes) for one in grown] == [(16, 5, 80), (None, None, 1_000_000)]
    assert size_class_text(grown) == ("allocated by size: 100% above 16 B, <0.1% in 16 B (5 objects) of 1.00 MB")
    assert size_classes(window()) == ()
    assert size_class_text(()) == ""


def test_cycles_are_joined_by_number():
    """The agent's pause and end, gctrace's heap; null where one side is missing."""
    records = tuple(GcRecord(n, 1e-5 * n, OPENED + n) for n in (11, 12))
    made = window(
        memstats=pair(10, 13, end=memstats(13, 35_050_000, 250_400, pauses=())),
        gc_records=records,
        gctrace=trace(12, 13),
    )
    first, both, last = joined_cycles(made)
    assert (first.number, first.end, first.pause, first.heap_live, first.forced) == (11, 11.0, 1e-5 * 11, None, None)
    assert (both.number, both.end, both.pause, both.heap_start, both.forced) == (12, 12.0, 1e-5 * 12, 4 * MIB, False)
    assert (last.number, last.pause, last.heap_goal, last.assist_cpu) == (13, None, 4 * MIB, 100e-6)
    assert last.end == pytest.approx(0.13)
    assert CLOSED - OPENED == 10


def test_the_live_heap_of_a_cycle_is_exact_where_the_agent_saw_it():
    """Of cycles in quick succession it knows that of the last one; gctrace has the others in whole MiB."""
    records = (GcRecord(11, 1e-5, OPENED + 1), GcRecord(12, 1e-5, OPENED + 2, live=1_234_567))
    made = window(memstats=pair(10, 12), gc_records=records, gctrace=trace(11, 12))
    assert [cycle.heap_live for cycle in joined_cycles(made)] == [2 * MIB, 1_234_567]


def test_of_many_cycles_the_longest_pauses_are_kept():
    """In order of number."""
    kept = joined_cycles(window(), limit=5)
    assert [cycle.number for cycle in kept] == [46, 47, 48, 49, 50]
