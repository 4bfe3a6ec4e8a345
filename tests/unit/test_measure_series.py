"""Courses over time: relative to the opening, within the window, bounded, and with every extreme kept."""

from __future__ import annotations

from gomem_windows import CLOSED, MIB, OPENED, cycle, timeline, trace, window
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.measure.series import MAX_POINTS, Series, series_of, thinned
from pytest_gomem.measure.window import GcTrace
from pytest_gomem.observe.records import GcRecord, Sample


def test_courses_start_at_the_opening():
    """Times are seconds after the opening; fds, which nobody sampled, is left out."""
    courses = series_of(window(timeline=timeline(20, 25, 22)))
    assert courses["rss"] == Series((0.0, 1.0, 2.0), (20.0 * MIB, 25.0 * MIB, 22.0 * MIB))
    assert courses["hwm"].v == (20.0 * MIB, 25.0 * MIB, 25.0 * MIB)
    assert courses["threads"].v == (9.0, 9.0, 9.0)
    assert "fds" not in courses


def test_live_heap_follows_the_windows_cycles():
    """Each cycle gives the heap it left alive; the cycles forced after the close are left out."""
    course = series_of(window(gctrace=trace(*range(11, 53))))["heap_live"]
    assert len(course.t) == 40
    assert set(course.v) == {2.0 * MIB}


def test_the_agents_live_heaps_make_the_course_alone():
    """Its exact points are not mixed with whole MiB, and cycles that our own readings forced are left out."""
    records = tuple(GcRecord(n, 1e-5, OPENED + n, live=1000 * n) for n in (11, 12, 13))
    one = window(gctrace=trace(*range(11, 53)), gc_records=records, own_cycles=frozenset({12}))
    assert series_of(one)["heap_live"] == Series((11.0, 13.0), (11_000.0, 13_000.0))


def test_points_outside_the_window_and_recorded_cycles_are_left_out():
    """Samples beyond the edges do not belong to the window, and a cycle without a time has no place in a course."""
    outside = (Sample(OPENED - 1, 1, 1, 1), Sample(CLOSED + 1, 1, 1, 1))
    one = window(timeline=outside, memstats=Unavailable("none"), gctrace=GcTrace((cycle(11, t=None),), None, 0))
    assert series_of(one) == {}


def test_window_without_gctrace_and_memstats_keeps_its_other_courses():
    """A missing source costs its own course alone."""
    gone = Unavailable("none")
    assert set(series_of(window(gctrace=gone, memstats=gone))) == {"rss", "hwm", "threads"}


def test_short_spike_survives_thinning():
    """One point of 100 000 that stands out is kept."""
    points = [(float(at), 9.0 if at == 54_321 else 1.0) for at in range(100_000)]
    kept = thinned(points, MAX_POINTS)
    assert len(kept) <= MAX_POINTS
    assert (54_321.0, 9.0) in kept


@given(st.lists(st.integers(-5, 5), max_size=120), st.integers(4, 40))
def test_thinning_keeps_order_edges_and_extremes(values, limit):
    """Never more than the limit, a subsequence of the points, with first, last, lowest and highest among them."""
    points = [(float(at), float(value)) for at, value in enumerate(values)]
    kept = thinned(points, limit)
    assert len(kept) <= limit
    assert kept == sorted(set(kept) & set(points))
    if points:
        assert {kept[0], kept[-1]} == {points[0], points[-1]}
        assert {min(v for _, v in kept), max(v for _, v in kept)} == {min(values), max(values)}
    if len(points) <= limit:
        assert kept == points
