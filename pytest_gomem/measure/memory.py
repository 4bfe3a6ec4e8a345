"""The metrics of the process's memory as the kernel sees it, with its threads and descriptors."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, known, required
from pytest_gomem.base.units import BYTES, COUNT, SECONDS, format_value
from pytest_gomem.measure.metric import Better, Noise, Prior, Reading, metric
from pytest_gomem.measure.peak import kept_peak, kernel_peak, rss_drift, sampled_points, widest_gap
from pytest_gomem.measure.window import Window
from pytest_gomem.measure.window_sources import (
    ON_RETURNED_MEMORY,
    RUSAGE,
    STATM,
    VMHWM,
    joined,
    value_at_close,
    whole_life,
)
from pytest_gomem.observe.records import KernelReading

_MAXRSS = f"ru_maxrss in the {RUSAGE}"
_WHOLE_LIFE = "of its whole life, start-up included"
_SMAPS = "/proc/PID/smaps_rollup"
_DRIFT = "+- max(32, 2 x CPUs) pages per CPU since Linux 6.2: 256 KiB on 2 CPUs, 32 MiB on 64, with 4 KiB pages"

_RETURNED = "only the agent can return them first, in a service that is built here (build: in gomem.yaml)"
_PEAK_PRIOR = Prior(150e3, 3e-3)
_UNRESET = "the kernel's peak is of the process's whole life (attach() resets it with reset_peak=True)"
_STARTUP_IN_IT = "the kernel's peak could not be reset, and the start-up is in it"
_COUNTS = 6  # sigmas of the prior: what may be too high by less changes no comparison

_rss_metric = partial(
    metric, group="memory", unit=BYTES, better=Better.LOWER, noise=Noise.MODERATE, sources=(STATM,), precision=_DRIFT
)
_count_metric = partial(metric, group="memory", unit=COUNT, better=Better.LOWER, precision="exact at that moment")


def _bytes(value: float) -> str:
    return format_value(value, BYTES)


def _drift_words(window: Window) -> str:
    return f"+- {_bytes(rss_drift(window.cpus))} on {window.cpus} CPUs since Linux 6.2"


def _tree_note(window: Window) -> str:
    processes = required(window.end).processes
    return f"sum over {processes} processes" if processes > 1 else ""


@_rss_metric(sources=(VMHWM, _MAXRSS, STATM), prior=_PEAK_PRIOR, redefined=ON_RETURNED_MEMORY)
def peak_rss(window: Window) -> Reading | Unavailable:
    """Highest resident memory of the process in the window."""
    if whole_life(window) and window.lifetime_peak is not None:
        return Reading(window.lifetime_peak, _MAXRSS, _drift_words(window), _WHOLE_LIFE)
    peak, held = kernel_peak(window), required(window.start).rss if window.held is None else window.held
    reading = _sampled_peak(window) if peak is None else _recorded_peak(window, peak)
    most = reading.value if peak is not None else max(kept_peak(window) or 0, reading.value)
    unreset = (_STARTUP_IN_IT if window.fresh else _UNRESET) if most > reading.value else ""
    spoils = held > _COUNTS * _PEAK_PRIOR.sigma(reading.value)
    if unreset or spoils:
        pages = f"{_bytes(held)} of it may be free pages from before the window: {_RETURNED}"
        why = joined(unreset, pages if spoils else "", _childrens_pages(window))
        return _bounded(reading.value - held, most, why)
    note = f"up to {_bytes(held)} too high: free pages from before the window are in it"
    note = note if held > rss_drift(window.cpus) else ""
    return replace(reading, note=joined(reading.note, note, _childrens_pages(window)))


def is_of_whole_life(peak: Reading | Unavailable | None) -> bool:
    """Whether this peak_rss is that of a program that ended by itself."""
    return isinstance(peak, Reading) and _WHOLE_LIFE in peak.note


def _childrens_pages(window: Window) -> str:
    """Neither the agent nor MemStats is asked about a child."""
    if not window.tree or required(window.start).processes < 2:
        return ""
    return "free pages of its child processes from before the window may be in it: nobody returns or counts them"


def _bounded(least: float, most: float, why: str) -> Unavailable:
    least = max(least, 0)
    return Unavailable(f"it lies between {_bytes(least)} and {_bytes(most)}; {why}", (least, most))


def _recorded_peak(window: Window, peak: int) -> Reading:
    note = joined(
        f"floor {_bytes(required(window.start).rss)} (start_rss)",
        "sum of the processes' own peaks: an upper bound of their common peak" if window.tree else "",
    )
    source = VMHWM if isinstance(window.end, KernelReading) else _MAXRSS
    return Reading(peak, source, _drift_words(window), note)


def _sampled_peak(window: Window) -> Reading:
    points = sampled_points(window)
    gap = format_value(widest_gap(t for t, _ in points), SECONDS)
    why = "went with the process" if window.peak_reset else "was not reset"
    if required(window.start).hwm is None:
        why = "is not kept by this system"
    return Reading(
        max(rss for _, rss in points),
        f"highest of {len(points)} samples, at most {gap} apart",
        f"a lower bound: a spike shorter than {gap} may be missed",
        f"floor {_bytes(required(window.start).rss)} (start_rss); the kernel's own peak {why}",
    )


@_rss_metric(sources=(VMHWM,))
def startup_peak(window: Window) -> Reading | Unavailable:
    """Highest resident memory of the process from its start until it was ready."""
    return Reading(required(window.startup_peak), f"{VMHWM} when it was ready", _drift_words(window))


@_rss_metric(redefined=ON_RETURNED_MEMORY)
def end_rss(window: Window) -> Reading | Unavailable:
    """Resident memory at the window's close."""
    if known(window.end) is None and window.sources:
        found = value_at_close(window, "rss")
        return Reading(found.value, f"resident memory {found.by}", _drift_words(window))
    return Reading(required(window.end).rss, STATM, _drift_words(window), _tree_note(window))


