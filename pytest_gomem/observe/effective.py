"""Finds the GC settings in force, which services and libraries may have changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.config.gc_settings import GcSettings, bytes_text, go_bytes
from pytest_gomem.observe.agent.records import Settings
from pytest_gomem.observe.records import GcCycle, MemStats

_MIB = 1 << 20
_MIN_HEAP = 4 * _MIB  # runtime/mgcpacer.go defaultHeapMinimum, at GOGC=100
_NO_GOAL = 1 << 60  # GOGC=off without a memory limit leaves a heap goal near 2^63 or 2^64
GO_PROFILE_RATE = 512 << 10  # runtime.MemProfileRate
_DEFAULT_GOGC = 100
_USUAL_GLOBALS = 200 << 10  # bytes, of a program that serves HTTP
_LIVE_ERROR = 0.02  # allocation between collection and reading counts as live
_NARROW = 0.10
_LIMIT_ERROR = 0.05


def effective_settings(requested: GcSettings, stats: MemStats | None, cycles: Sequence[GcCycle]) -> dict[str, str]:
    """The settings in force as text, by name; settings that cannot be seen from outside are left out.

    gomaxprocs: the `P` of the newest gctrace line. gogc: from the heap goal (MemStats.NextGC) that the pacer set after
    a collection (runtime/mgcpacer.go): live + (live + stacks + globals) * GOGC/100, at least 4 MiB * GOGC/100, and no
    more than a memory limit leaves. `stats` is read right after a forced collection. gctrace prints stacks and globals
    in whole MiB. So for a small heap GOGC is known only within bounds, but exactly for one below the minimum. The
    memory limit cannot be read from outside.
    """
    found = {}
    if cycles:
        found["gomaxprocs"] = str(cycles[-1].procs)
    if stats is not None:
        found["gogc"] = _gogc(requested, stats, cycles[-1] if cycles else None)
    return found


def settings_in_force(settings: Settings) -> dict[str, str]:
    """The settings in force as the agent reads them, in the words of the requested settings.

    The profile rate is one of them if it is not Go's own: samples cost time and memory. So are collections by hand.
    """
    limit, rate, by_hand = settings.gomemlimit, settings.profile_rate, settings.manual_gc
    return {
        "gogc": "off" if settings.gogc is None else str(settings.gogc),
        "gomemlimit": "off" if limit is None else go_bytes(limit),
        "gomaxprocs": str(settings.gomaxprocs),
        **({} if rate == GO_PROFILE_RATE else {"profile_rate": str(rate)}),
        **({} if by_hand is None else {"manual_gc": bytes_text(by_hand)}),
    }


def _gogc(requested: GcSettings, stats: MemStats, last: GcCycle | None) -> str:
    if stats.next_gc >= _NO_GOAL:
        return "off, no memory limit"
    asked = _DEFAULT_GOGC if requested.gogc is None else requested.gogc
    implied = _implied(stats, last)
    if asked != "off" and implied.allows(asked):
        return str(asked) if implied.narrow else f"{asked}, the heap goal fits any from {implied}"
    lowered = asked == "off" or implied.high < asked
    limit = requested.gomemlimit
    if lowered and isinstance(limit, int) and _is_goal_of(limit, stats):
        return f"{asked}, the memory limit sets the heap goal"
    own_limit = ", or a memory limit of its own" if lowered else ""
    goal, live = format_value(stats.next_gc, BYTES), format_value(stats.heap_alloc, BYTES)
    return f"about {implied.likely:.0f}{own_limit} (heap goal {goal} at {live} live)"


@dataclass(frozen=True)
class _Implied:
    """The range of GOGC, percent, that a heap goal means."""

    low: float
    likely: float
    high: float

    @property
    def narrow(self) -> bool:
        return self.high - self.low <= _NARROW * self.high

    def allows(self, percent: int) -> bool:
        return self.low * (1 - _LIVE_ERROR) <= percent <= self.high * (1 + _LIVE_ERROR)

    def __str__(self) -> str:
        return f"{self.low:.0f} to {self.high:.0f}"


def _implied(stats: MemStats, last: GcCycle | None) -> _Implied:
    stacks = last.stacks if last else 0
    least = stacks + (last.globals if last else 0)
    most = max(stacks, min(stacks + _MIB, stats.stack_inuse) if last else stats.stack_inuse)
    most += last.globals + _MIB if last else _MIB

    def percent(extra: int) -> float:
        by_growth = 100 * (stats.next_gc - stats.heap_alloc) / (stats.heap_alloc + extra)
        by_minimum = 100 * stats.next_gc / _MIN_HEAP
        return max(0.0, min(by_growth, by_minimum))

    return _Implied(percent(most), percent(min(most, least + _USUAL_GLOBALS)), percent(least))


def _is_goal_of(limit: int, stats: MemStats) -> bool:
    """Whether the heap goal is what the limit leaves (runtime/mgcpacer.go memoryLimitHeapGoal), 3% kept free."""
    room = limit - (stats.sys - stats.heap_idle - stats.heap_alloc)
    goal = max(stats.heap_alloc, room - max(_MIB, 0.03 * room))
    return abs(stats.next_gc - goal) <= _LIMIT_ERROR * limit
