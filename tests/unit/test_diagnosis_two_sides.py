"""Which heap profiles are held against each other, what is said where one lacks, and which metrics are asked."""

from __future__ import annotations

from report_samples import verdict, window
from test_attribution_culprits import KIB, heap, retained

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.diagnosis.culprits import accusable
from pytest_gomem.diagnosis.two_sides import no_peaks

HEAP = heap(retained(KIB, 10))


def test_the_side_without_a_profile_of_its_peak_is_named():
    """One side, both for one reason, or each for its own."""
    no_cycle, not_said = Unavailable("no GC cycle ended"), Unavailable("it is not said")
    assert no_peaks(HEAP, no_cycle) == "the base side kept none of its peak: no GC cycle ended"
    assert no_peaks(not_said, HEAP) == "the head kept none of its peak: it is not said"
    assert no_peaks(not_said, Unavailable("it is not said")) == "neither side kept one of its peak: it is not said"
    assert no_peaks(not_said, no_cycle) == (
        "the head kept none of its peak: it is not said; the base side kept none of its peak: no GC cycle ended"
    )


def test_metrics_of_the_peak_are_asked_apart_where_they_have_a_profile_of_their_own():
    """A leak and a spike may be of two lines; one profile for all of them is asked once, about the first."""
    metrics = ("live_heap", "peak_rss", "peak_heap", "end_rss")
    broken = window(verdicts=tuple(verdict(name, "1kB", 1e6) for name in metrics))
    assert accusable(broken, peaks_apart=False) == ["live_heap"]
    assert accusable(broken, peaks_apart=True) == ["live_heap", "peak_rss"]
