"""The metrics of the process's memory: which peak is the window's own, how exact it is, and when there is none."""

from __future__ import annotations

import mmap
from dataclasses import replace

import pytest
from gomem_windows import CLOSED, MIB, OPENED, kernel, memstats, pair, read, reason, smaps, timeline, trace, window

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.peak import PeakMoment, held_from_earlier, peak_moment, rss_drift
from pytest_gomem.measure.registry import builtin_metrics, evaluate
from pytest_gomem.measure.window import Window
from pytest_gomem.observe.records import GcRecord, Sample


def result(name: str, one: Window) -> Reading | Unavailable:
    return evaluate(one, builtin_metrics())[name]


def test_peak_is_the_kernels_own():
    """After a reset VmHWM is the peak, with its floor in the note and its drift as precision."""
    peak = read("peak_rss", window())
    assert peak.value == 40 * MIB
    assert "VmHWM" in peak.source
    assert "floor 21.0 MB" in peak.note
    assert "262 kB on 2 CPUs" in peak.precision


@pytest.mark.parametrize(("cpus", "pages"), [(1, 32), (2, 64), (16, 512), (64, 8192)])
def test_drift_is_a_batch_of_pages_per_cpu(cpus, pages):
    """The batch is max(32, 2 x CPUs) pages on each CPU."""
    assert rss_drift(cpus) == pages * mmap.PAGESIZE


def test_fresh_process_without_reset_has_its_start_up_in_the_peak():
    """A lifetime peak of a fresh process is the most that the window's can be; the highest sample is the least."""
    start = kernel(OPENED, 20 * MIB, 90 * MIB, 1.0)
    one = window(peak_reset=False, start=start, end=kernel(CLOSED, 30 * MIB, 90 * MIB, 3.0))
    found = result("peak_rss", one)
    assert found.bounds == (40 * MIB, 90 * MIB)
    assert "start-up is in it" in found.reason
    assert read("peak_rss", window(peak_reset=False)).value == 40 * MIB, "it rose above its start-up"


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(("held", "known"), [(1_000_000, True), (1_700_000, False), (13 * MIB, False)])
def test_free_pages_from_before_bound_the_peak(fresh, held, known):
    """Of an earlier test or of the start-up: what may add more than what counts in a comparison spoils the figure."""
    found = result("peak_rss", window(fresh=fresh, held=held))
    if known:
        assert isinstance(found, Reading)
        assert (found.value, "up to 1.00 MB too high" in found.note) == (40 * MIB, True)
    else:
        assert found.bounds == (40 * MIB - held, 40 * MIB)
        assert "may be free pages from before the window: only the agent can return them first" in found.reason
    assert "too high" not in read("peak_rss", window(held=rss_drift(2))).note
    assert result("peak_rss", window(held=None)).bounds == (20 * MIB, 40 * MIB), "all of the floor"


def test_what_may_be_free_is_taken_from_whoever_knows():
    """Without forced collections all that the heap holds, without MemStats its mappings, without these nobody."""
    stats = memstats(10, 5_000_000, 50_000)
    assert held_from_earlier(stats, smaps(), collected=True) == (12 - 6) * MIB
    assert held_from_earlier(stats, smaps(), collected=False) == (12 - 6 + 4) * MIB
    assert held_from_earlier(None, smaps(), collected=False) == 11 * MIB
    assert held_from_earlier(None, None, collected=False) is None


def test_fresh_peak_may_equal_its_floor():
    """A process that never grew has its start as its peak, where nothing of an earlier test or its start is in it."""
    assert read("peak_rss", window(end=kernel(CLOSED, 20 * MIB, 20 * MIB, 2.0))).value == 20 * MIB


def test_unreset_peak_that_rose_in_the_window_is_the_windows():
    """Where VmHWM at the close is above VmHWM at the opening, the peak came in between, reset or not."""
    attached = window(peak_reset=False, fresh=False)
    assert read("peak_rss", attached).value == 40 * MIB


def test_attached_process_has_at_most_the_peak_of_its_life():
    """With free pages from before, the kernel's old peak is the most that the window's can be."""
    attached = window(peak_reset=False, fresh=False, held=9 * MIB, start=kernel(OPENED, 20 * MIB, 90 * MIB, 1.0),
                      end=kernel(CLOSED, 30 * MIB, 90 * MIB, 3.0))  # fmt: skip
    found = result("peak_rss", attached)
    assert found.bounds == (31 * MIB, 90 * MIB)
    assert "94.4 MB; the kernel's peak is of the process's whole life (attach() resets it" in found.reason


def test_a_peak_that_went_with_its_process_is_that_of_the_samples():
    """Of a process that is not ours nobody tells the end: its peak was reset, and cannot be read any more."""
    gone = window(fresh=False, end=Unavailable("process 5 has ended"), lifetime_peak=None)
    assert "the kernel's own peak went with the process" in read("peak_rss", gone).note


