"""Owns finding a page of a service among addresses, and reading it whole, within bounds of time and size."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

from pytest_gomem.drive.client import Bounds, HttpClient
from pytest_gomem.errors import LoadError, ObserveError

READ_TIMEOUT = 60.0
_LOOK_TIMEOUT = 5.0


class _Page(Protocol):
    def read(self) -> object:
        """Raises ObserveError where there is no such page."""

    def close(self) -> None:
        """Drop the connection."""


_P = TypeVar("_P", bound=_Page)


def first_that_reads(kind: Callable[[str, float], _P], urls: Iterable[str], what: str, hint: str = "") -> _P:
    """The first of these that can be read; raises ObserveError that says what each one answered, and the hint.

    kind: makes the page of an address and a timeout in seconds. what: how the page is called.
    """
    answers = []
    for url in urls:
        with contextlib.closing(kind(url, _LOOK_TIMEOUT)) as probe:
            try:
                probe.read()
            except ObserveError as error:
                answers.append(str(error))
                continue
        return kind(url, READ_TIMEOUT)
    tried = "; ".join(answers) or "there is no port to look on"
    raise ObserveError(f"no {what} found ({tried})" + (f": {hint}" if hint else ""))


def read_page(client: HttpClient, path: str, url: str, bounds: Bounds) -> bytes:
    """The body of the answer, which may never end; raises ObserveError for another status than 200, and for no answer.

    url: what the page is called in errors.
    """
    try:
        response = client.request("GET", path, timeout=bounds.seconds, bounds=bounds)
    except LoadError as error:
        raise ObserveError(str(error)) from None
    if response.status != 200:
        text = response.text.strip().splitlines()
        raise ObserveError(f"{url} answered {response.status}" + (f": {text[0]}" if text else ""))
    return response.body
