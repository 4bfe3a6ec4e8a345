"""The cycles in which a test repeats its work, with a settled reading at the end of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytest_gomem.base.unavailable import Unavailable, known
from pytest_gomem.measure.window import WorkCycle
from pytest_gomem.session.own_readings import OwnReadings
from pytest_gomem.session.readings import Readings


class WorkCycles:
    """Those of one window. opened: when it did, CLOCK_MONOTONIC seconds. at_rest: goroutines then."""

    def __init__(self, readings: Readings, own: OwnReadings, opened: float, at_rest: int | None) -> None:
        self._readings = readings
        self._own = own
        self._opened = opened
        self._at_rest = at_rest
        self._unread: Unavailable | None = None
        self._found: list[WorkCycle] = []
        self.ended = 0

    def end(self, ops: int | None, afterwards: Callable[[int], None]) -> None:
        """Read what the work has left. ops: counted in the window until now.

        afterwards: called with the cycle's number, from 1, before the next one may begin; what it does to the process
        is no more in the window's figures than the reading is.
        """
        self.ended += 1
        seconds, kernel = self._readings.now() - self._opened - self._own.seconds, known(self._readings.kernel())
        with self._own.apart():
            if self._unread is None:
                self._read(seconds, ops, None if kernel is None else kernel.rss)
            afterwards(self.ended)

    def _read(self, seconds: float, ops: int | None, rss: int | None) -> None:
        settled = self._readings.settled(self._at_rest)
        if isinstance(settled, Unavailable):  # it is not asked again: each request may take its time limit
            self._unread = Unavailable(f"cycle {self.ended} could not be read: {settled.reason}")
            return
        stats = settled.last
        self._at_rest = stats.goroutines
        self._found.append(WorkCycle(seconds, ops, stats.heap_alloc, stats.heap_objects, stats.goroutines, rss))

    def finished(self, ops: int | None) -> tuple[WorkCycle, ...] | Unavailable:
        """The cycles, or why one could not be read. ops: of the window; if only that is known, each did its share."""
        if self._unread is not None:
            return self._unread
        if ops is None or any(cycle.ops is not None for cycle in self._found):
            return tuple(self._found)
        share = ops / len(self._found) if self._found else 0.0
        return tuple(replace(cycle, ops=round(share * at)) for at, cycle in enumerate(self._found, 1))
