"""The peak of RSS: the window's own peak, how exact it is, and when it came."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from pytest_gomem.base.unavailable import known
from pytest_gomem.measure.window import Window
from pytest_gomem.measure.window_sources import samples, whole_life
from pytest_gomem.observe.records import MemStats
from pytest_gomem.observe.smaps import SmapsTotals

Point = tuple[float, int]


def rss_drift(cpus: int) -> int:
    """Bytes by which the kernel's RSS and VmHWM may be off.

    Since Linux 6.2 (include/linux/mm_types.h, rss_stat) RSS is a percpu_counter. Each CPU keeps back up to max(32, 2 *
    CPUs) pages (lib/percpu_counter.c): 256 KiB on 2 CPUs, 32 MiB on 64, with pages of 4 KiB.
    """
    return max(32, 2 * cpus) * cpus * mmap.PAGESIZE


def kernel_peak(window: Window) -> int | None:
    """The highest RSS that the kernel itself recorded for this window, bytes.

    None if it keeps no peak, or if its peak may be from before the window.
    """
    if whole_life(window):
        return window.lifetime_peak
    if known(window.end) is None:
        # Resetting VmHWM resets what exit hands on to ru_maxrss as well (fs/proc/task_mmu.c, kernel/exit.c).
        return window.lifetime_peak if window.peak_reset else None
    peak = kept_peak(window)
    return peak if peak is not None and (window.peak_reset or _rose_above_start(window, peak)) else None


def kept_peak(window: Window) -> int | None:
    """The kernel's peak at the close, whenever it came, bytes; None if there is none, or it could not be read."""
    end = known(window.end)
    if end is None or end.hwm is None:
        return None
    if not window.tree:
        return end.hwm
    # A child that ended before the close is in the sums of the timeline alone.
    return max([end.hwm, *(sample.hwm for sample in samples(window) if sample.hwm is not None)])


def held_from_earlier(stats: MemStats | None, smaps: SmapsTotals | None, *, collected: bool) -> int | None:
    """The most bytes that may have been resident but unused at the opening: free pages of the heap.

    collected: collections were forced before; without them, or without MemStats, the whole heap may be garbage. None if
    it is unknown.
    """
    if stats is not None:
        return stats.heap_idle - stats.heap_released + (0 if collected else stats.heap_inuse)
    return None if smaps is None or not smaps.go_heap.rss else smaps.go_heap.rss


def _rose_above_start(window: Window, peak: int) -> bool:
    start = known(window.start)
    return start is not None and start.hwm is not None and peak > start.hwm


def sampled_points(window: Window) -> list[Point]:
    """(t, RSS) of all readings of the process in the window, those at its edges included."""
    edges = [edge for edge in (known(window.start), known(window.end)) if edge is not None]
    return sorted([*((edge.t, edge.rss) for edge in edges), *((sample.t, sample.rss) for sample in samples(window))])


def widest_gap(times: Iterable[float]) -> float:
    """The longest time without a reading, seconds: a spike shorter than this may have been missed."""
    return max((later - earlier for earlier, later in pairwise(times)), default=0.0)


@dataclass(frozen=True)
class PeakMoment:
    """When the peak came, seconds after the window opened (from, to), and the RSS the window started from, bytes.

    floor: 0 if it is unknown.
    """

    earliest: float
    latest: float
    floor: int


def peak_moment(window: Window) -> PeakMoment | None:
    """The two moments between which the peak came; None when that is unknown."""
    peak = kernel_peak(window)
    span = _around_highest(sampled_points(window)) if peak is None else _around_step(window, peak)
    if span is None:
        return None
    earliest, latest = (min(max(t - window.opened, 0.0), window.closed - window.opened) for t in span)
    start = known(window.start)
    return PeakMoment(earliest, latest, 0 if start is None else start.rss)


def _around_step(window: Window, peak: int) -> tuple[float, float] | None:
    steps = [(sample.t, sample.hwm) for sample in samples(window) if sample.hwm is not None]
    latest = next((t for t, hwm in steps if hwm >= peak), window.closed)
    below = [t for t, hwm in steps if hwm < peak and t < latest]
    if below:
        return below[-1], latest
    in_window = window.peak_reset or whole_life(window) or _rose_above_start(window, peak)
    return (window.opened, latest) if in_window else None


def _around_highest(points: list[Point]) -> tuple[float, float] | None:
    if not points:
        return None
    top = max(range(len(points)), key=lambda at: points[at][1])
    return points[max(top - 1, 0)][0], points[min(top + 1, len(points) - 1)][0]
