"""A window's figures over time, bounded in length, with every extreme kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.measure.cycles import cycles_of
from pytest_gomem.measure.window import Window
from pytest_gomem.measure.window_sources import samples

MAX_POINTS = 2000
Point = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """A metric over time: seconds after the window opened, and the values."""

    t: tuple[float, ...]
    v: tuple[float, ...]


def series_of(window: Window) -> dict[str, Series]:
    """The window's series, at most MAX_POINTS points each; empty ones are left out.

    rss, hwm (bytes), threads and fds come from the timeline; heap_live (bytes) from the agent, exact and at the end of
    each cycle that it saw alone, else from gctrace, in whole MiB and at the time each cycle's line was read.
    """
    timeline = samples(window)
    courses: dict[str, list[Point]] = {
        "rss": [(sample.t, sample.rss) for sample in timeline],
        "hwm": [(sample.t, sample.hwm) for sample in timeline if sample.hwm is not None],
        "threads": [(sample.t, sample.threads) for sample in timeline],
        "fds": [(sample.t, sample.fds) for sample in timeline if sample.fds is not None],
        "heap_live": _live_heap(window),
    }
    return {name: _course(thinned(points, MAX_POINTS), window.opened) for name, points in courses.items() if points}


def _live_heap(window: Window) -> list[Point]:
    records = [record for record in window.gc_records if record.number not in window.own_cycles]
    exact: list[Point] = [(record.t, record.live) for record in records if record.live is not None]
    if exact:
        return exact
    try:
        traced = cycles_of(window).traced
    except ObserveError:
        return []
    return [(cycle.t, cycle.heap_live) for cycle in traced if cycle.t is not None]


def _course(points: Sequence[Point], opened: float) -> Series:
    return Series(tuple(t - opened for t, _ in points), tuple(float(value) for _, value in points))


def thinned(points: Sequence[Point], limit: int) -> list[Point]:
    """At most `limit` (at least 4) of the points, in order: first, last, and the extremes of equal stretches between.

    No spike is lost: each stretch keeps its lowest and its highest point.
    """
    if len(points) <= limit:
        return list(points)
    inner = range(1, len(points) - 1)
    stretches = (limit - 2) // 2
    bounds = [inner.start + len(inner) * at // stretches for at in range(stretches + 1)]
    kept = {0, len(points) - 1}
    for start, stop in pairwise(bounds):
        kept.add(min(range(start, stop), key=lambda at: points[at][1]))
        kept.add(max(range(start, stop), key=lambda at: points[at][1]))
    return [points[at] for at in sorted(kept)]
