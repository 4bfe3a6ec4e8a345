"""Finds a page of a service among several URLs, and reads it within limits of time and size."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from pytest_gomem.base.clock import Silence
from pytest_gomem.base.errors import LoadError, ObserveError, ObserveTimeout
from pytest_gomem.load.connection import MAX_BODY, Request
from pytest_gomem.load.failures import TIMEOUT, TOO_LARGE
from pytest_gomem.load.http_client import HttpClient

READ_TIMEOUT = 60.0
_LOOK_TIMEOUT = 5.0


class _Readable(Protocol):
    reads: int

    def read(self) -> object:
        """Raises ObserveError if there is no such page."""

    def close(self) -> None:
        """Drop the connection."""


_P = TypeVar("_P", bound=_Readable)


def first_that_reads(kind: Callable[[str, float], _P], urls: Iterable[str], what: str, hint: str = "") -> _P:
    """The first URL that can be read; raises ObserveError with the answer of each, and the hint.

    kind: makes the page from a URL and a timeout in seconds. what: the page's name.
    """
    answers = []
    for url in urls:
        with contextlib.closing(kind(url, _LOOK_TIMEOUT)) as probe:
            try:
                probe.read()
            except ObserveError as error:
                answers.append(str(error))
                continue
        found = kind(url, READ_TIMEOUT)
        found.reads = probe.reads
        return found
    tried = "; ".join(answers) or "there is no port to look on"
    raise ObserveError(f"no {what} found ({tried})" + (f": {hint}" if hint else ""))


class Page:
    """A page of a service. After a timeout it is not read again until its silence is forgotten.

    reads: how often it has answered: a page may count its own readers.
    """

    url: str

    def __init__(self, client: HttpClient, timeout: float) -> None:
        self._client = client
        self._timeout = timeout
        self.silence = Silence()
        self.reads = 0

    def read_whole(self, path: str, url: str, extra_time: float = 0.0) -> bytes:
        """The body of the answer, at most 128 MiB, within the timeout and `extra_time` seconds more.

        url: the page's name in errors. Raises ObserveError without an answer, and for another status than 200.
        """
        with self.silence.kept():
            try:
                response = self._client.request(Request("GET", path, timeout=self._timeout + extra_time))
            except LoadError as error:
                raise _in_our_words(error, url) from None
        self.reads += 1
        if response.status != 200:
            text = response.text.strip().splitlines()
            raise ObserveError(f"{url} answered {response.status}" + (f": {text[0]}" if text else ""))
        return response.body

    def close(self) -> None:
        """Drop the connection."""
        self._client.close()


def _in_our_words(error: LoadError, url: str) -> ObserveError:
    if error.kind == TOO_LARGE:
        return ObserveError(f"{url} answered with more than {MAX_BODY}")
    first = str(error).partition("\n")[0]  # what follows is for users of requests
    return ObserveTimeout(first) if error.kind == TIMEOUT else ObserveError(first)
