"""Owns the recorded course of a process, compactly: 8 bytes a number, so that hours fit."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter

from pytest_gomem.observe.records import GcCycle, Sample

MAX_CYCLES = 500_000  # 80 MB
_UNKNOWN = -1
_CYCLE_NAMES = [field.name for field in fields(GcCycle)]
_CYCLE_TYPES = [{"int": int, "bool": bool}.get(str(field.type), float) for field in fields(GcCycle)]
Columns = list[list[float]]


class _Table:
    """Rows in the order of their time; when `limit` rows are reached, the older half of them goes."""

    def __init__(self, width: int, time: int, limit: int | None = None) -> None:
        self._columns = [array("d") for _ in range(width)]
        self._time = self._columns[time]
        self._limit = limit

    def add(self, row: Sequence[float]) -> None:
        for column, value in zip(self._columns, row, strict=True):
            column.append(value)
        if len(self._time) == self._limit:
            for column in self._columns:
                del column[: self._limit // 2]

    def between(self, start: float, end: float) -> Columns:
        """Columns of the rows whose time is in [start, end]."""
        window = slice(bisect_left(self._time, start), bisect_right(self._time, end))
        return [column[window].tolist() for column in self._columns]


class Timeline(_Table):
    """Samples: columns t, rss, hwm, threads, fds; unknown values are -1."""

    def __init__(self) -> None:
        super().__init__(width=5, time=0)

    def append(self, sample: Sample) -> None:
        """Add one point."""
        self.add((sample.t, sample.rss, _number(sample.hwm), sample.threads, _number(sample.fds)))


class CycleTable(_Table):
    """GC cycles: one column a field of GcCycle; each has its `t`."""

    def __init__(self, limit: int = MAX_CYCLES) -> None:
        super().__init__(width=len(_CYCLE_NAMES), time=_CYCLE_NAMES.index("t"), limit=limit)

    def append(self, cycle: GcCycle) -> None:
        """Add one cycle."""
        self.add(_cycle_row(cycle))


_cycle_row = attrgetter(*_CYCLE_NAMES)


def samples(columns: Columns) -> tuple[Sample, ...]:
    """Columns of a Timeline as records."""
    return tuple(
        Sample(t, int(rss), _known(hwm), int(threads), _known(fds))
        for t, rss, hwm, threads, fds in zip(*columns, strict=True)
    )


def cycles(columns: Columns) -> tuple[GcCycle, ...]:
    """Columns of a CycleTable as records."""
    return tuple(
        GcCycle(*(kind(value) for kind, value in zip(_CYCLE_TYPES, row, strict=True)))
        for row in zip(*columns, strict=True)
    )


def _number(value: int | None) -> int:
    return _UNKNOWN if value is None else value


def _known(value: float) -> int | None:
    return None if value == _UNKNOWN else int(value)
