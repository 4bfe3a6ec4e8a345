"""Owns the canonical quantities of a process, which several sources may tell, and how far our own are trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from pytest_gomem.observe.records import MemStats

# The counters and gauges of runtime.MemStats by the names of our record, the sum of all pauses, and goroutines.
RUNTIME_QUANTITIES = frozenset(
    {field.name for field in fields(MemStats)} - {"t", "pauses", "by_size", "gc_cpu_fraction"}
    | {"pause_total", "goroutines"}
)
# Of the process: resident bytes, user + system CPU seconds since its start, open descriptors.
PROCESS_QUANTITIES = frozenset({"rss", "cpu", "fds"})
QUANTITIES = RUNTIME_QUANTITIES | PROCESS_QUANTITIES

# Of the sources that come with the package: where several tell one quantity, the lowest goes first.
TRUST: Mapping[str, int] = MappingProxyType({"agent": 10, "gctrace": 20, "pprof": 30, "expvar": 40, "prometheus": 50})


@dataclass(frozen=True)
class Observed:
    """What a source told at `t`, CLOCK_MONOTONIC seconds: quantities by their canonical names, in base units."""

    t: float
    quantities: Mapping[str, float]


def quantities_of(stats: MemStats) -> dict[str, float]:
    """The canonical quantities in a record of MemStats."""
    known = {name: getattr(stats, name, None) for name in sorted(RUNTIME_QUANTITIES)}
    return {name: value for name, value in known.items() if value is not None}
