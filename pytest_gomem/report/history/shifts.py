"""Owns where the conditions of a course changed, and what the level did there, which says nothing of the code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from pytest_gomem.judge.conditions import Difference
from pytest_gomem.report.history.conditions import changed
from pytest_gomem.report.history.course import Course, Point

_NEAR = 6  # runs: a level that moved long before, or long after, is not that of the shift


@dataclass(frozen=True)
class Shift:
    """Other conditions from the point number `at` on (counted from 0): which, before and after.

    before, after: medians of up to six runs on either side.
    """

    at: int
    point: Point
    before: float
    after: float
    conditions: Mapping[str, Difference]

    @property
    def share(self) -> float | None:
        """The change as a share of what was before; None where that is 0."""
        return (self.after - self.before) / abs(self.before) if self.before else None


def shifts_of(course: Course) -> tuple[Shift, ...]:
    """The shifts of a course, oldest first."""
    return tuple(_shifts(course))


def _shifts(course: Course) -> Iterator[Shift]:
    for (first, at), (_, end) in pairwise(course.stretches):
        point, values = course.points[at], course.values
        before = median(values[max(first, at - _NEAR) : at])
        after = median(values[at : min(end, at + _NEAR)])
        yield Shift(at, point, before, after, changed(course.points[at - 1], point))
