"""Reads a service's net/http/pprof endpoint: MemStats, goroutine count, profiles, forced collections."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

from pytest_gomem.load.http_client import HttpClient
from pytest_gomem.observe.memstats import parse_goroutine_total, parse_memstats
from pytest_gomem.observe.page import READ_TIMEOUT, Page, first_that_reads
from pytest_gomem.observe.records import MemStats, Observed, quantities_of


class PprofEndpoint(Page):
    """A reachable /debug/pprof; every method raises ObserveError if the service does not answer as expected."""

    reader = "pprof"

    def __init__(self, url: str, timeout: float = READ_TIMEOUT) -> None:
        self.url = url.rstrip("/")
        super().__init__(HttpClient(self.url), timeout)

    def _get(self, path: str, extra_time: float = 0.0) -> bytes:
        return self.read_whole(path, f"{self.url}{path}", extra_time)

    def read(self) -> Observed:
        """All quantities of MemStats; raises ObserveError."""
        stats = self.memstats()
        return Observed(stats.t, quantities_of(stats))

    def memstats(self) -> MemStats:
        """runtime.MemStats as it is. To read it allocates 17-170 kB in the service."""
        return self._memstats("/heap?debug=1")

    def settled(self) -> MemStats:
        """runtime.MemStats after two forced collections: sync.Pool takes two to empty."""
        self._get("/heap?gc=1")
        return self.collected()

    def collected(self) -> MemStats:
        """runtime.MemStats after one forced collection."""
        return self._memstats("/heap?debug=1&gc=1")

    def _memstats(self, path: str) -> MemStats:
        body = self._get(path)
        return parse_memstats(body.decode(errors="replace"), time.monotonic())

    def goroutines(self) -> int:
        """Number of goroutines, including the one that answers."""
        return parse_goroutine_total(self._get("/goroutine?debug=1").decode(errors="replace"))

    def collect(self) -> None:
        """Force two collections: sync.Pool takes two to empty."""
        for _ in range(2):
            self._get("/heap?gc=1")

    def heap_profile(self) -> bytes:
        """The heap profile after two forced collections, unchanged: gzipped profile.proto with all four samples."""
        self._get("/heap?gc=1")
        return self._get("/heap?gc=1")

    def goroutine_profile(self) -> bytes:
        """The stacks of all goroutines, unchanged: gzipped profile.proto that counts equal ones."""
        return self._get("/goroutine")

    def goroutine_stacks(self) -> bytes:
        """The stacks of all goroutines as a panic prints them, at most 64 MiB."""
        return self._get("/goroutine?debug=2")

    def blocked_stacks(self) -> bytes:
        """The same after a collection that marks goroutines which nothing can wake."""
        return self._get("/goroutineleak?debug=2")

    def allocs_profile(self, seconds: float | None = None) -> bytes:
        """The allocs profile, unchanged, since the start or of the next `seconds`, rounded up to whole ones.

        A WriteTimeout of the service that is shorter than `seconds` makes this fail.
        """
        if seconds is None:
            return self._get("/allocs")
        return self._get(f"/allocs?seconds={math.ceil(seconds)}", extra_time=seconds)

    def execution_trace(self, seconds: float) -> bytes:
        """An execution trace of the next `seconds`, for `go tool trace`, at most 128 MiB.

        A WriteTimeout of the service that is shorter than `seconds` makes this fail.
        """
        return self._get(f"/trace?seconds={seconds:g}", extra_time=seconds)


def find_endpoint(urls: Iterable[str], where: str = "under `pprof:`") -> PprofEndpoint:
    """The first URL that answers with MemStats; raises ObserveError with the answer of each.

    where: where the user can name the URL.
    """
    hint = f"import net/http/pprof in the service, or name its URL {where}"
    return first_that_reads(PprofEndpoint, urls, "pprof endpoint", hint)
