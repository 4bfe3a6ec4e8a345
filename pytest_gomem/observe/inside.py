"""Owns what can be asked of the inside of a Go process, whoever answers: the agent, pprof, or expvar."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Protocol

from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.observe.quantities import Observed, quantities_of
from pytest_gomem.observe.records import MemStats
from pytest_gomem.observe.source import Reader


class Inside(Reader, Protocol):
    """A reader of MemStats and profiles; every method raises ObserveError when the process does not answer."""

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

    def allocs_profile(self, seconds: float | None = None) -> bytes:
        """The allocs profile since the start, or of the next `seconds`."""


class AgentInside:
    """The agent that was built into the service: exact, and its own goroutines are not counted."""

    reader = "agent"

    def __init__(self, client: AgentClient) -> None:
        self.client = client

    def read(self) -> Observed:
        """All quantities of runtime.ReadMemStats."""
        stats = self.client.memstats()
        told = quantities_of(replace(stats.common, goroutines=stats.goroutines))
        return Observed(stats.common.t, {**told, "pause_total": stats.pause_total})

    def memstats(self) -> MemStats:
        """runtime.ReadMemStats at the price of one stop of the world."""
        stats = self.client.memstats()
        return replace(stats.common, goroutines=stats.goroutines)

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
        return self.client.memstats().goroutines

    def collect(self) -> None:
        """Force two collections."""
        self.client.gc()

    def heap_profile(self) -> bytes:
        """The heap profile after two forced collections."""
        return self.client.profile("heap", gc=True)

    def goroutine_profile(self) -> bytes:
        """The stacks of all goroutines, the agent's among them."""
        return self.client.profile("goroutine")

    def allocs_profile(self, seconds: float | None = None) -> bytes:
        """The allocs profile since the start; of a span of time the difference of two, each after forced collections.

        Those publish what was allocated before them, so that nothing of the span is left out.
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
