"""Owns the window's GC cycles one by one: what the agent and gctrace tell of the same number, put together."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.measure.cycles import cycles_of
from pytest_gomem.measure.window import Window

MAX_CYCLES = 2000
_TRACED = ("heap_start", "heap_mark_end", "heap_live", "heap_goal", "forced")


@dataclass(frozen=True)
class JoinedCycle:
    """One GC cycle; None where the side that tells it is missing.

    end: seconds after the window opened, by the agent, else when the gctrace line was read. pause: both stops, seconds,
    by the agent or MemStats.PauseNs. From gctrace: heap_start, heap_mark_end, heap_live, heap_goal (bytes, printed in
    whole MiB), assist_cpu (seconds) and forced.
    """

    number: int
    end: float | None = None
    pause: float | None = None
    heap_start: int | None = None
    heap_mark_end: int | None = None
    heap_live: int | None = None
    heap_goal: int | None = None
    assist_cpu: float | None = None
    forced: bool | None = None


def joined_cycles(window: Window, limit: int = MAX_CYCLES) -> tuple[JoinedCycle, ...]:
    """The window's cycles in order of number; of more than `limit` those with the longest pauses."""
    try:
        cycles = cycles_of(window)
    except ObserveError:
        return ()
    traced = {cycle.number: cycle for cycle in cycles.traced}
    ends = {record.number: record.t for record in window.gc_records}
    joined = []
    for number in sorted({*traced, *cycles.exact}):
        line = traced.get(number)
        end = ends.get(number, line.t if line else None)
        told = {} if line is None else {name: getattr(line, name) for name in _TRACED}
        joined.append(
            JoinedCycle(
                number,
                None if end is None else end - window.opened,
                cycles.exact.get(number),
                **told,
                assist_cpu=line.cpu_assist if line else None,
            )
        )
    longest = sorted(joined, key=lambda cycle: cycle.pause or 0.0, reverse=True)[:limit]
    return tuple(sorted(longest, key=lambda cycle: cycle.number))
