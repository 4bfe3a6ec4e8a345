"""Recordings of a process over time, at 8 bytes a number, so that hours fit."""

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
    """Rows ordered by time; at `limit` rows, the older half is dropped."""

    def __init__(self, width: int, time: int, limit: int | None = None) -> None:
        self._width = width
        self._time = time
        self._limit = limit
        self._numbers = array("d")  # row after row: adding one is a single call

    def __len__(self) -> int:
        return len(self._numbers) // self._width

    def __getitem__(self, row: int) -> float:
        """The time of a row."""
        return self._numbers[row * self._width + self._time]

    def add(self, row: Sequence[float]) -> None:
        self._numbers.extend(row)
        if len(self) == self._limit:
            del self._numbers[: self._limit // 2 * self._width]

    def between(self, start: float, end: float) -> Columns:
        """Columns of the rows with a time in [start, end]."""
        first, last = bisect_left(self, start), bisect_right(self, end)
        rows = self._numbers[first * self._width : last * self._width]
        return [rows[column :: self._width].tolist() for column in range(self._width)]


class Timeline(_Table):
    """Samples: columns t, rss, hwm, threads, fds; unknown values are -1."""

    def __init__(self) -> None:
        super().__init__(width=5, time=0)

    def append(self, sample: Sample) -> None:
        """Add one point."""
        hwm = _UNKNOWN if sample.hwm is None else sample.hwm
        self.add((sample.t, sample.rss, hwm, sample.threads, _UNKNOWN if sample.fds is None else sample.fds))


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


def _known(value: float) -> int | None:
    return None if value == _UNKNOWN else int(value)
