"""What a figure is expected to be at each size: GC cycles by the size, and the figure by the cycles.

Cycles are near-exact, and their inverse is close to a line in the size: a heap that may grow by twice as much is
collected half as often. CPU per op is close to a line in the cycles (R2 0.96 over 13 settings of a service). So few
runs of a noisy figure, at any size, tell it at all sizes. Where a size was measured, what it showed counts as far as
its scatter allows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pytest_gomem.tune.bounds import is_of_memory
from pytest_gomem.tune.records import Bound, Find
from pytest_gomem.tune.table import SHARE, Cell, Table

CYCLES = "gc_cycles"
_UNFIT = 0.03  # how far a service is from the line, as a share of the figure: one sigma
_MEDIAN = 1.25  # error of a median, in errors of a mean
LIMITED = 1.05  # as many times the cycles with memory to spare: the limit makes the service collect
_REACH = 0.7  # in the logarithm of the abscissa: points that far away count half


@dataclass(frozen=True)
class Estimate:
    """A value and its error, one sigma."""

    value: float
    error: float


@dataclass(frozen=True)
class _Point:
    at: float  # GC cycles, or the size
    value: float
    weight: float  # runs, by the square of the value


class Model:
    """The expectations that a table's results allow."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._sigmas: dict[str, float] = {}
        self._own_cycles = table.comfortable.middle(CYCLES) or 0.0
        self._caps = table.question.find is Find.LIMIT or not _lifts_gogc(table)

    @cached_property
    def ample(self) -> int:
        """The size at which the limit no longer makes the service collect: by what it used with memory to spare."""
        used = max(self._table.comfortable.middle(name) or 0.0 for name in ("peak_rss", "cgroup_anon_peak"))
        return int(used / (SHARE if self._table.question.find is Find.LIMIT else 1.0))

    @cached_property
    def _inverse_cycles(self) -> tuple[tuple[int, float], ...]:
        """By size, where the limit makes the service collect; never falling. The first pair is the smallest size."""
        found, highest = [], 0.0
        for size, cell in self._table.alive.items():
            cycles = cell.middle(CYCLES)
            if cycles and cycles > self._own_cycles * LIMITED:
                highest = max(highest, 1 / cycles)
                found.append((size, highest))
        if self._own_cycles and (not found or found[-1][0] < self.ample):
            found.append((self.ample, max(highest, 1 / self._own_cycles)))
        return tuple(found)

    def cycles(self, size: int) -> float:
        """GC cycles at a size; infinite where there is no room for a heap."""
        measured = self._table.at(size).middle(CYCLES)
        if measured is not None:
            return measured
        points = self._inverse_cycles
        if len(points) < 2:
            return self._own_cycles
        above = next((at for at, (other, _) in enumerate(points) if other >= size), len(points) - 1)
        (low, inverse), (high, larger) = points[max(above - 1, 0)], points[max(above, 1)]
        slope = (larger - inverse) / (high - low) if high > low else 0.0
        if slope <= 0:
            (low, inverse), (high, larger) = points[0], points[-1]
            slope = max(larger - inverse, 0.0) / max(high - low, 1)
        expected = inverse + slope * (size - low)
        if expected <= 0:
            return math.inf
        return max(1 / expected, self._own_cycles) if self._caps else 1 / expected

    def excess(self, bound: Bound, size: int | None) -> Estimate | None:
        """How far a figure is beyond a bound, as a share of it; below 0 if it is kept. size None: memory to spare.

        None where no run has the figure.
        """
        return self._excess(bound, self.expected(bound.metric, size))

    def shown(self, bound: Bound, cell: Cell) -> Estimate | None:
        """The same, by a setting's own runs alone."""
        return self._excess(bound, self.direct(bound.metric, cell))

    def _excess(self, bound: Bound, estimate: Estimate | None) -> Estimate | None:
        if estimate is None:
            return None
        if not bound.relative:
            return _beyond(bound, estimate, Estimate(bound.limit, 0.0))
        own = self.direct(bound.metric, self._table.comfortable)
        if own is None:
            return None
        return _beyond(bound, estimate, Estimate(own.value * bound.limit, own.error * bound.limit))

    def expected(self, metric: str, size: int | None) -> Estimate | None:
        """A figure at a size: by the line through the other sizes, and by its own runs; each by its error."""
        cell = self._table.comfortable if size is None else self._table.at(size)
        direct = self.direct(metric, cell)
        if size is None:
            return direct
        line = self._on_line(metric, size, cell)
        if direct is None or line is None:
            return direct or line
        if not direct.error or not line.error:
            return direct
        mine, other = direct.error**-2, line.error**-2
        return Estimate((direct.value * mine + line.value * other) / (mine + other), (mine + other) ** -0.5)

    def direct(self, metric: str, cell: Cell) -> Estimate | None:
        """A figure by a setting's own runs alone."""
        values, middle = cell.values(metric), cell.middle(metric)
        if middle is None:
            return None
        error = self.sigma(metric) * abs(middle) / math.sqrt(len(values))
        return Estimate(middle, error * (_MEDIAN if len(values) > 2 else 1.0))

    def sigma(self, metric: str) -> float:
        """One sigma of a run, as a share of the figure."""
        if metric not in self._sigmas:
            self._sigmas[metric] = self._table.sigma(metric)
        return self._sigmas[metric]

    def _abscissa(self, metric: str, size: int | None) -> float:
        if is_of_memory(metric):
            return float(self.ample if size is None else size)
        return self._own_cycles if size is None else self.cycles(size)

    def _on_line(self, metric: str, size: int, without: Cell) -> Estimate | None:
        at = self._abscissa(metric, size)
        points = []
        for other, cell in ((None, self._table.comfortable), *self._table.alive.items()):
            middle, runs = cell.middle(metric), len(cell.values(metric))
            if middle and cell is not without:
                points.append(_Point(self._abscissa(metric, other), middle, runs / middle**2))
        if not points or not at or math.isinf(at):
            return None if math.isfinite(at) else Estimate(math.inf, 0.0)
        rises = 1 if is_of_memory(metric) or not self._is_floor(metric) else -1
        return _through(points, at, self.sigma(metric), rises)

    def _is_floor(self, metric: str) -> bool:
        return any(bound.at_least for bound in self._table.question.kept if bound.metric == metric)


