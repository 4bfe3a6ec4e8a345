"""Everything computed of one window, by one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_gomem.base.unavailable import Unavailable, attempt, known
from pytest_gomem.measure.allocation import SizeClassGrowth, size_classes
from pytest_gomem.measure.bill import Bill, opening_bill, window_bill
from pytest_gomem.measure.cross_checks import CrossCheck, cross_checks, disagreement
from pytest_gomem.measure.cycles import JoinedCycle, joined_cycles
from pytest_gomem.measure.death_spiral import DeathSpiral, death_spiral
from pytest_gomem.measure.growth import FittedCourse, fitted_courses
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.peak import PeakMoment, peak_moment, widest_gap
from pytest_gomem.measure.quantiles import Bucket
from pytest_gomem.measure.registry import Registry, evaluate
from pytest_gomem.measure.runtime_metrics import histograms
from pytest_gomem.measure.series import Series, series_of
from pytest_gomem.measure.window import Window
from pytest_gomem.measure.work import LoadSummary, load_summary

_WIDE_GAP = 10  # sample periods
Metrics = Mapping[str, Reading | Unavailable]


@dataclass(frozen=True)
class Summary:
    """The results of a closed window.

    metrics: of the window, by name. phases: the metrics of each phase, in order. bill, opening_bill: where the resident
    memory was at the close and at the opening; None if the mappings were not read. notes: what a reader must know of
    how it was measured.
    """

    metrics: Metrics
    phases: tuple[Metrics, ...]
    peak_moment: PeakMoment | None
    loads: tuple[LoadSummary, ...]
    series: Mapping[str, Series]
    bill: Bill | None
    opening_bill: Bill | None
    cross_checks: tuple[CrossCheck, ...]
    cycles: tuple[JoinedCycle, ...]
    size_classes: tuple[SizeClassGrowth, ...]
    histograms: Mapping[str, tuple[Bucket, ...]]
    courses: Mapping[str, FittedCourse]
    death_spiral: DeathSpiral | None
    notes: tuple[str, ...]


def summarize(window: Window, registry: Registry) -> Summary:
    """Evaluate a window; never raises: what cannot be computed is unavailable with the reason, or left out."""
    checks = cross_checks(window)
    return Summary(
        metrics=evaluate(window, registry),
        phases=tuple({} if phase.window is None else evaluate(phase.window, registry) for phase in window.phases),
        peak_moment=peak_moment(window),
        loads=tuple(map(load_summary, window.loads)),
        series=series_of(window),
        bill=known(attempt(lambda: window_bill(window))),
        opening_bill=known(attempt(lambda: opening_bill(window))),
        cross_checks=checks,
        cycles=joined_cycles(window),
        size_classes=size_classes(window),
        histograms=histograms(window),
        courses=fitted_courses(window),
        death_spiral=death_spiral(window),
        notes=(*_gaps(window), *_unrest(window), *(disagreement(check) for check in checks if not check.agrees)),
    )


def _gaps(window: Window) -> Iterator[str]:
    """A timeline that was interrupted: between two samples far apart only the kernel's own peak is known."""
    widest = widest_gap([window.opened, *(sample.t for sample in window.timeline), window.closed])
    if widest > _WIDE_GAP / window.sample_rate:
        due = (window.closed - window.opened) * window.sample_rate
        missing = f"{len(window.timeline)} of some {due:.0f} samples were taken"
        yield f"the timeline has a gap of {widest:.2f} s: {missing}"


def _unrest(window: Window) -> Iterator[str]:
    memstats = known(window.memstats)
    if memstats is None:
        return
    if memstats.opening_unrest:
        yield f"before the window {memstats.opening_unrest}; work from before it may be in its figures"
    if memstats.unrest:
        yield f"after the window {memstats.unrest}; live_heap, heap_objects and goroutines are as last read"
