"""Owns where the conditions of a course changed, and what the level did there, which says nothing of the code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from pytest_gomem.judge.conditions import Difference
from pytest_gomem.report.history.conditions import differing_conditions
from pytest_gomem.report.history.course import Course, Step

_NEAR = 6  # runs: a level that moved long before, or long after, is not that of the shift


@dataclass(frozen=True)
class Shift(Step):
    """Other conditions from its point on: which, before and after. Its medians are of up to six runs on either side."""

    conditions: Mapping[str, Difference]


def shifts_of(course: Course) -> tuple[Shift, ...]:
    """The shifts of a course, oldest first."""
    return tuple(_shifts(course))


def _shifts(course: Course) -> Iterator[Shift]:
    for (first, at), (_, end) in pairwise(course.stretches):
        point, values = course.points[at], course.values
        before = median(values[max(first, at - _NEAR) : at])
        after = median(values[at : min(end, at + _NEAR)])
        yield Shift(at, point, before, after, differing_conditions(course.points[at - 1], point))