def _through(points: Sequence[_Point], at: float, sigma: float, rises: int) -> Estimate:
    """The weighted line through points, nearer ones first. rises: 1 if it must not fall, -1 if it must not rise."""
    weights = [point.weight / (1 + (math.log(max(point.at, 1e-9) / max(at, 1e-9)) / _REACH) ** 2) for point in points]
    total = math.fsum(weights)
    middle = math.fsum(w * point.at for w, point in zip(weights, points, strict=True)) / total
    mean = math.fsum(w * point.value for w, point in zip(weights, points, strict=True)) / total
    squares = math.fsum(w * (point.at - middle) ** 2 for w, point in zip(weights, points, strict=True))
    products = math.fsum(
        w * (point.at - middle) * (point.value - mean) for w, point in zip(weights, points, strict=True)
    )
    slope = products / squares if squares > 1e-12 * total * max(middle, 1e-9) ** 2 else 0.0
    slope = slope if slope * rises > 0 else 0.0
    value = mean + slope * (at - middle)
    of_slope = (at - middle) ** 2 / squares if squares else 0.0
    error = sigma * math.sqrt(1 / total + of_slope)
    # Further out than the points are apart, the line itself is a guess.
    out = max(at - max(p.at for p in points), min(p.at for p in points) - at, 0.0) * abs(slope)
    return Estimate(value, math.hypot(error, _UNFIT * abs(value), out / 4))


def _beyond(bound: Bound, figure: Estimate, limit: Estimate) -> Estimate:
    scale = abs(limit.value) or abs(figure.value) or 1.0
    if math.isinf(figure.value):
        return Estimate(-math.inf if bound.at_least else math.inf, 0.0)
    ratio = figure.value / scale
    error = math.hypot(figure.error / scale, ratio * limit.error / scale)
    beyond = (figure.value - limit.value) / scale
    return Estimate(-beyond if bound.at_least else beyond, error)


def _lifts_gogc(table: Table) -> bool:
    return any(cell.setting.gogc == "off" for cell in table.cells.values())
