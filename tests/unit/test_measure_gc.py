"""The metrics of garbage collection: which cycles count, where pauses come from, and what lost lines cost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gomem_windows import CLOSED, MIB, OPENED, cycle, pair, read, reason, trace, window

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.measure.window import GcTrace

NO_STATS = Unavailable("pprof is not served")
NO_TRACE = Unavailable("gctrace was not asked for")


def test_forced_cycles_of_our_own_readings_do_not_count():
    """Cycles 51 and 52, forced after the close, are in gctrace and in no metric."""
    one = window(
        gctrace=GcTrace((*trace(*range(11, 51)).cycles, cycle(51, stw_mark_term=1.0, heap_start=99 * MIB)), 0, 0)
    )
    assert read("gc_cycles", one).value == 40
    assert read("gc_stop_max", one).value == 20e-6
    assert read("peak_heap", one).value == 5 * MIB


def test_rate_and_interval_follow_from_the_count():
    """40 cycles in 10 s are 4 per second, one every quarter of a second."""
    assert read("gc_rate", window()).value == 4.0
    assert read("gc_interval", window()).value == 0.25


def test_pauses_come_from_the_ring_while_it_holds_them_all():
    """PauseNs is exact and needs no gctrace."""
    longest = read("gc_pause_max", window(gctrace=NO_TRACE))
    assert longest.value == pytest.approx(30e-6 + 50e-9)
    assert longest.source.endswith("PauseNs by pprof")
    assert longest.precision == "exact to 1 ns"


def test_total_mean_and_p99_of_the_ring():
    """Total and mean are over all cycles; p99 of 40 cycles is their maximum and says so."""
    total = sum(30e-6 + n * 1e-9 for n in range(11, 51))
    assert read("gc_pause_total", window()).value == pytest.approx(total)
    assert read("gc_pause_mean", window()).value == pytest.approx(total / 40)
    p99 = read("gc_pause_p99", window())
    assert p99.value == read("gc_pause_max", window()).value
    assert "p99 of 40 cycles is their maximum" in p99.note


def test_p99_of_more_than_100_cycles_is_a_rank():
    """Of 200 pauses the 198th is the p99, without a note."""
    p99 = read("gc_pause_p99", window(memstats=pair(first=10, last=210)))
    assert p99.value == pytest.approx(30e-6 + 208e-9)
    assert p99.note == ""


def test_cycles_that_left_the_ring_come_from_gctrace():
    """Beyond 256 cycles gctrace fills in what the ring lost: the longest pause is found there."""
    cycles = tuple(cycle(n, stw_mark_term=0.5 if n == 12 else 17e-6) for n in range(11, 411))
    one = window(memstats=pair(first=10, last=410), gctrace=GcTrace(cycles, 0, 0))
    longest = read("gc_pause_max", one)
    assert longest.value == pytest.approx(0.5 + 20e-6)
    assert "gctrace and" in longest.source
    assert "cuts off after 2 digits" in longest.precision


def test_cycles_in_neither_source_make_pauses_unavailable():
    """Without gctrace a turned ring leaves pauses unknown, and the reason names both."""
    words = reason("gc_pause_max", window(memstats=pair(first=10, last=410), gctrace=NO_TRACE))
    assert "256 of 400 pauses" in words
    assert NO_TRACE.reason in words


@pytest.mark.parametrize(("lost", "available"), [(1, True), (5, True), (6, False)])
def test_few_lost_lines_are_stated_and_many_forbid_a_figure(lost, available):
    """Up to 5 of 100 lost cycles are told in a note; from 6 on the figures of gctrace are unavailable."""
    one = window(memstats=pair(first=10, last=110), gctrace=trace(*range(11 + lost, 111), lost=lost))
    for name in ("gc_cpu", "gc_cpu_capacity", "gc_assist_cpu", "gc_stop_max", "peak_heap"):
        if available:
            assert f"{lost} of 100 GC cycles are lost" in read(name, one).note
        else:
            assert f"{lost} of 100 GC cycles are lost, more than 5%" in reason(name, one)


def test_without_memstats_lines_that_arrived_in_the_window_count():
    """By arrival, cycles before the opening and after the close are left out, and gaps in between are lost ones."""
    early, late = cycle(9, t=OPENED - 1), cycle(500, t=CLOSED + 1)
    inside = [n for n in range(10, 110) if n != 50]
    one = window(memstats=NO_STATS, gctrace=GcTrace((early, *map(cycle, inside), late), None, 0))
    assert read("gc_cycles", one).value == 100
    assert "go unseen" in read("gc_cycles", one).precision
    assert read("gc_pause_max", one).value == pytest.approx(37e-6)
    assert "1 of 100 GC cycles are lost" in read("gc_pause_max", one).note


def test_lines_read_after_a_program_ended_still_count():
    """The last lines of a program measured whole are read after its end, and belong to it."""
    late = GcTrace((cycle(1), cycle(2, t=CLOSED + 0.1)), 0, 0)
    whole = window(memstats=NO_STATS, gctrace=late, peak_reset=False, lifetime_peak=50 * MIB)
    assert read("gc_cycles", whole).value == 2


def test_torn_lines_alone_are_not_no_cycles():
    """When nothing but torn lines arrived and nobody counts the cycles, there is no 0 but a reason."""
    words = reason("gc_cycles", window(memstats=NO_STATS, gctrace=trace(lost=None, rejected=7)))
    assert "none of the 7 gctrace lines was whole" in words


def test_without_both_sources_both_reasons_are_given():
    """Neither MemStats nor gctrace: the reader learns why of each."""
    assert reason("gc_cycles", window(memstats=NO_STATS, gctrace=NO_TRACE)) == f"{NO_STATS.reason}; {NO_TRACE.reason}"


def test_no_cycle_means_no_stop_and_no_mean():
    """A window without a cycle stopped the world for 0 s, which is a fact; a mean or an interval of nothing is none."""
    calm = window(memstats=pair(first=10, last=10), gctrace=NO_TRACE)
    for name in ("gc_cycles", "gc_rate", "gc_pause_max", "gc_pause_p99", "gc_pause_total", "gc_stop_max", "gc_cpu"):
        assert read(name, calm).value == 0
    assert "no GC cycle" in read("gc_pause_max", calm).note
    assert "no GC cycle" in reason("gc_pause_mean", calm)
    assert "no GC cycle" in reason("gc_interval", calm)


def test_peak_heap_is_the_highest_of_cycles_and_edges():
    """The heap peaks at a cycle's start or mark end, or at the close when it grew since the last cycle."""
    assert read("peak_heap", window()).value == 5 * MIB
    grown = pair(end=replace(pair().end, heap_alloc=9 * MIB))
    assert read("peak_heap", window(memstats=grown)).value == 9 * MIB
    assert "after the last cycle" in read("peak_heap", window(memstats=NO_STATS)).note


def test_heap_that_was_never_collected_peaks_at_the_close():
    """Without a cycle the heap only grows: HeapAlloc at the close is its exact peak, with or without gctrace."""
    peak = read("peak_heap", window(memstats=pair(first=10, last=10), gctrace=NO_TRACE))
    assert peak.value == 3 * MIB
    assert peak.precision == "exact"


def test_peak_heap_needs_gctrace_once_there_were_cycles():
    """Edges alone would miss the peak before a collection."""
    assert reason("peak_heap", window(gctrace=NO_TRACE)) == NO_TRACE.reason
