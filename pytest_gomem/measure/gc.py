"""Owns the metrics of garbage collection: how often it ran, how long it stopped the world, how much CPU it took."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from pytest_gomem.errors import ObserveError
from pytest_gomem.measure.cycles import GCTRACE_PRECISION, cycles_of, pauses_of, traced_cycles
from pytest_gomem.measure.metric import Better, Noise, Reading, Unavailable, metric
from pytest_gomem.measure.quantiles import nearest_rank, p99_note
from pytest_gomem.measure.sources import CPU_CLOCK, GCTRACE, MEMSTATS, PROMETHEUS, duration, joined
from pytest_gomem.measure.told import told_between
from pytest_gomem.measure.window import Window
from pytest_gomem.measure.work import process_cpu
from pytest_gomem.observe.records import GcCycle
from pytest_gomem.quantity import COUNT, PER_SECOND, RATIO, SECONDS

_NUMGC = (f"{MEMSTATS}.NumGC", GCTRACE, PROMETHEUS)
_PAUSES = (f"{MEMSTATS}.PauseNs", GCTRACE)
_CPU_PRECISION = f"a cycle counts whole where it ends; {GCTRACE_PRECISION}"

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
)
_cpu_metric = partial(metric, group="gc", unit=RATIO, better=Better.LOWER, noise=Noise.NOISY, precision=_CPU_PRECISION)


class _Counted(NamedTuple):
    value: float
    by: str
    precision: str


def _counted(window: Window) -> _Counted:
    """The window's cycles, by number where that is known, else as whoever counts them."""
    try:
        cycles = cycles_of(window)
    except ObserveError as gap:
        try:
            told = told_between(window, "num_gc")
        except ObserveError:
            raise gap from None
        return _Counted(told.value, f"number of GC cycles {told.by}", "exact")
    return _Counted(cycles.total, cycles.source, cycles.precision)


@_count_metric(unit=COUNT, better=Better.LOWER)
def gc_cycles(window: Window) -> Reading | Unavailable:
    """GC cycles that ended in the window, without those our own readings force."""
    count = _counted(window)
    return Reading(count.value, count.by, count.precision)


@_count_metric(unit=PER_SECOND, better=Better.LOWER)
def gc_rate(window: Window) -> Reading | Unavailable:
    """GC cycles per second of wall time."""
    count = _counted(window)
    return Reading(count.value / duration(window), count.by, count.precision)


@_count_metric(unit=SECONDS, better=Better.HIGHER)
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
            told = told_between(window, "pause_total")
        except ObserveError:
            raise gap from None
        return Reading(told.value, f"sum of all pauses {told.by}", "exact to 1 ns")
    return Reading(sum(pauses.seconds), pauses.source, pauses.precision, pauses.note)


@_pause_metric(sources=(GCTRACE,), precision=GCTRACE_PRECISION)
def gc_stop_max(window: Window) -> Reading | Unavailable:
    """Longest single stop of the world for the collector: sweep termination or mark termination."""
    cycles, note = traced_cycles(window)
    longest = max((max(cycle.stw_sweep_term, cycle.stw_mark_term) for cycle in cycles), default=0.0)
    return Reading(longest, GCTRACE, note=note)


def _gc_cpu_seconds(cycle: GcCycle) -> float:
    """CPU of a cycle in seconds, without idle marking, which takes only what nobody else wanted."""
    return cycle.cpu_sweep_term + cycle.cpu_assist + cycle.cpu_background + cycle.cpu_mark_term


@_cpu_metric(sources=(f"{GCTRACE} / {CPU_CLOCK}",))
def gc_cpu(window: Window) -> Reading | Unavailable:
    """CPU of the collector, without idle marking, as a share of the process's CPU time in the window."""
    cycles, note = traced_cycles(window)
    return _share_of_cpu(window, sum(_gc_cpu_seconds(cycle) for cycle in cycles), note)


@_cpu_metric(sources=(f"{GCTRACE} / (GOMAXPROCS x wall time)",))
def gc_cpu_capacity(window: Window) -> Reading | Unavailable:
    """CPU of the collector, without idle marking, as a share of GOMAXPROCS x wall time."""
    cycles, note = traced_cycles(window)
    spent = sum(_gc_cpu_seconds(cycle) for cycle in cycles)
    capacity = _gomaxprocs(window, cycles) * duration(window)
    return Reading(spent / capacity, f"{GCTRACE} / (GOMAXPROCS x wall time)", note=note)


@_cpu_metric(sources=(f"{GCTRACE} / {CPU_CLOCK}",))
def gc_assist_cpu(window: Window) -> Reading | Unavailable:
    """CPU that allocating goroutines spent on mark assists, as a share of the process's CPU time in the window."""
    cycles, note = traced_cycles(window)
    return _share_of_cpu(window, sum(cycle.cpu_assist for cycle in cycles), note)


def _share_of_cpu(window: Window, spent: float, note: str) -> Reading:
    cpu, source = process_cpu(window)
    if cpu <= 0:
        raise ObserveError("the process used no measurable CPU time in the window")
    return Reading(spent / cpu, f"{GCTRACE} / {source}", note=note)


def _gomaxprocs(window: Window, cycles: tuple[GcCycle, ...]) -> int:
    # What gctrace prints was in force; what was asked for at the launch the program may have changed.
    in_force = sorted({cycle.procs for cycle in cycles})
    if len(in_force) > 1:
        raise ObserveError(f"GOMAXPROCS changed within the window: {', '.join(map(str, in_force))}")
    procs = in_force[0] if in_force else window.gomaxprocs
    if not procs:
        raise ObserveError("GOMAXPROCS is unknown: no gctrace line tells it, and it was not set at the launch")
    return procs


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
    gc_cpu,
    gc_cpu_capacity,
    gc_assist_cpu,
)
