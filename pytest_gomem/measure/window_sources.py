"""From a window to its records, by the most trusted source that has them; otherwise the reason is raised."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import known, reason_of, required
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.window import MemStatsPair, SourceEdges, Window, once_per_window
from pytest_gomem.observe.records import TRUST, MemStats, Observed, Sample, quantities_of

VMHWM = "VmHWM of /proc/PID/status"
STATM = "resident pages of /proc/PID/statm"
CPU_CLOCK = "CPU clock of the process"
RUSAGE = "rusage of wait4"
MEMSTATS = "runtime.MemStats"
GCTRACE = "gctrace"
PROMETHEUS = "Prometheus"
LOAD = "requests of the window"
# What redefined a metric, in words that follow "recorded before".
AT_REST = ("it was read once the service is at rest",)
ON_RETURNED_MEMORY = ("windows opened on returned memory",)
RESTLESS = "as exact as it stood still: see the note"


def memstats(window: Window) -> MemStatsPair:
    """MemStats at both edges, from one process: its counters may not have run backwards."""
    pair = required(window.memstats)
    if pair.end.num_gc < pair.start.num_gc or pair.end.total_alloc < pair.start.total_alloc:
        raise ObserveError("the counters of MemStats ran backwards: another process answered at the window's close")
    return pair


def after_gc(window: Window) -> MemStats:
    """MemStats after the two forced collections that follow the window."""
    return required(memstats(window).after_gc)


def at_rest(window: Window, value: float, source: str, precision: str = "") -> Reading:
    """A reading of what is left after the forced collections; it says so if the service did not come to rest."""
    unrest = memstats(window).unrest
    return Reading(value, source, RESTLESS if unrest else precision, unrest)


def whole_life(window: Window) -> bool:
    """Whether the window is a program's whole life, so that the figures of wait4 are the window's."""
    return window.lifetime_peak is not None and window.fresh and not window.peak_reset


@once_per_window
def samples(window: Window) -> tuple[Sample, ...]:
    """The timeline's points within the window, in order of time."""
    return tuple(sample for sample in window.timeline if window.opened <= sample.t <= window.closed)


def duration(window: Window) -> float:
    """Wall seconds of the window, more than 0."""
    if window.duration <= 0:
        raise ObserveError("the window has no duration")
    return window.duration


def operations(window: Window) -> int:
    """The window's operations, at least 1."""
    if window.ops is None:
        raise ObserveError("no operations were counted: use get, post, load, count(n), or ops= in the marker")
    if window.ops <= 0:
        raise ObserveError("no operation was done in this window")
    return window.ops


def joined(*notes: str) -> str:
    """The notes that say something, as one."""
    return "; ".join(note for note in notes if note)


@dataclass(frozen=True)
class SourcedValue:
    """A quantity of the window. by: its source, as in "by the agent". cost: what our own readings added to it."""

    value: float
    by: str
    cost: float = 0.0


def by(source: str) -> str:
    """The source, in words."""
    return "by the agent" if source == "agent" else f"by {source}"


@once_per_window
def edges_of(window: Window) -> tuple[SourceEdges, ...]:
    """Every source of the window with its readings at both edges, the most trusted first."""
    edges = list(window.sources)
    if known(window.memstats) is not None:
        edges.append(_edges_of_memstats(memstats(window)))
    return tuple(sorted(edges, key=lambda edge: edge.trust))


def _edges_of_memstats(pair: MemStatsPair) -> SourceEdges:
    start, end = (Observed(stats.t, quantities_of(stats)) for stats in (pair.start, pair.end))
    cost = {
        "total_alloc": pair.read_bytes * pair.readings + pair.own_bytes,
        "mallocs": pair.read_objects * pair.readings + pair.own_objects,
    }
    return SourceEdges(pair.reader, TRUST.get(pair.reader, 0), start, end, cost)


def value_at_close(window: Window, *names: str) -> SourcedValue:
    """The sum of these quantities at the close, by one source that has them all; raises ObserveError."""
    for edges in edges_of(window):
        end = known(edges.end)
        if end is not None and all(name in end.quantities for name in names):
            return SourcedValue(sum(end.quantities[name] for name in names), by(edges.source))
    raise ObserveError(_nobody(window))


def increase(window: Window, name: str) -> SourcedValue:
    """How much a counter grew in the window, the cost of our readings included; raises ObserveError."""
    for edges in edges_of(window):
        start, end = known(edges.start), known(edges.end)
        if start is None or end is None:
            continue
        if name in start.quantities and name in end.quantities:
            grown = end.quantities[name] - start.quantities[name]
            if grown < 0:
                raise ObserveError(f"{name} {by(edges.source)} ran backwards: another process answered at the close")
            return SourcedValue(grown, by(edges.source), edges.cost.get(name, 0.0))
    raise ObserveError(_nobody(window))


def _nobody(window: Window) -> str:
    asked = (window.memstats, *(edge for edges in window.sources for edge in (edges.start, edges.end)))
    return joined(*dict.fromkeys(map(reason_of, asked))) or "no source tells it"
