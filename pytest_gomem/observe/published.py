"""Owns what a service publishes of itself over HTTP, read as it is: expvar's variables and a Prometheus page."""

from __future__ import annotations

import time
from urllib.parse import urlsplit, urlunsplit

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.load.client import HttpClient
from pytest_gomem.observe.expvar import parse_expvar
from pytest_gomem.observe.page import READ_TIMEOUT, Page
from pytest_gomem.observe.prometheus import parse_prometheus
from pytest_gomem.observe.quantities import Observed, quantities_of
from pytest_gomem.observe.records import MemStats

_NO_COLLECTION = "expvar tells MemStats but cannot force a collection: that needs the agent or net/http/pprof"


class _PublishedPage(Page):
    def __init__(self, url: str, timeout: float = READ_TIMEOUT) -> None:
        self.url = url
        parts = urlsplit(url)
        self._path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        super().__init__(HttpClient(f"{parts.scheme}://{parts.netloc}"), timeout)

    def _text(self) -> str:
        return self.read_whole(self._path, self.url).decode(errors="replace")


class PrometheusPage(_PublishedPage):
    """A /metrics page in the text format with the samples of client_golang."""

    def read(self) -> Observed:
        """The quantities on the page; raises ObserveError."""
        text = self._text()
        try:
            return Observed(time.monotonic(), parse_prometheus(text))
        except ObserveError as error:
            raise ObserveError(f"{self.url}: {error}") from None


class ExpvarPage(_PublishedPage):
    """A /debug/vars page: the `observe.inside.Inside` of a service that has neither agent nor pprof."""

    reader = "expvar"

    def _read(self) -> tuple[MemStats, float]:
        text = self._text()
        try:
            return parse_expvar(text, time.monotonic())
        except ObserveError as error:
            raise ObserveError(f"{self.url}: {error}") from None

    def read(self) -> Observed:
        """All quantities of MemStats, and the sum of the pauses; raises ObserveError."""
        stats, pause_total = self._read()
        return Observed(stats.t, {**quantities_of(stats), "pause_total": pause_total})

    def memstats(self) -> MemStats:
        """runtime.MemStats as it is; the page allocates some 100 kB in the service. Raises ObserveError."""
        return self._read()[0]

    def settled(self) -> MemStats:
        """Raises ObserveError: no collection can be forced."""
        raise ObserveError(_NO_COLLECTION)

    def collected(self) -> MemStats:
        """Raises ObserveError: no collection can be forced."""
        raise ObserveError(_NO_COLLECTION)

    def collect(self) -> None:
        """Raises ObserveError: no collection can be forced."""
        raise ObserveError(_NO_COLLECTION)

    def goroutines(self) -> int:
        """Raises ObserveError: expvar does not tell."""
        raise ObserveError("expvar does not tell the number of goroutines")

    def heap_profile(self) -> bytes:
        """Raises ObserveError: expvar has no profiles."""
        raise ObserveError("expvar has no heap profile: that needs the agent or net/http/pprof")

    def goroutine_profile(self) -> bytes:
        """Raises ObserveError: expvar has no profiles."""
        raise ObserveError("expvar has no profiles of goroutines: that needs the agent or net/http/pprof")

    def allocs_profile(self, seconds: float | None = None) -> bytes:
        """Raises ObserveError: expvar has no profiles."""
        raise ObserveError("expvar has no allocs profile: that needs the agent or net/http/pprof")
