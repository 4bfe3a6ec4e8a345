"""Owns reading a page of a service whole, within bounds of time and size: one may never end."""

from __future__ import annotations

from pytest_gomem.drive.client import Bounds, HttpClient
from pytest_gomem.errors import LoadError, ObserveError


def read_page(client: HttpClient, path: str, url: str, bounds: Bounds) -> bytes:
    """The body of the answer; raises ObserveError for another status than 200, and where no whole answer comes.

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
