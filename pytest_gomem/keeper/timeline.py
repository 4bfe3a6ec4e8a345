"""Owns the sampled course of a process, compactly: some 40 bytes a point, so that hours fit."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

from pytest_gomem.observe.records import Sample

_UNKNOWN = -1
Columns = list[list[float]]


class Timeline:
    """Samples in the order they were taken."""

    def __init__(self) -> None:
        self._t = array("d")
        self._rss = array("q")
        self._hwm = array("q")
        self._threads = array("q")
        self._fds = array("q")

    def append(self, sample: Sample) -> None:
        """Add one point."""
        self._t.append(sample.t)
        self._rss.append(sample.rss)
        self._hwm.append(_UNKNOWN if sample.hwm is None else sample.hwm)
        self._threads.append(sample.threads)
        self._fds.append(_UNKNOWN if sample.fds is None else sample.fds)

    def between(self, start: float, end: float) -> Columns:
        """Columns t, rss, hwm, threads, fds of the points in [start, end]; unknown values are -1."""
        window = slice(bisect_left(self._t, start), bisect_right(self._t, end))
        return [list(column[window]) for column in (self._t, self._rss, self._hwm, self._threads, self._fds)]


def samples(columns: Columns) -> tuple[Sample, ...]:
    """Columns of `Timeline.between` as records."""
    return tuple(
        Sample(t, int(rss), _known(hwm), int(threads), _known(fds))
        for t, rss, hwm, threads, fds in zip(*columns, strict=True)
    )


def _known(value: float) -> int | None:
    return None if value == _UNKNOWN else int(value)
