"""Finds where a trend changed its level, and where the conditions did, by the exact best segmentation."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from pytest_gomem.base.errors import GomemError
from pytest_gomem.history.entry import UNSAID
from pytest_gomem.history.trend import Step, Trend
from pytest_gomem.judge.conditions import Difference, changed

_NEAR = 6  # runs: a level that changed long before or after has nothing to do with the shift


@dataclass(frozen=True)
class Shift(Step):
    """A point where conditions changed: which, before and after. Its medians are of up to six runs on each side."""

    conditions: Mapping[str, Difference]


def shifts_of(trend: Trend) -> tuple[Shift, ...]:
    """The shifts of a trend, oldest first."""
    return tuple(_shifts(trend))


def _shifts(trend: Trend) -> Iterator[Shift]:
    for (first, at), (_, end) in pairwise(trend.segments):
        point, values = trend.points[at], trend.values
        before = median(values[max(first, at - _NEAR) : at])
        after = median(values[at : min(end, at + _NEAR)])
        conditions = changed(trend.points[at - 1].conditions, point.conditions, UNSAID)
        yield Shift(at, point, before, after, conditions)


LEAST_POINTS = 6  # three before and three after: with fewer, noise looks like a change
LEAST_CHANGE = 0.01  # of the level: smaller changes are not named, whatever their statistics
_SHORTEST = 2  # points of a level: a single one is an outlier
# What a further level must save of the sum of squares, in variances times log(points): of 2000 trends of pure noise
# 2.0% get a change point with 8 points, 0.4% with 20, none with 50 and more; of 500 steps of 5 sigma with three of 30
# points after them, 88% are found.
_PENALTY = 10.0
_SPIKE = 4.0  # sigmas beyond both neighbours: a single outlier, which squares would weigh too much


class MissingStats(GomemError):
    """The library that finds change points is not installed."""

    def __init__(self) -> None:
        super().__init__("finding change points needs an extra: pip install 'pytest-gomem[stats]'")


@dataclass(frozen=True)
class Change(Step):
    """A point where a new level begins; facts: what else changed there, before and after."""

    facts: Mapping[str, Difference]


def changes_of(trend: Trend) -> tuple[Change, ...]:
    """The changes of a trend, oldest first; raises MissingStats.

    Runs under different conditions are not compared: a step between them is a shift.
    """
    return tuple(change for start, end in trend.segments for change in _within(trend, start, end))


def _within(trend: Trend, start: int, end: int) -> Iterator[Change]:
    """The changes of one segment."""
    values = trend.values[start:end]
    bounds = (0, *change_points(values), len(values))
    levels = [median(values[first:last]) for first, last in pairwise(bounds)] if values else []
    for at, (before, after) in zip(bounds[1:-1], pairwise(levels), strict=True):
        yield _change(trend, start + at, before, after)


def _change(trend: Trend, at: int, before: float, after: float) -> Change:
    facts = changed(trend.points[at - 1].facts, trend.points[at].facts, unsaid="")
    return Change(at, trend.points[at], before, after, facts)


def change_points(values: Sequence[float]) -> tuple[int, ...]:
    """The positions in `values` where new levels begin, ascending; () if there are none or too few values.

    The noise is taken from the differences of neighbours, which steps hardly change. The segmentation is the exact
    optimum (dynamic programming): the same values always give the same answer.
    """
    if len(values) < LEAST_POINTS:
        return ()
    scale = max(map(abs, values))
    if not scale:
        return ()
    scaled = [value / scale for value in values]
    sigma = _sigma(scaled)
    return _distinct(scaled, _optimal(_without_spikes(scaled, sigma), sigma))


def _sigma(values: Sequence[float]) -> float:
    """A robust sigma of the noise, never so small that a change below LEAST_CHANGE is more than 6 sigma."""
    steps = [abs(later - earlier) for earlier, later in pairwise(values)]
    floor = LEAST_CHANGE * abs(median(values)) / 6
    sigma = 1.4826 * median(steps) / math.sqrt(2)  # a difference of two has twice the variance of one
    return max(sigma, floor, 1e-6)


def _without_spikes(values: Sequence[float], sigma: float) -> list[float]:
    """The values, with outliers drawn near to their two neighbours (at the ends, the two on one side)."""
    last = len(values) - 1
    drawn = []
    for at, value in enumerate(values):
        first = min(max(at - 1, 0), last - 2)
        others = [values[other] for other in range(first, first + 3) if other != at]
        drawn.append(min(max(value, min(others) - _SPIKE * sigma), max(others) + _SPIKE * sigma))
    return drawn


def _optimal(values: Sequence[float], sigma: float) -> list[int]:
    try:
        import numpy
        from ruptures import KernelCPD
    except ImportError:
        raise MissingStats from None
    penalty = _PENALTY * sigma**2 * math.log(len(values))
    found = KernelCPD(kernel="linear", min_size=_SHORTEST).fit(numpy.asarray(values)).predict(pen=penalty)
    return [int(at) for at in found[:-1]]


def _distinct(values: Sequence[float], points: list[int]) -> tuple[int, ...]:
    """Drop points between levels that hardly differ, the smallest difference first."""
    while points:
        bounds = [0, *points, len(values)]
        levels = [median(values[start:end]) for start, end in pairwise(bounds)]
        gaps = [abs(after - before) - LEAST_CHANGE * abs(before) for before, after in pairwise(levels)]
        smallest = min(range(len(gaps)), key=gaps.__getitem__)
        if gaps[smallest] > 0:
            break
        del points[smallest]
    return tuple(points)