def test_unreset_peak_from_before_is_the_most():
    """The highest sample is the least, since a spike may lie between two: a `max` passes only above the old peak."""
    attached = window(peak_reset=False, fresh=False, start=kernel(OPENED, 20 * MIB, 900 * MIB, 1.0),
                      end=kernel(CLOSED, 30 * MIB, 900 * MIB, 3.0))  # fmt: skip
    found = result("peak_rss", attached)
    assert found.bounds == (40 * MIB, 900 * MIB)
    assert found.reason.endswith("944 MB; the kernel's peak is of the process's whole life (attach() resets it with "
                                 "reset_peak=True)")  # fmt: skip
    ended = replace(attached, tree=True, end=kernel(CLOSED, 30 * MIB, 30 * MIB, 3.0))
    ended = replace(ended, timeline=(*ended.timeline, Sample(OPENED + 9.5, 30 * MIB, 890 * MIB, 5)))
    assert result("peak_rss", ended).bounds == (40 * MIB, 890 * MIB), "a child that ended before the close had it"
    low = replace(attached, start=kernel(OPENED, 20 * MIB, 40 * MIB, 1.0), end=kernel(CLOSED, 30 * MIB, 40 * MIB, 3.0))
    peak = read("peak_rss", low)
    assert (peak.value, "samples, at most 1.00 s apart" in peak.source) == (40 * MIB, True)
    assert "was not reset" in peak.note


def test_system_without_a_kernel_peak_gives_the_highest_sample():
    """Without VmHWM the peak is the highest sample, a lower bound."""
    bare = tuple(Sample(s.t, s.rss, None, s.threads) for s in timeline(20, 25, 33, 30))
    one = window(start=kernel(OPENED, 20 * MIB, None, 1.0), end=kernel(CLOSED, 30 * MIB, None, 3.0), timeline=bare)
    peak = read("peak_rss", one)
    assert peak.value == 33 * MIB
    assert "lower bound" in peak.precision
    assert "7.00 s apart" in peak.source


def test_sum_of_peaks_of_a_tree_is_an_upper_bound():
    """A tree's peak says that it is a sum, and a child that ended before the close still counts."""
    one = window(tree=True, end=kernel(CLOSED, 30 * MIB, 35 * MIB, 3.0, processes=2))
    peak = read("peak_rss", one)
    assert peak.value == 40 * MIB
    assert "upper bound" in peak.note
    assert "child processes" not in peak.note, "none was there when the window opened"


@pytest.mark.parametrize("held", [0, 13 * MIB])
def test_free_pages_of_children_are_named(held):
    """What is returned or counted before a window opens is the root's: start-up garbage of a child is in the peak."""
    start = kernel(OPENED, 20 * MIB, 20 * MIB, 1.0, processes=2)
    end = kernel(CLOSED, 30 * MIB, 40 * MIB, 3.0, processes=2)
    found = result("peak_rss", window(tree=True, held=held, start=start, end=end))
    told = found.reason if isinstance(found, Unavailable) else found.note
    assert "free pages of its child processes from before the window may be in it" in told
    alone = window(tree=True, held=held, start=replace(start, processes=1), end=end)
    assert "child processes" not in str(result("peak_rss", alone))


def test_program_that_ended_by_itself_is_measured_whole():
    """Its peak is wait4's, also where nothing could be read at the close."""
    gone = Unavailable("the program has ended")
    one = window(start=gone, end=gone, peak_reset=False, lifetime_peak=50 * MIB)
    peak = read("peak_rss", one)
    assert peak.value == 50 * MIB
    assert "wait4" in peak.source
    assert reason("end_rss", one) == "the program has ended"


def test_lifetime_peak_of_a_shared_process_is_not_the_windows():
    """wait4's peak covers earlier windows too, so that a shared process's window may not take it."""
    one = window(fresh=False, peak_reset=False, lifetime_peak=900 * MIB)
    assert read("peak_rss", one).value == 40 * MIB


def test_pss_needs_both_readings():
    """PSS is read on request only: without it there is a reason, with it the higher of both edges."""
    assert "only on request" in reason("peak_pss", window())
    one = window(start=kernel(OPENED, MIB, MIB, 1.0, pss=700), end=kernel(CLOSED, MIB, MIB, 2.0, pss=600))
    assert read("peak_pss", one).value == 700


def test_threads_and_descriptors_are_those_at_the_close():
    """Both are counted at the close; descriptors nobody could count are no 0."""
    one = window(end=kernel(CLOSED, MIB, MIB, 2.0, threads=11, fds=None))
    assert read("threads", one).value == 11
    assert "could not be counted" in reason("fds", one)


def test_moment_of_the_peak_lies_between_two_samples():
    """The peak came after the last sample below it and before the first that shows it."""
    assert peak_moment(window()) == PeakMoment(5.0, 6.0, 20 * MIB)


