"""The records of the agent's answers, in bytes, counts and seconds."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_gomem.observe.records import GcRecord, MemStats


@dataclass(frozen=True)
class AgentInfo:
    """Who answers. agent_goroutines: the agent's own, which every goroutine count of the service includes."""

    protocol: int
    pid: int
    go_version: str
    agent_goroutines: int
    stderr_split: bool


@dataclass(frozen=True)
class AgentMemStats:
    """runtime.ReadMemStats, with NumGoroutine but for the agent's own; pause_total: seconds."""

    common: MemStats
    pause_total: float


@dataclass(frozen=True)
class Histogram:
    """A runtime/metrics Float64Histogram: counts[i] lie in [buckets[i], buckets[i + 1]); the ends may be infinite."""

    counts: tuple[int, ...]
    buckets: tuple[float, ...]


@dataclass(frozen=True)
class Settings:
    """The settings in force. gogc: percent, None = off; gomemlimit: bytes, None = no limit; godebug: the variable.

    profile_rate: runtime.MemProfileRate, bytes per heap profile sample. manual_gc: bytes allocated from one collection
    by hand to the next, None = none.
    """

    go_version: str
    goos: str
    goarch: str
    gomaxprocs: int
    gogc: int | None
    gomemlimit: int | None
    godebug: str
    profile_rate: int
    manual_gc: int | None = None


@dataclass(frozen=True)
class GcRecords:
    """The cycles after `since`, oldest first: len(cycles) + lost = num_gc - since."""

    since: int
    num_gc: int
    cycles: tuple[GcRecord, ...]

    @property
    def lost(self) -> int:
        """How many cycles have no record, because the ring was overwritten before it was read."""
        return self.num_gc - self.since - len(self.cycles)


@dataclass(frozen=True)
class Peak:
    """The highest cycle since the start or the last reset, in bytes; rss is None if unknown.

    kept: profiles written since the start; forced: GC cycles that this took, which NumGC and NumForcedGC include.
    """

    live_heap: int
    rss: int | None
    cycle: int
    kept: int
    forced: int


@dataclass(frozen=True)
class PeakProfile:
    """The peak and its heap profile, gzip-compressed pprof."""

    peak: Peak
    profile: bytes


@dataclass(frozen=True)
class Injected:
    """The agent's injected load: bytes held now; bytes and objects of all churns that ended."""

    retained: int
    churned_bytes: int
    churned_objects: int


@dataclass(frozen=True)
class Traced:
    """An execution trace that is written: bytes and seconds of it.

    ended_by: "size" or "time" for a limit that it has reached, "program" if the program ended it itself, else "".
    """

    bytes: int
    seconds: float
    ended_by: str


@dataclass(frozen=True)
class Flight:
    """What the flight recorder has kept because of a long pause: how often, and the cycle of the last, in seconds."""

    kept: int
    cycle: int
    pause: float