@_rss_metric(redefined=ON_RETURNED_MEMORY)
def start_rss(window: Window) -> Reading | Unavailable:
    """Resident memory at the window's opening: the floor of every peak."""
    return Reading(required(window.start).rss, STATM, _drift_words(window))


@_rss_metric(
    sources=(_SMAPS,),
    precision="a lower bound: read at the window's edges only; each reading exact",
    redefined=ON_RETURNED_MEMORY,
)
def peak_pss(window: Window) -> Reading | Unavailable:
    """Higher proportional set size of the window's two edges: shared pages divided among their users."""
    sizes = [edge.pss for edge in (required(window.start), required(window.end))]
    read = [size for size in sizes if size is not None]
    if len(read) < len(sizes):
        return Unavailable("PSS was not read: the kernel keeps no peak of it, and a reading is made only on request")
    return Reading(max(read), _SMAPS, note="higher of the readings at both edges")


@_count_metric(noise=Noise.MODERATE, sources=("/proc/PID",))
def threads(window: Window) -> Reading | Unavailable:
    """OS threads at the window's close; the runtime parks idle ones and seldom ends them."""
    return Reading(required(window.end).threads, "/proc/PID", note=_tree_note(window))


@_count_metric(noise=Noise.NEAR_EXACT, sources=("/proc/PID/fd",))
def fds(window: Window) -> Reading | Unavailable:
    """Open file descriptors at the window's close."""
    if known(window.end) is None and window.sources:
        found = value_at_close(window, "fds")
        return Reading(found.value, f"open descriptors {found.by}")
    count = required(window.end).fds
    if count is None:
        raise ObserveError("the open descriptors could not be counted")
    return Reading(count, "/proc/PID/fd", note=_tree_note(window))


METRICS = (peak_rss, startup_peak, end_rss, start_rss, peak_pss, threads, fds)
