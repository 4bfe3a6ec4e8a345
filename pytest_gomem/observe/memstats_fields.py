"""Owns turning the fields of runtime.MemStats, by their names in Go and whoever told them, into our record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gomem.observe.records import MemStats, SizeClass

RING = 256  # len(runtime.MemStats.PauseNs)


def memstats_record(fields: Mapping[str, Any], t: float, goroutines: int | None) -> MemStats:
    """The record, read at CLOCK_MONOTONIC `t`; raises KeyError, TypeError or ValueError on fields that do not fit."""
    return MemStats(
        t=t,
        total_alloc=_count(fields, "TotalAlloc"),
        sys=_count(fields, "Sys"),
        mallocs=_count(fields, "Mallocs"),
        frees=_count(fields, "Frees"),
        heap_alloc=_count(fields, "HeapAlloc"),
        heap_sys=_count(fields, "HeapSys"),
        heap_idle=_count(fields, "HeapIdle"),
        heap_inuse=_count(fields, "HeapInuse"),
        heap_released=_count(fields, "HeapReleased"),
        heap_objects=_count(fields, "HeapObjects"),
        stack_inuse=_count(fields, "StackInuse"),
        stack_sys=_count(fields, "StackSys"),
        mspan_inuse=_count(fields, "MSpanInuse"),
        mspan_sys=_count(fields, "MSpanSys"),
        mcache_inuse=_count(fields, "MCacheInuse"),
        mcache_sys=_count(fields, "MCacheSys"),
        buck_hash_sys=_count(fields, "BuckHashSys"),
        gc_sys=_count(fields, "GCSys"),
        other_sys=_count(fields, "OtherSys"),
        next_gc=_count(fields, "NextGC"),
        num_gc=_count(fields, "NumGC"),
        num_forced_gc=_count(fields, "NumForcedGC"),
        gc_cpu_fraction=float(fields["GCCPUFraction"]),
        pauses=_pauses(_count(fields, "NumGC"), fields["PauseNs"], fields["PauseEnd"]),
        goroutines=goroutines,
        by_size=tuple(
            SizeClass(_count(row, "Size"), _count(row, "Mallocs"), _count(row, "Frees")) for row in fields["BySize"]
        ),
    )


def _count(fields: Mapping[str, Any], name: str) -> int:
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} is {value!r}, no whole number")
    return value


def _pauses(num_gc: int, lengths: list[int], ends: list[int]) -> tuple[tuple[int, float, float], ...]:
    """Cycle c stands at (c + 255) % 256 of both rings (runtime.MemStats), nanoseconds."""
    if len(lengths) != RING or len(ends) != RING:
        raise ValueError(f"PauseNs and PauseEnd have {len(lengths)} and {len(ends)} entries, not {RING}")
    cycles = range(max(1, num_gc - RING + 1), num_gc + 1)
    return tuple((c, lengths[(c - 1) % RING] / 1e9, ends[(c - 1) % RING] / 1e9) for c in cycles)
