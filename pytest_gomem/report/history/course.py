"""Owns the course of one metric in one window of one test, from run to run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pytest_gomem.report.history.entry import Entry
from pytest_gomem.revision import Revision


@dataclass(frozen=True)
class Point:
    """One run's value, its rounds where there were several, and what it was measured on."""

    time: datetime
    revision: Revision
    value: float
    rounds: tuple[float, ...]
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Course:
    """The points of a metric in the order of their time. left_out: runs whose test broke off before its end."""

    nodeid: str
    window: str
    service: str
    metric: str
    unit: str
    points: tuple[Point, ...]
    left_out: int

    @property
    def values(self) -> tuple[float, ...]:
        """The values alone."""
        return tuple(point.value for point in self.points)


def courses(entries: Iterable[Entry], metric: str, nodeids: Iterable[str]) -> tuple[Course, ...]:
    """A course for each window of these tests that has the metric, in the order of tests and first appearance."""
    by_window: dict[tuple[str, str, str], list[Entry]] = {}
    ordered = sorted(entries, key=lambda entry: entry.time)  # files of several machines may have been put together
    for nodeid in nodeids:
        for entry in ordered:
            if entry.nodeid == nodeid and metric in entry.metrics:
                by_window.setdefault((nodeid, entry.window, entry.service), []).append(entry)
    found = (_course(metric, like) for like in by_window.values())
    return tuple(course for course in found if course.points)


def _course(metric: str, entries: list[Entry]) -> Course:
    last = entries[-1]
    points = tuple(
        Point(
            time=entry.time,
            revision=entry.revision,
            value=entry.metrics[metric],
            rounds=tuple(values[metric] for values in entry.rounds if metric in values),
            facts=entry.facts,
        )
        for entry in entries
        if entry.complete
    )
    unit = last.units.get(metric, "")
    return Course(last.nodeid, last.window, last.service, metric, unit, points, len(entries) - len(points))
