"""Counts the operations in a window, and refuses two counts that disagree."""

from __future__ import annotations

import time

from pytest_gomem.base.errors import MeasureError
from pytest_gomem.load.spec import LoadRecord, Unanswered


class Operations:
    """Counts what a test does to its service; requests, count(n) and ops= must agree.

    Single requests (get, post) form one load record, from the start of the first to the end of the last. unanswered:
    what the service did last, if its connection was lost meanwhile.
    """

    def __init__(self) -> None:
        self.counted: int | None = None
        self.loads: list[LoadRecord] = []
        self._latencies: list[float] = []
        self._statuses: dict[str, int] = {}
        self._errors = 0
        self._first: float | None = None
        self._last = 0.0
        self._waited = self._waiting = 0.0
        self.unanswered: Unanswered | None = None

    def request(self, started: float, status: str, *, ok: bool) -> None:
        """One get or post that began at `started` (CLOCK_MONOTONIC) and ends now."""
        self._last = time.monotonic()
        self._waited, self._waiting = self._waited + (0.0 if self._first is None else self._waiting), 0.0
        self._first = started if self._first is None else self._first
        self._latencies.append(self._last - started)
        self._statuses[status] = self._statuses.get(status, 0) + 1
        self._errors += not ok
        self.unanswered = None

    def load(self, record: LoadRecord) -> None:
        """A load has ended."""
        self.loads.append(record)
        self.unanswered = None

    def lost(self, request: str) -> None:
        """The last single request lost its connection. request: such as "GET /leak"."""
        self.unanswered = Unanswered(request, number=sum(load.requests for load in self.records()))

    def lost_load(self, request: str, asked: int) -> None:
        """So did requests of the last load. asked: how many there should be."""
        statuses = self.loads[-1].statuses
        answered = sum(count for status, count in statuses if status.isdigit())
        self.unanswered = Unanswered(request, answered=answered, asked=asked)

    def wait(self, seconds: float) -> None:
        """The test waits so long for readings of ours; between two single requests it is no time of theirs."""
        self._waiting += seconds

    def count(self, n: int) -> None:
        """Count `n` operations that were done in some other way."""
        self.counted = (self.counted or 0) + n

    def records(self) -> tuple[LoadRecord, ...]:
        """The loads, and one more for the single requests."""
        if self._first is None:
            return tuple(self.loads)
        single = LoadRecord(
            requests=len(self._latencies),
            errors=self._errors,
            duration=self._last - self._first - self._waited,
            latencies=tuple(self._latencies),
            statuses=tuple(sorted(self._statuses.items())),
        )
        return (*self.loads, single)

    def total(self, declared: int | None) -> int | None:
        """The number of operations, None if nothing counted them; raises MeasureError if two counts disagree."""
        requests = sum(load.requests for load in self.records()) or None
        counts = {"requests made": requests, "count(n)": self.counted, "ops=": declared}
        known = {how: n for how, n in counts.items() if n is not None}
        if len(set(known.values())) > 1:
            said = ", ".join(f"{how} {n}" for how, n in known.items())
            raise MeasureError(f"the operations of this window were counted in two ways that disagree: {said}")
        return next(iter(known.values()), None)
