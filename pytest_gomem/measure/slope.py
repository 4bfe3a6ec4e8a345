"""The slope of a course: Theil and Sen's line through its blocks, and an interval that neighbours alike make wider.

Neighbouring readings of a heap are alike: a cache is half full in both, a slice has the same capacity. An interval that
takes each for a new observation is too narrow. So the residuals' correlation with their neighbours is estimated,
corrected for being estimated too low on short courses, and part of the slope's variance and of its degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.student import quantile

Point = tuple[float, float]
BLOCKS = 20
_TAIL = 0.0005  # of Student's t, on each side; benchmarks/growth.py shows what is left of it on courses with memory
_MOST_ALIKE = 0.9  # the highest correlation of neighbours: beyond it a course is a random walk


@dataclass(frozen=True)
class Line:
    """A line through a course: y = level + slope * x. low, high: the slope's interval. sigma: of a block about it."""

    slope: float
    level: float
    low: float
    high: float
    sigma: float

    def at(self, x: float) -> float:
        """Its height."""
        return self.level + self.slope * x


def blocks(points: Sequence[Point], most: int = BLOCKS) -> list[Point]:
    """At most so many points: each the middle of a stretch of equally many, by mean in x and median in y."""
    count = min(len(points), most)
    stretches = [points[at * len(points) // count : (at + 1) * len(points) // count] for at in range(count)]
    return [(fmean(x for x, _ in stretch), median(y for _, y in stretch)) for stretch in stretches]


def theil_sen(points: Sequence[Point]) -> float:
    """The median slope of all pairs; raises ObserveError if all points have one x."""
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for at, a in enumerate(points) for b in points[at + 1 :] if b[0] > a[0]]
    if not slopes:
        raise ObserveError("no time passed between the readings")
    return median(slopes)


def line_through(points: Sequence[Point]) -> Line:
    """The line through these points, which are in order of x: at least 5, as blocks() gives them."""
    slope = theil_sen(points)
    level = median(y - slope * x for x, y in points)
    residuals = [y - level - slope * x for x, y in points]
    middle = fmean(residuals)
    residuals = [residual - middle for residual in residuals]
    alike = _correlation(residuals)
    sigma, error = _errors([x for x, _ in points], residuals, alike)
    freedom = max(2, int((len(points) - 2) * (1 - alike) / (1 + alike)))
    half = quantile(_TAIL, freedom) * error
    return Line(slope, level, slope - half, slope + half, sigma)


def _correlation(residuals: Sequence[float]) -> float:
    """Of neighbours, corrected for the bias of short courses about a line, and never negative."""
    count, squares = len(residuals), math.fsum(residual * residual for residual in residuals)
    if not squares:
        return 0.0
    found = math.fsum(a * b for a, b in pairwise(residuals)) / squares
    return min(max(found + (2 + 4 * found) / count, 0.0), _MOST_ALIKE)


def _errors(x: Sequence[float], residuals: Sequence[float], alike: float) -> tuple[float, float]:
    """One sigma of a point, and of the slope, if neighbours correlate so: by least squares' weights, exactly."""
    count, middle = len(x), fmean(x)
    off = [value - middle for value in x]
    spread = math.fsum(value * value for value in off)
    fading = [alike**apart for apart in range(count)]
    of_slope = of_fit = 0.0
    for i in range(count):
        for j in range(count):
            shared = fading[abs(i - j)]
            of_slope += off[i] * off[j] * shared
            of_fit += (1 / count + off[i] * off[j] / spread) * shared
    variance = math.fsum(residual * residual for residual in residuals) / max(count - of_fit, 1e-9)
    return math.sqrt(variance), math.sqrt(variance * of_slope) / spread
