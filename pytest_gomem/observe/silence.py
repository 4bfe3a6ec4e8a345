"""Owns not asking again who has let a time limit pass: each further question would be waited for as long."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pytest_gomem.errors import ObserveTimeout


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
