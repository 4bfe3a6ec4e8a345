"""Owns the way from a window to its records; a record that is not there is an ObserveError with the reason."""

from __future__ import annotations

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.window import MemStatsPair, Missing, Window
from pytest_gomem.observe.records import KernelReading, MemStats, Sample

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


def at_start(window: Window) -> KernelReading:
    """The kernel's reading at the opening."""
    if isinstance(window.start, Missing):
        raise ObserveError(window.start.reason)
    return window.start


def at_end(window: Window) -> KernelReading:
    """The kernel's reading at the close."""
    if isinstance(window.end, Missing):
        raise ObserveError(window.end.reason)
    return window.end


def memstats(window: Window) -> MemStatsPair:
    """MemStats at both edges, of one and the same process: its counters may not have run backwards."""
    pair = window.memstats
    if isinstance(pair, Missing):
        raise ObserveError(pair.reason)
    if pair.end.num_gc < pair.start.num_gc or pair.end.total_alloc < pair.start.total_alloc:
        raise ObserveError("the counters of MemStats ran backwards: another process answered at the window's close")
    return pair


def after_gc(window: Window) -> MemStats:
    """MemStats after the two forced collections that follow the window."""
    stats = memstats(window).after_gc
    if isinstance(stats, Missing):
        raise ObserveError(stats.reason)
    return stats


def at_rest(window: Window, value: float, source: str, precision: str = "") -> Reading:
    """A reading of what the forced collections left; where the service did not come to rest it says so."""
    unrest = memstats(window).unrest
    return Reading(value, source, RESTLESS if unrest else precision, unrest)


def whole_life(window: Window) -> bool:
    """Whether the window is a program's whole life, so that what wait4 tells at its end is the window's."""
    return window.lifetime_peak is not None and window.fresh and not window.peak_reset


def samples(window: Window) -> list[Sample]:
    """The timeline's points within the window, in order of time."""
    return [sample for sample in window.timeline if window.opened <= sample.t <= window.closed]


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
