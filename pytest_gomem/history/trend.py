"""The trend of one metric in one window of one test, from run to run under the same conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from pytest_gomem.git.repository import Revision
from pytest_gomem.history.conditions import condition, differing_conditions
from pytest_gomem.history.entry import Entry

Stretch = list[Entry]  # runs under the same conditions, in the order of their time


def strands(entries: Sequence[Entry]) -> list[list[Stretch]]:
    """The entries of one window, which are in the order of their time, as courses of stretches.

    Conditions that take turns, as those of two machines do, have a course each: side by side they would be steps up and
    down. Conditions whose first run came after the last one of others go on with the course of these, as after an
    update of Go; of several such courses, with that from which they differ least, and then with the newest.
    """
    found: list[list[Stretch]] = []
    for stretch in _alike(entries):
        ended = [strand for strand in found if strand[-1][-1].time <= stretch[0].time]
        if ended:
            min(ended, key=lambda strand: _distance(strand[-1][-1], stretch[0])).append(stretch)
        else:
            found.append([stretch])
    return found


def _distance(last: Entry, first: Entry) -> tuple[int, timedelta]:
    return len(differing_conditions(last, first)), first.time - last.time


def _alike(entries: Sequence[Entry]) -> list[Stretch]:
    """The entries by their conditions. One without them is with the first of which its facts do not tell it apart."""
    stretches: list[Stretch] = []
    known: list[Entry] = []  # of each stretch an entry that tells its conditions best
    for entry in entries:
        at = next((at for at, other in enumerate(known) if not differing_conditions(other, entry)), None)
        if at is None:
            stretches.append([entry])
            known.append(entry)
        else:
            stretches[at].append(entry)
            known[at] = known[at] if known[at].conditions else entry
    return stretches


@dataclass(frozen=True)
class Point:
    """One run's value, its rounds where there were several, what it was measured on and under which conditions."""

    time: datetime
    revision: Revision
    value: float
    rounds: tuple[float, ...]
    facts: Mapping[str, str]
    conditions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """What is other from the point number `at` on (counted from 0), with the medians of the values before and after."""

    at: int
    point: Point
    before: float
    after: float

    @property
    def share(self) -> float | None:
        """The step as a share of what was before; None where that is 0."""
        return (self.after - self.before) / abs(self.before) if self.before else None


@dataclass(frozen=True)
class Course:
    """The points of a metric in the order of their time. left_out: runs whose test broke off before its end.

    starts: the points (counted from 0) at which the conditions became others. apart: conditions by which it is another
    course than those of the same window beside it.
    """

    nodeid: str
    window: str
    service: str
    metric: str
    unit: str
    points: tuple[Point, ...]
    left_out: int
    starts: tuple[int, ...] = ()
    apart: Mapping[str, str] = field(default_factory=dict)

    @property
    def values(self) -> tuple[float, ...]:
        """The values alone."""
        return tuple(point.value for point in self.points)

    @property
    def stretches(self) -> tuple[tuple[int, int], ...]:
        """The points under the same conditions, each stretch from its first to before its end."""
        return tuple(pairwise((0, *self.starts, len(self.points))))


def courses(entries: Iterable[Entry], metric: str, nodeids: Iterable[str]) -> tuple[Course, ...]:
    """A course for each window of these tests that has the metric, in the order of tests and first appearance.

    A window whose conditions take turns has several, see strands.
    """
    by_window: dict[tuple[str, str, str], list[Entry]] = {}
    ordered = sorted(entries, key=lambda entry: entry.time)  # files of several machines may have been put together
    for nodeid in nodeids:
        for entry in ordered:
            if entry.nodeid == nodeid and metric in entry.metrics:
                by_window.setdefault((nodeid, entry.window, entry.service), []).append(entry)
    return tuple(course for like in by_window.values() for course in _of_window(metric, like))


def _of_window(metric: str, entries: Sequence[Entry]) -> list[Course]:
    whole = [strand for strand in strands(entries) if any(entry.complete for stretch in strand for entry in stretch)]
    last = [strand[-1][-1] for strand in whole]
    differing = sorted({name for entry in last for name in differing_conditions(last[0], entry)})
    return [
        _course(metric, strand, {name: condition(entry, name) or "none" for name in differing})
        for strand, entry in zip(whole, last, strict=True)
    ]


def _course(metric: str, strand: Sequence[Stretch], apart: Mapping[str, str]) -> Course:
    last = strand[-1][-1]
    complete = [[entry for entry in stretch if entry.complete] for stretch in strand]
    points, starts = list[Point](), list[int]()
    for stretch in filter(None, complete):
        starts.append(len(points))
        points += [_point(metric, entry) for entry in stretch]
    return Course(
        nodeid=last.nodeid,
        window=last.window,
        service=last.service,
        metric=metric,
        unit=last.units.get(metric, ""),
        points=tuple(points),
        left_out=sum(map(len, strand)) - len(points),
        starts=tuple(starts[1:]),
        apart=apart,
    )


def _point(metric: str, entry: Entry) -> Point:
    return Point(
        time=entry.time,
        revision=entry.revision,
        value=entry.metrics[metric],
        rounds=tuple(values[metric] for values in entry.rounds if metric in values),
        facts=entry.facts,
        conditions=entry.conditions,
    )
