"""The time, deadlines, and sources that let one pass."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from datetime import date, datetime, timezone

from pytest_gomem.base.errors import ObserveTimeout


def now() -> datetime:
    """The present moment in UTC, so that every machine of a team has the same date."""
    return datetime.now(timezone.utc)


def today() -> date:
    """The present date in UTC."""
    return now().date()


class Deadline:
    """A deadline, `seconds` from now."""

    __slots__ = ("_end", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, more than 0; raises TimeoutError when none is left."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Silence:
    """Remembers that a source did not answer in time, until `forget` at the opening of the next window."""

    def __init__(self) -> None:
        self._reason = ""

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Ask the source once; while it is silent, raises ObserveTimeout at once, with the first reason."""
        if self._reason:
            raise ObserveTimeout(self._reason)
        try:
            yield
        except ObserveTimeout as error:
            self._reason = str(error)
            raise

    def expect(self, reason: str) -> None:
        """Don't ask at all: it is known why there would be no answer."""
        self._reason = reason

    def forget(self) -> None:
        """Ask again."""
        self._reason = ""
