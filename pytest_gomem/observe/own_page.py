"""Reads the pages on which a service publishes figures of its own: expvar's variables and a Prometheus page."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from pytest_gomem.base.clock import Deadline
from pytest_gomem.base.errors import ObserveError, ObserveTimeout
from pytest_gomem.config.own_metrics import EXPVAR, PROM
from pytest_gomem.load.http_client import HttpClient
from pytest_gomem.observe.page import Page
from pytest_gomem.observe.sources import Target, urls_of
from pytest_gomem.observe.text_format import TextPage, parse_text_format

SECONDS = 10.0  # for all pages of a service together, at one edge of a window
_LOOK = 5.0  # for one URL that may not be a page


@dataclass(frozen=True)
class Variables:
    """What package expvar publishes: JSON values by name."""

    values: Mapping[str, object]


Published = TextPage | Variables


def _variables(text: str) -> Variables:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ObserveError(f"it is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ObserveError("it is no JSON object, which expvar's page is")
    return Variables(found)


@dataclass(frozen=True)
class _Kind:
    key: str  # of gomem.yaml
    path: str
    what: str
    parse: Callable[[str], Published]


_KINDS: Mapping[str, _Kind] = {
    PROM: _Kind("metrics", "/metrics", "Prometheus page", parse_text_format),
    EXPVAR: _Kind("expvar", "/debug/vars", "expvar page", _variables),
}


class OwnPage(Page):
    """One such page at its URL. Each reading has its own connection, so that it leaves no goroutine in the service."""

    def __init__(self, url: str, parse: Callable[[str], Published]) -> None:
        parts = urlsplit(url)
        super().__init__(HttpClient(f"{parts.scheme}://{parts.netloc}"), 0.0)
        self.url = url
        self._path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        self._parse = parse

    def read(self, deadline: Deadline) -> Published:
        """All that it publishes now; raises ObserveError."""
        try:
            text = self.read_whole(self._path, self.url, deadline.left()).decode(errors="replace")
        except TimeoutError:
            raise ObserveTimeout(f"{self.url} was not read: the pages before it took {deadline.seconds:g} s") from None
        finally:
            self.close()
        try:
            return self._parse(text)
        except ObserveError as error:
            raise ObserveError(f"{self.url}: {error}") from None


def find_own_page(page: str, target: Target, deadline: Deadline) -> OwnPage:
    """The page of that kind at a process; raises ObserveError with the answer of each URL."""
    kind, answers = _KINDS[page], list[str]()
    for url in urls_of(target, kind.key, kind.path):
        found = OwnPage(url, kind.parse)
        try:
            found.read(Deadline(min(_LOOK, deadline.left())))
        except (ObserveError, TimeoutError) as error:
            answers.append(str(error) or f"there was no time for {url}")
        else:
            return found
    tried = "; ".join(answers) or "there is no port to look on"
    raise ObserveError(f"no {kind.what} found ({tried}): name its URL under `{kind.key}:` of the service in gomem.yaml")
