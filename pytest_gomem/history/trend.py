"""The trend of one metric in one window of one test, from run to run under the same conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from pytest_gomem.git.repository import Revision
from pytest_gomem.history.entry import UNSAID, Entry
from pytest_gomem.judge.conditions import changed, said

Segment = list[Entry]  # runs under the same conditions, oldest first


def series_of(entries: Sequence[Entry]) -> list[list[Segment]]:
    """Divide the entries of one window, oldest first, into series of segments.

    Conditions that take turns, such as those of two machines, get a series each; in one they would be steps up and
    down. A segment that begins after a series has ended continues it, as after an update of Go. If it could continue
    several, it takes the one from which it differs least, and of these the newest.
    """
    found: list[list[Segment]] = []
    for segment in _alike(entries):
        ended = [series for series in found if series[-1][-1].time <= segment[0].time]
        if ended:
            min(ended, key=lambda series: _distance(series[-1][-1], segment[0])).append(segment)
        else:
            found.append([segment])
    return found


def _distance(last: Entry, first: Entry) -> tuple[int, timedelta]:
    return len(changed(last.conditions, first.conditions, UNSAID)), first.time - last.time


def _alike(entries: Sequence[Entry]) -> list[Segment]:
    segments: list[Segment] = []
    for entry in entries:
        alike = (one for one in segments if not changed(one[0].conditions, entry.conditions, UNSAID))
        segment = next(alike, None)
        if segment is None:
            segments.append([entry])
        else:
            segment.append(entry)
    return segments


@dataclass(frozen=True)
class Point:
    """One run's value, its rounds if there were several, and what it was measured on."""

    time: datetime
    revision: Revision
    value: float
    rounds: tuple[float, ...]
    facts: Mapping[str, str]
    conditions: Mapping[str, str]


@dataclass(frozen=True)
class Step:
    """A change at point number `at` (from 0), with the medians of the values before and after."""

    at: int
    point: Point
    before: float
    after: float

    @property
    def share(self) -> float | None:
        """The step as a share of the value before; None if that is 0."""
        return (self.after - self.before) / abs(self.before) if self.before else None


@dataclass(frozen=True)
class Trend:
    """The points of a metric, oldest first. left_out: runs with a test that did not run to its end.

    starts: the points (from 0) where the conditions changed. apart: the conditions that differ from those of the
    window's other trends.
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
    def segments(self) -> tuple[tuple[int, int], ...]:
        """The runs of points under the same conditions, as (first, end) positions."""
        return tuple(pairwise((0, *self.starts, len(self.points))))


def trends(entries: Iterable[Entry], metric: str, nodeids: Iterable[str]) -> tuple[Trend, ...]:
    """The trends of a metric in these tests, in the order of tests and of their windows' first appearance.

    A window with conditions that take turns has several: see series_of.
    """
    by_window: dict[tuple[str, str, str], list[Entry]] = {}
    ordered = sorted(entries, key=lambda entry: entry.time)  # files of several machines may have been put together
    for nodeid in nodeids:
        for entry in ordered:
            if entry.nodeid == nodeid and metric in entry.metrics:
                by_window.setdefault((nodeid, entry.window, entry.service), []).append(entry)
    return tuple(trend for like in by_window.values() for trend in _of_window(metric, like))


def _of_window(metric: str, entries: Sequence[Entry]) -> list[Trend]:
    whole = [series for series in series_of(entries) if any(entry.complete for segment in series for entry in segment)]
    last = [series[-1][-1] for series in whole]
    differing = sorted({name for entry in last for name in changed(last[0].conditions, entry.conditions, UNSAID)})
    return [
        _trend(metric, series, {name: said(entry.conditions, name, UNSAID) for name in differing})
        for series, entry in zip(whole, last, strict=True)
    ]


def _trend(metric: str, series: Sequence[Segment], apart: Mapping[str, str]) -> Trend:
    last = series[-1][-1]
    complete = [[entry for entry in segment if entry.complete] for segment in series]
    points, starts = list[Point](), list[int]()
    for segment in filter(None, complete):
        starts.append(len(points))
        points += [_point(metric, entry) for entry in segment]
    return Trend(
        nodeid=last.nodeid,
        window=last.window,
        service=last.service,
        metric=metric,
        unit=last.units.get(metric, ""),
        points=tuple(points),
        left_out=sum(map(len, series)) - len(points),
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
