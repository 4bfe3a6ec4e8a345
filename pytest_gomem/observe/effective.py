"""Owns reading back the GC settings in force: services and libraries change what the environment asked for."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_gomem.config.gc import GcSettings
from pytest_gomem.observe.records import GcCycle, MemStats

_MIN_HEAP = 4 << 20  # runtime/mgcpacer.go defaultHeapMinimum, at GOGC=100
_NO_GOAL = 1 << 60  # GOGC=off without a memory limit leaves a heap goal near 2^64
_AGREES = 0.10
_DEFAULT_GOGC = 100


def effective_settings(requested: GcSettings, stats: MemStats | None, cycles: Sequence[GcCycle]) -> dict[str, str]:
    """What is in force, in words, by setting name; a setting that nothing outside the process tells is left out.

    gomaxprocs: the `P` of the newest gctrace line. gogc: from the heap goal (MemStats.NextGC) that the pacer set after
    a collection: live + (live + stacks + globals) * GOGC/100, at least 4 MiB * GOGC/100. `stats` is read right
    after a forced collection. The memory limit itself cannot be read from outside, only that a goal is lower than
    GOGC alone would set it.
    """
    found = {}
    if cycles:
        found["gomaxprocs"] = str(cycles[-1].procs)
    if stats is not None:
        found["gogc"] = _gogc(requested, stats, cycles)
    return found


def _gogc(requested: GcSettings, stats: MemStats, cycles: Sequence[GcCycle]) -> str:
    if stats.next_gc >= _NO_GOAL:
        return "off, no memory limit"
    if requested.gogc == "off":
        return "off, a memory limit sets the heap goal"
    asked = _DEFAULT_GOGC if requested.gogc is None else requested.gogc
    scanned = stats.heap_alloc + stats.stack_inuse + (cycles[-1].globals if cycles else 0)
    expected = max(stats.heap_alloc + scanned * asked / 100, _MIN_HEAP * asked / 100)
    if abs(stats.next_gc - expected) <= _AGREES * expected + (1 << 20):
        return str(asked)
    if stats.next_gc < expected and requested.gomemlimit not in (None, "off"):
        return f"{asked}, the memory limit lowers the heap goal"
    return f"about {_implied(stats, scanned):.0f} (heap goal {stats.next_gc} B at {stats.heap_alloc} B live)"


def _implied(stats: MemStats, scanned: int) -> float:
    by_growth = 100 * (stats.next_gc - stats.heap_alloc) / scanned
    by_minimum = 100 * stats.next_gc / _MIN_HEAP
    # At the minimum heap the growth formula overstates GOGC: the smaller of the two is the one that set the goal.
    return max(0.0, min(by_growth, by_minimum) if stats.heap_alloc < _MIN_HEAP else by_growth)