def test_peak_after_the_last_sample_reaches_to_the_close():
    """A peak that no sample shows came between the last sample and the close."""
    assert peak_moment(window(timeline=timeline(20, 22, 24))) == PeakMoment(2.0, 10.0, 20 * MIB)


def test_peak_that_every_sample_shows_came_first():
    """After a reset the peak came between the opening and the first sample that shows it."""
    assert peak_moment(window(timeline=timeline(40, 30))) == PeakMoment(0.0, 0.0, 20 * MIB)


def test_moment_of_a_sampled_peak_is_between_its_neighbours():
    """Without a kernel peak the neighbours of the highest sample bound it."""
    bare = tuple(Sample(s.t, s.rss, None, s.threads) for s in timeline(20, 25, 33, 30))
    one = window(start=kernel(OPENED, 20 * MIB, None, 1.0), end=kernel(CLOSED, 30 * MIB, None, 3.0), timeline=bare)
    assert peak_moment(one) == PeakMoment(1.0, 3.0, 20 * MIB)


def test_nothing_read_has_no_moment():
    """Without any reading of the process there is no moment."""
    gone = Unavailable("the process has ended")
    assert peak_moment(window(start=gone, end=gone, timeline=())) is None


def test_heap_at_the_close_and_after_collections():
    """Levels stand at the close, what lives is read after two forced collections."""
    one = window()
    assert read("live_heap", one).value == 2 * MIB
    assert read("heap_objects", one).value == 5000
    assert read("heap_goal", one).value == 4 * MIB
    assert read("heap_sys", one).value == 16 * MIB
    assert read("heap_released", one).value == 6 * MIB
    assert read("stack_inuse", one).value == 600_000
    assert read("heap_fragmentation", one).value == 0.5
    assert read("runtime_overhead", one).value == 100_000 + 16_000 + 4000 + 3_000_000 + 1_000_000


def test_missing_collection_costs_only_what_needs_it():
    """Without the readings after two collections the live heap has their reason; the levels stay."""
    one = window(memstats=pair(after_gc=Unavailable("heap?gc=1 answered 403")))
    assert reason("live_heap", one) == "heap?gc=1 answered 403"
    assert reason("heap_fragmentation", one) == "heap?gc=1 answered 403"
    assert read("heap_sys", one).value == 16 * MIB


def test_collector_that_is_off_has_no_goal():
    """GOGC=off without a memory limit shows as the largest uint64, which is no goal."""
    off = pair(end=replace(pair().end, next_gc=2**64 - 1))
    assert "no goal" in reason("heap_goal", window(memstats=off))


def test_process_that_was_replaced_is_noticed():
    """Counters that run backwards come from another process, and give no figures."""
    assert "another process" in reason("heap_sys", window(memstats=pair(first=50, last=10)))


def test_startup_peak_is_that_of_the_start():
    """Read when it was ready, before the first reset; of a start that nobody watched there is none."""
    peak = read("startup_peak", window())
    assert (peak.value, "when it was ready" in peak.source) == (60 * MIB, True)
    assert (
        reason("startup_peak", window(startup_peak=Unavailable("gomem.yaml says no ready")))
        == "gomem.yaml says no ready"
    )


def whole(**other):
    """A program's whole life, 10 s, with GC cycles 11 to 50 in it."""
    return window(peak_reset=False, lifetime_peak=50 * MIB, **other)


def test_live_heap_of_a_whole_program_is_that_of_its_last_cycle():
    """Exact by the agent; how long before the end, and what the heap held at the end."""
    records = (GcRecord(49, 1e-5, CLOSED - 3, live=MIB), GcRecord(50, 1e-5, CLOSED - 2, live=1_234_567))
    found = read("live_heap", whole(gc_records=records))
    assert (found.value, found.source) == (1_234_567, "/gc/heap/live:bytes by the agent")
    assert (
        found.note == "as of GC cycle 50, the last, 2.00 s before the end; at the end the heap had 3.15 MB, live or not"
    )
    traced = read("live_heap", whole(gc_records=(replace(records[1], live=None),)))
    assert (traced.value, traced.source) == (2 * MIB, "gctrace")
    assert "in whole MiB" in traced.precision
    killed = read("live_heap", whole(memstats=Unavailable("it was killed"), gctrace=trace(*range(11, 51))))
    assert (killed.value, killed.note) == (2 * MIB, "as of GC cycle 50, the last, 9.50 s before the end")
    assert "of the last GC cycle" in found.incomparable == killed.incomparable


def test_without_a_last_cycle_a_whole_program_has_no_live_heap():
    """No cycle tells nothing, and neither does one whose line is lost."""
    assert "no GC cycle ended" in reason("live_heap", whole(memstats=pair(10, 10)))
    assert "of the last GC cycle is lost" in reason("live_heap", whole(gctrace=trace(*range(11, 50))))
    assert reason("live_heap", whole(gctrace=Unavailable("it is off"))) == "it is off"
