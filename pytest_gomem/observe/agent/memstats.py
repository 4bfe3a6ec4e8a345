"""Owns turning the agent's JSON of runtime.MemStats into records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gomem.observe.agent.records import AgentMemStats, SizeClass
from pytest_gomem.observe.records import MemStats

_RING = 256  # len(runtime.MemStats.PauseNs)


def memstats_of(fields: Mapping[str, Any], t: float) -> AgentMemStats:
    """The records of one answer, read at CLOCK_MONOTONIC `t`; raises KeyError on a field that is missing."""
    goroutines = fields["NumGoroutine"] - fields["AgentGoroutines"]
    return AgentMemStats(
        common=_common(fields, t, goroutines),
        lookups=fields["Lookups"],
        last_gc=fields["LastGC"] / 1e9,
        pause_total=fields["PauseTotalNs"] / 1e9,
        enable_gc=fields["EnableGC"],
        by_size=tuple(SizeClass(row["Size"], row["Mallocs"], row["Frees"]) for row in fields["BySize"]),
        goroutines=goroutines,
    )


def _common(fields: Mapping[str, Any], t: float, goroutines: int) -> MemStats:
    return MemStats(
        t=t,
        total_alloc=fields["TotalAlloc"],
        sys=fields["Sys"],
        mallocs=fields["Mallocs"],
        frees=fields["Frees"],
        heap_alloc=fields["HeapAlloc"],
        heap_sys=fields["HeapSys"],
        heap_idle=fields["HeapIdle"],
        heap_inuse=fields["HeapInuse"],
        heap_released=fields["HeapReleased"],
        heap_objects=fields["HeapObjects"],
        stack_inuse=fields["StackInuse"],
        stack_sys=fields["StackSys"],
        mspan_inuse=fields["MSpanInuse"],
        mspan_sys=fields["MSpanSys"],
        mcache_inuse=fields["MCacheInuse"],
        mcache_sys=fields["MCacheSys"],
        buck_hash_sys=fields["BuckHashSys"],
        gc_sys=fields["GCSys"],
        other_sys=fields["OtherSys"],
        next_gc=fields["NextGC"],
        num_gc=fields["NumGC"],
        num_forced_gc=fields["NumForcedGC"],
        gc_cpu_fraction=fields["GCCPUFraction"],
        pauses=_pauses(fields["NumGC"], fields["PauseNs"], fields["PauseEnd"]),
        goroutines=goroutines,
    )


def _pauses(num_gc: int, lengths: list[int], ends: list[int]) -> tuple[tuple[int, float, float], ...]:
    """Cycle c stands at (c + 255) % 256 of both rings (runtime.MemStats), nanoseconds."""
    cycles = range(max(1, num_gc - _RING + 1), num_gc + 1)
    return tuple((c, lengths[(c - 1) % _RING] / 1e9, ends[(c - 1) % _RING] / 1e9) for c in cycles)
