"""The metrics of garbage collection: how often it ran, and how long it stopped the world."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import COUNT, PER_SECOND, SECONDS
from pytest_gomem.measure.cycles import GCTRACE_PRECISION, cycles_of, pauses_of, traced_cycles
from pytest_gomem.measure.metric import Better, Noise, Reading, metric
from pytest_gomem.measure.quantiles import nearest_rank, p99_note
from pytest_gomem.measure.window import Window
from pytest_gomem.measure.window_sources import GCTRACE, MEMSTATS, PROMETHEUS, duration, increase, joined

_NUMGC = (f"{MEMSTATS}.NumGC", GCTRACE, PROMETHEUS)
_PAUSES = (f"{MEMSTATS}.PauseNs", GCTRACE)

_count_metric = partial(
    metric,
    group="gc",
    noise=Noise.MODERATE,
    sources=_NUMGC,
    precision="exact from NumGC; from gctrace cycles lost at the edges go unseen",
)
_pause_metric = partial(
    metric,
    group="gc",
    unit=SECONDS,
    better=Better.LOWER,
    noise=Noise.NOISY,
    sources=_PAUSES,
    precision=f"exact to 1 ns from PauseNs; {GCTRACE_PRECISION}",
    of_wall_time=True,
)


class _Counted(NamedTuple):
    value: float
    by: str
    precision: str


def _counted(window: Window) -> _Counted:
    """The window's cycles, by number if that is known, else by any source that counts them."""
    try:
        cycles = cycles_of(window)
    except ObserveError as gap:
        try:
            found = increase(window, "num_gc")
        except ObserveError:
            raise gap from None
        return _Counted(found.value, f"number of GC cycles {found.by}", "exact")
    return _Counted(cycles.total, cycles.source, cycles.precision)


@_count_metric(unit=COUNT, better=Better.LOWER)
def gc_cycles(window: Window) -> Reading | Unavailable:
    """GC cycles that ended in the window, without those our own readings force."""
    count = _counted(window)
    return Reading(count.value, count.by, count.precision)


@_count_metric(unit=PER_SECOND, better=Better.LOWER, of_wall_time=True)
def gc_rate(window: Window) -> Reading | Unavailable:
    """GC cycles per second of wall time."""
    count = _counted(window)
    return Reading(count.value / duration(window), count.by, count.precision)


@_count_metric(unit=SECONDS, better=Better.HIGHER, of_wall_time=True)
def gc_interval(window: Window) -> Reading | Unavailable:
    """Mean wall time per GC cycle: the window's duration over its cycles."""
    count = _counted(window)
    if not count.value:
        return Unavailable("no GC cycle ended in the window, so that there is no interval")
    return Reading(duration(window) / count.value, count.by, count.precision)


@_pause_metric()
def gc_pause_max(window: Window) -> Reading | Unavailable:
    """Longest stop-the-world time of one cycle, both of its stops together."""
    pauses = pauses_of(window)
    return Reading(max(pauses.seconds, default=0.0), pauses.source, pauses.precision, pauses.note)


@_pause_metric()
def gc_pause_p99(window: Window) -> Reading | Unavailable:
    """99th percentile, by nearest rank, of the stop-the-world time per cycle."""
    pauses = pauses_of(window)
    value = nearest_rank(pauses.seconds, 99) if pauses.seconds else 0.0
    note = joined(p99_note(len(pauses.seconds), "cycles"), pauses.note)
    return Reading(value, pauses.source, pauses.precision, note)


@_pause_metric()
def gc_pause_p50(window: Window) -> Reading | Unavailable:
    """Median stop-the-world time per cycle, by nearest rank."""
    pauses = pauses_of(window)
    value = nearest_rank(sorted(pauses.seconds), 50) if pauses.seconds else 0.0
    return Reading(value, pauses.source, pauses.precision, pauses.note)


@_pause_metric()
def gc_pause_mean(window: Window) -> Reading | Unavailable:
    """Mean stop-the-world time per cycle."""
    pauses = pauses_of(window)
    if not pauses.seconds:
        return Unavailable("no GC cycle ended in the window, so that there is no mean")
    return Reading(sum(pauses.seconds) / len(pauses.seconds), pauses.source, pauses.precision, pauses.note)


@_pause_metric(sources=(*_PAUSES, PROMETHEUS))
def gc_pause_total(window: Window) -> Reading | Unavailable:
    """Stop-the-world time of all cycles of the window together."""
    try:
        pauses = pauses_of(window)
    except ObserveError as gap:
        try:
            found = increase(window, "pause_total")
        except ObserveError:
            raise gap from None
        return Reading(found.value, f"sum of all pauses {found.by}", "exact to 1 ns")
    return Reading(sum(pauses.seconds), pauses.source, pauses.precision, pauses.note)


@_pause_metric(sources=(GCTRACE,), precision=GCTRACE_PRECISION)
def gc_stop_max(window: Window) -> Reading | Unavailable:
    """Longest single stop of the world for the collector: sweep termination or mark termination."""
    cycles, note = traced_cycles(window)
    longest = max((max(cycle.stw_sweep_term, cycle.stw_mark_term) for cycle in cycles), default=0.0)
    return Reading(longest, GCTRACE, note=note)


METRICS = (
    gc_cycles,
    gc_rate,
    gc_interval,
    gc_pause_max,
    gc_pause_p99,
    gc_pause_p50,
    gc_pause_mean,
    gc_pause_total,
    gc_stop_max,
)
