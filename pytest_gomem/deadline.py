"""Owns the deadline of a wait that has many parts: each part gets what the ones before it have left."""

from __future__ import annotations

import time


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
