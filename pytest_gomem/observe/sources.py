"""The sources of figures: what a source is, and the built-in ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.observe.endpoint import PprofEndpoint
from pytest_gomem.observe.page import first_that_reads
from pytest_gomem.observe.published import SAMPLES, ExpvarPage, PrometheusPage
from pytest_gomem.observe.records import RUNTIME_QUANTITIES, TRUST, MemStats, Observed, quantities_of


class Reader(Protocol):
    """A source that was found for one process."""

    def read(self) -> Observed:
        """All quantities that it has now; raises ObserveError with the reason if it does not answer."""

    def close(self) -> None:
        """Drop the connection."""


class Target(Protocol):
    """A process, as a source sees it."""

    @property
    def pid(self) -> int | None:
        """Process id; None if only a URL is known."""

    @property
    def no_agent(self) -> str:
        """Why it has no agent."""

    def agent(self) -> AgentClient | None:
        """The agent built into it; None if there is none."""

    def endpoint(self) -> PprofEndpoint:
        """Its pprof endpoint, searched once; raises ObserveError if there is none."""

    def last_cycle(self) -> int:
        """Number of the last GC cycle in gctrace; raises ObserveError without gctrace."""

    def url_of(self, source: str) -> str | None:
        """The URL that gomem.yaml names for this source (`expvar`, `metrics`); None if it names none."""

    def bases(self) -> Sequence[str]:
        """`http://HOST:PORT` of each of its ports."""


@dataclass(frozen=True)
class Source:
    """A source of quantities of a process.

    name: as metrics show it. trust: if several sources have a quantity, the one with the lowest number goes first; the
    built-in ones have 10 (agent), 20 (gctrace), 30 (pprof), 40 (expvar) and 50 (prometheus). quantities: the ones it
    may have, names of `pytest_gomem.QUANTITIES`.
    find: looks for the source at a process, once; raises ObserveError with the reason if it is not there.
    complete: for the built-in ones with readers that have all of MemStats.
    always: read it even if more trusted sources have all its quantities; the two are then cross-checked.
    """

    name: str
    trust: int
    quantities: frozenset[str]
    find: Callable[[Target], Reader]
    complete: bool = False
    always: Callable[[Target], bool] = lambda target: False


class Inside(Reader, Protocol):
    """A reader of MemStats and profiles; every method raises ObserveError if the process does not answer."""

    reader: str

    def memstats(self) -> MemStats:
        """runtime.MemStats as it is."""

    def settled(self) -> MemStats:
        """runtime.MemStats after two forced collections: sync.Pool takes two to empty."""

    def collected(self) -> MemStats:
        """runtime.MemStats after one forced collection."""

    def goroutines(self) -> int:
        """Number of goroutines."""

    def collect(self) -> None:
        """Force two collections: sync.Pool takes two to empty."""

    def heap_profile(self) -> bytes:
        """The heap profile after two forced collections: gzipped profile.proto with all four samples."""

    def goroutine_profile(self) -> bytes:
        """The stacks of all goroutines: gzipped profile.proto that counts equal ones."""

    def goroutine_stacks(self) -> bytes:
        """The stacks of all goroutines as a panic prints them, at most 64 MiB: see `observe.stacks`."""

    def blocked_stacks(self) -> bytes:
        """The same after a collection that marks goroutines which nothing can wake; ObserveError before Go 1.26."""

    def allocs_profile(self, seconds: float | None = None) -> bytes:
        """The allocs profile since the start, or of the next `seconds`."""


class AgentInside:
    """The agent in the service: exact, and without its own goroutines."""

    reader = "agent"

    def __init__(self, client: AgentClient) -> None:
        self.client = client

    def read(self) -> Observed:
        """All quantities of runtime.ReadMemStats."""
        stats = self.client.memstats()
        return Observed(stats.common.t, {**quantities_of(stats.common), "pause_total": stats.pause_total})

    def memstats(self) -> MemStats:
        """runtime.ReadMemStats at the price of one stop of the world."""
        return self.client.memstats().common

    def settled(self) -> MemStats:
        """runtime.ReadMemStats after two forced collections."""
        self.collect()
        return self.memstats()

    def collected(self) -> MemStats:
        """runtime.ReadMemStats after one forced collection."""
        self.client.gc(cycles=1)
        return self.memstats()

    def goroutines(self) -> int:
        """runtime.NumGoroutine without the agent's own."""
        return self.memstats().goroutines or 0

    def collect(self) -> None:
        """Force two collections."""
        self.client.gc()

    def heap_profile(self) -> bytes:
        """The heap profile after two forced collections."""
        return self.client.profile("heap", gc=True)

    def goroutine_profile(self) -> bytes:
        """The stacks of all goroutines, including the agent's."""
        return self.client.profile("goroutine")

    def goroutine_stacks(self) -> bytes:
        """The stacks of all goroutines, including the agent's."""
        return self.client.goroutines()

    def blocked_stacks(self) -> bytes:
        """The same after a collection that marks goroutines which nothing can wake."""
        self.client.profile("goroutineleak")  # which has counted nothing yet unless it is written
        return self.client.goroutines()

    def allocs_profile(self, seconds: float | None = None) -> bytes:
        """The allocs profile since the start, or of the next `seconds`: the difference of two profiles.

        Each comes after forced collections, which publish all allocations before them.
        """
        if seconds is None:
            return self.client.profile("allocs")
        from pytest_gomem.pprof.merge import delta

        before = self.client.profile("allocs", gc=True)
        time.sleep(seconds)
        return delta(before, self.client.profile("allocs", gc=True))

    def close(self) -> None:
        """Drop the connection."""
        self.client.close()


@dataclass(frozen=True)
class _LastCycle:
    target: Target

    def read(self) -> Observed:
        return Observed(time.monotonic(), {"num_gc": self.target.last_cycle()})

    def close(self) -> None:
        pass


def _agent(target: Target) -> Inside:
    client = target.agent()
    if client is None:
        raise ObserveError(f"no agent is built into it: {target.no_agent}")
    return AgentInside(client)


def _gctrace(target: Target) -> Reader:
    target.last_cycle()
    return _LastCycle(target)


def _pprof(target: Target) -> Inside:
    return target.endpoint()


def _expvar(target: Target) -> Inside:
    return first_that_reads(ExpvarPage, urls_of(target, "expvar", "/debug/vars"), "expvar page")


def _prometheus(target: Target) -> Reader:
    return first_that_reads(PrometheusPage, urls_of(target, "metrics", "/metrics"), "Prometheus page")


def urls_of(target: Target, key: str, path: str) -> list[str]:
    """Where to look for a page: at the URL that gomem.yaml names under that key, else at the path on each port."""
    named = target.url_of(key)
    return [named] if named is not None else [f"{base}{path}" for base in target.bases()]


SOURCES = (
    Source("agent", TRUST["agent"], RUNTIME_QUANTITIES, _agent, complete=True),
    Source("gctrace", TRUST["gctrace"], frozenset({"num_gc"}), _gctrace),
    Source("pprof", TRUST["pprof"], RUNTIME_QUANTITIES - {"pause_total"}, _pprof, complete=True),
    Source(
        "expvar",
        TRUST["expvar"],
        RUNTIME_QUANTITIES - {"goroutines"},
        _expvar,
        complete=True,
        always=lambda target: target.url_of("expvar") is not None,
    ),
    Source(
        "prometheus",
        TRUST["prometheus"],
        frozenset(SAMPLES),
        _prometheus,
        always=lambda target: target.url_of("metrics") is not None,
    ),
)
