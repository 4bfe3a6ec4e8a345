"""The metrics of growth: how fast live heap, resident memory and goroutines grow, and when the memory is full.

A figure is the slope of a course, with its interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pytest_gomem.base.unavailable import Unavailable, attempt, known, required
from pytest_gomem.base.units import (
    BYTES,
    BYTES_PER_OP,
    BYTES_PER_SECOND,
    COUNT_PER_OP,
    PER_SECOND,
    SECONDS,
    Unit,
    format_value,
)
from pytest_gomem.measure.courses import (
    BY_CYCLES,
    BY_GC,
    BY_GCTRACE,
    BY_RSS,
    Growth,
    goroutines_by_op,
    goroutines_by_time,
    heap_by_op,
    heap_by_time,
    rss_by_time,
)
from pytest_gomem.measure.metric import Better, Metric, Noise, Reading, metric
from pytest_gomem.measure.shape import Shape
from pytest_gomem.measure.window import Window
from pytest_gomem.measure.window_sources import joined, memstats

LONGEST = 3650 * 86400.0  # seconds: a limit that is further away is out of sight

_growth_metric = partial(
    metric,
    group="growth",
    better=Better.LOWER,
    noise=Noise.MODERATE,
    precision="an estimate: the note has its interval",
    has_interval=True,
)


def _reading(growth: Growth, unit: Unit) -> Reading:
    return Reading(growth.slope, growth.source, note=growth.words(unit), interval=growth.interval)


@_growth_metric(unit=BYTES_PER_SECOND, sources=(BY_CYCLES, BY_GC, BY_GCTRACE))
def heap_growth(window: Window) -> Reading | Unavailable:
    """How fast the live heap grows: the slope of what each GC cycle, or each cycle of work, leaves alive."""
    return _reading(heap_by_time(window), BYTES_PER_SECOND)


@_growth_metric(unit=BYTES_PER_OP, sources=(BY_CYCLES, BY_GC, BY_GCTRACE))
def heap_growth_per_op(window: Window) -> Reading | Unavailable:
    """By how much the live heap grows with each operation."""
    return _reading(heap_by_op(window), BYTES_PER_OP)


@_growth_metric(unit=BYTES_PER_SECOND, sources=(BY_CYCLES, BY_RSS))
def rss_growth(window: Window) -> Reading | Unavailable:
    """How fast the resident memory grows; it also grows while the heap finds its size, so it needs minutes."""
    return _reading(rss_by_time(window), BYTES_PER_SECOND)


@_growth_metric(unit=PER_SECOND, sources=(BY_CYCLES,))
def goroutine_growth(window: Window) -> Reading | Unavailable:
    """How fast the number of goroutines grows that are left after each cycle of work."""
    return _reading(goroutines_by_time(window), PER_SECOND)


@_growth_metric(unit=COUNT_PER_OP, sources=(BY_CYCLES,))
def goroutine_growth_per_op(window: Window) -> Reading | Unavailable:
    """How many goroutines are left by each operation."""
    return _reading(goroutines_by_op(window), COUNT_PER_OP)


@_growth_metric(unit=SECONDS, better=Better.HIGHER, sources=("heap_growth, the memory at the close and its limit",))
def time_to_limit(window: Window) -> Reading | Unavailable:
    """How long the memory takes to reach its limit if the live heap grows on as in the test."""
    limit = required(window.limit)
    growth = heap_by_time(window)
    used, of_what = _used_of_group(window) if limit.of_group else _used(window)
    source = f"{growth.source}; {of_what}"
    if used >= limit.bytes:
        whole = format_value(limit.bytes, BYTES)
        reached = f"{format_value(used, BYTES)} are in use: {limit.source}, {whole}, is reached"
        return Reading(0.0, source, note=reached, interval=(0.0, 0.0))
    room = limit.bytes - used
    low, high = growth.interval
    least, most = (_time(room, rate) for rate in (high, low if growth.is_told else 0.0))
    value = _time(room, growth.slope) if growth.is_told else least
    told = growth.words(BYTES_PER_SECOND)
    shown = "" if growth.is_told else _at_least(least)
    left = f"{format_value(room, BYTES)} are left of {limit.source}, {format_value(limit.bytes, BYTES)}"
    interval = (least, most if most < LONGEST else math.inf)
    return Reading(value, source, note=joined(shown, told, left), interval=interval)


def _time(room: float, rate: float) -> float:
    return min(room / rate, LONGEST) if rate > 0 else LONGEST


def _at_least(seconds: float) -> str:
    if seconds >= LONGEST:
        return "the limit is out of sight"
    return f"at least {format_value(seconds, SECONDS)} shown"


def _used_of_group(window: Window) -> tuple[float, str]:
    """What its memory cgroup holds at the close, without page cache."""
    group = required(window.group)
    parts = (group.end.anon, group.end.shmem, group.end.kernel)
    return sum(part or 0 for part in parts), f"what counts at the close ({group.by})"


def _used(window: Window) -> tuple[float, str]:
    """The memory at the close that counts against a limit."""
    end = known(window.end)
    if end is not None:
        return end.rss, "RSS at the close"
    stats = memstats(window).end
    return stats.sys - stats.heap_released, "Sys - HeapReleased at the close"


METRICS: tuple[Metric, ...] = (
    heap_growth,
    heap_growth_per_op,
    rss_growth,
    goroutine_growth,
    goroutine_growth_per_op,
    time_to_limit,
)

_COURSES: dict[str, Callable[[Window], Growth]] = {
    heap_growth.name: heap_by_time,
    heap_growth_per_op.name: heap_by_op,
    rss_growth.name: rss_by_time,
    goroutine_growth.name: goroutines_by_time,
    goroutine_growth_per_op.name: goroutines_by_op,
}


@dataclass(frozen=True)
class FittedCourse:
    """The course of a metric of growth, to be drawn: its points, at most slope.BLOCKS, and the line through them.

    per: what x counts, "second" or "op". warm: how many points are left out at the beginning. slope, level: of the
    line. shape: see `Shape`.
    """

    per: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    warm: int
    slope: float
    level: float
    shape: Shape


def fitted_courses(window: Window) -> dict[str, FittedCourse]:
    """By metric, those that can be told."""
    found = {name: known(attempt(partial(growth_of, window))) for name, growth_of in _COURSES.items()}
    return {name: _fitted(growth) for name, growth in found.items() if growth is not None}


def _fitted(growth: Growth) -> FittedCourse:
    course = growth.course
    shape = Shape.GROWS if growth.is_told else course.shape
    x, y = zip(*course.points, strict=True)
    return FittedCourse(growth.per, x, y, course.warm, course.line.slope, course.line.level, shape)
