"""What time it is, how much of a deadline is left, and who has let one pass."""

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
    """The instant, `seconds` from now, by which a whole wait must have ended."""

    __slots__ = ("_end", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then, more than 0; raises TimeoutError when it has come."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class Silence:
    """Of one source: kept from its first timeout until `forget`, which whoever opens a window calls."""

    def __init__(self) -> None:
        self._reason = ""

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """One question. Raises ObserveTimeout at once, with the first one's reason, while the source is silent."""
        if self._reason:
            raise ObserveTimeout(self._reason)
        try:
            yield
        except ObserveTimeout as error:
            self._reason = str(error)
            raise

    def expect(self, reason: str) -> None:
        """Do not ask at all: it is known why there would be no answer."""
        self._reason = reason

    def forget(self) -> None:
        """Ask again."""
        self._reason = ""
