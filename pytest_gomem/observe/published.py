"""Reads what a service publishes over HTTP: expvar's variables and a Prometheus page."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit, urlunsplit

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.load.http_client import HttpClient
from pytest_gomem.observe.memstats import parse_expvar
from pytest_gomem.observe.page import READ_TIMEOUT, Page
from pytest_gomem.observe.records import MemStats, Observed, quantities_of
from pytest_gomem.observe.text_format import SAMPLE

# Our quantity -> the sample with the same definition in client_golang's NewGoCollector and NewProcessCollector.
SAMPLES: Mapping[str, str] = MappingProxyType(
    {
        **{
            name: f"go_memstats_{name}_bytes"
            for name in (
                "sys", "heap_alloc", "heap_sys", "heap_idle", "heap_inuse", "heap_released", "stack_inuse",
                "stack_sys", "mspan_inuse", "mspan_sys", "mcache_inuse", "mcache_sys", "buck_hash_sys", "gc_sys",
                "other_sys", "next_gc",
            )
        },
        "total_alloc": "go_memstats_alloc_bytes_total",
        "mallocs": "go_memstats_mallocs_total",
        "frees": "go_memstats_frees_total",
        "heap_objects": "go_memstats_heap_objects",
        "num_gc": "go_gc_duration_seconds_count",
        "pause_total": "go_gc_duration_seconds_sum",
        "goroutines": "go_goroutines",
        "rss": "process_resident_memory_bytes",
        "cpu": "process_cpu_seconds_total",
        "fds": "process_open_fds",
    }
)  # fmt: skip
_SECONDS = frozenset({"pause_total", "cpu"})  # all others are whole numbers


def parse_prometheus(text: str) -> dict[str, float]:
    """The quantities on a page in the text format 0.0.4, by our names, in base units.

    Samples with labels or other names are skipped. Raises ObserveError, with the line, for another format, a repeated
    sample or an impossible value, and if there is no known sample.
    """
    wanted = {sample: name for name, sample in SAMPLES.items()}
    found: dict[str, float] = {}
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip(" \t\r")
        if not stripped or stripped.startswith("#"):
            continue
        sample = SAMPLE.fullmatch(stripped)
        if sample is None:
            raise ObserveError(f"line {number} is not of the Prometheus text format: {stripped[:60]!r}")
        name = wanted.get(sample["name"])
        if name is None or sample["labels"]:
            continue
        if name in found:
            raise ObserveError(f"line {number}: {sample['name']} is there twice")
        found[name] = _figure(name, sample["value"], number)
    if not found:
        raise ObserveError("the page has none of the go_* and process_* samples of client_golang")
    return found


def _figure(name: str, written: str, number: int) -> float:
    value = float(written)
    if not math.isfinite(value) or value < 0 or (name not in _SECONDS and not value.is_integer()):
        raise ObserveError(f"line {number}: {SAMPLES[name]} is {written}, which is impossible")
    return value if name in _SECONDS else int(value)


_NO_COLLECTION = "expvar has MemStats but cannot force a collection: that needs the agent or net/http/pprof"


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
        """Raises ObserveError: expvar does not have it."""
        raise ObserveError("expvar does not have the number of goroutines")

    def heap_profile(self) -> bytes:
        """Raises ObserveError: expvar has no profiles."""
        raise ObserveError("expvar has no heap profile: that needs the agent or net/http/pprof")

    def goroutine_profile(self) -> bytes:
        """Raises ObserveError: expvar has no profiles."""
        raise ObserveError("expvar has no profiles of goroutines: that needs the agent or net/http/pprof")

    def goroutine_stacks(self) -> bytes:
        """Raises ObserveError: expvar has no stacks."""
        raise ObserveError("expvar has no stacks of goroutines: that needs the agent or net/http/pprof")

    def blocked_stacks(self) -> bytes:
        """Raises ObserveError: expvar has no stacks."""
        return self.goroutine_stacks()

    def allocs_profile(self, seconds: float | None = None) -> bytes:
        """Raises ObserveError: expvar has no profiles."""
        raise ObserveError("expvar has no allocs profile: that needs the agent or net/http/pprof")
