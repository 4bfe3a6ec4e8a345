"""Tells a death spiral: the collector runs nearly all the time, and leaves the program almost no room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import required
from pytest_gomem.measure.cycles import cycles_of
from pytest_gomem.measure.runtime_metrics import CYCLES, HEAP_GOAL, HEAP_LIVE, LIMITER
from pytest_gomem.measure.starvation import starvation
from pytest_gomem.measure.window import Window, number_of

DEATH_SPIRAL = "death_spiral"  # as a metric, and as the kind of its verdict
LEAST_ROOM = 0.25
_LOWERED = 0.9  # of GOGC: with more, the memory limit does not lower the heap goal
_NEAR = 20  # cycles up to the one in which the limiter was last on
# A collector that waits for CPUs looks busier than it is. With a quarter of the time withheld from it alone, the half
# that turns the limiter on is still 43% of the CPU.
_MOST_STARVED = 0.25


@dataclass(frozen=True)
class DeathSpiral:
    """Collections that came one upon the other for want of memory, in one window.

    cycle: the last one in which Go's GC CPU limiter was on: over the seconds before it the collector took half of the
    CPU or more. cycles: how many ended in the window. effective_gogc: the median of what the cycles up to that one left
    the heap to grow by, as a share of what lived (the heap goal less the live heap, over the live heap). live_heap:
    bytes, the median of the same cycles. gogc, gomemlimit: the settings in force, "" if unknown. starved: the share of
    time for which its threads waited for a CPU, None if unknown. doubt: why it is no verdict, "" if it is one.
    """

    cycle: int
    cycles: int
    effective_gogc: float
    live_heap: int
    gogc: str = ""
    gomemlimit: str = ""
    starved: float | None = None
    doubt: str = ""


def death_spiral(window: Window) -> DeathSpiral | None:
    """The death spiral of a window; None if there was none, or if nobody can tell without the agent."""
    try:
        runtime = required(window.runtime)
        at = int(number_of(runtime.end, LIMITER))
        first = int(number_of(runtime.start, CYCLES))
        if at <= first or at in window.own_cycles:
            return None
        room, live = _room(window, at)
        total = cycles_of(window).total
    except ObserveError:
        return None
    if room >= LEAST_ROOM:
        return None
    starved = _starved(window)
    doubt = ""
    if starved is not None and starved > _MOST_STARVED:
        doubt = (
            f"its threads waited for a CPU for {starved:.0%} of their time (cpu_starvation), and a collector that "
            "waits looks busier than it is: run it on a calmer machine"
        )
    return DeathSpiral(at, total, room, live, starved=starved, doubt=doubt)


def _room(window: Window, at: int) -> tuple[float, int]:
    """The effective GOGC and the live heap, from the cycles up to `at`, else from the window's close.

    Raises ObserveError if neither is known.
    """
    traced = {cycle.number: cycle for cycle in cycles_of(window).traced}
    # The line of a cycle prints the goal that the cycle before it has set.
    found = [
        (traced[number + 1].heap_goal - traced[number].heap_live, traced[number].heap_live)
        for number in range(max(at - _NEAR, 1), at + 1)
        if number in traced and number + 1 in traced and traced[number].heap_live
    ]
    if not found:
        goal, live = (round(number_of(required(window.runtime).end, name)) for name in (HEAP_GOAL, HEAP_LIVE))
        found = [(goal - live, live)] if live else []
    if not found:
        raise ObserveError("the heap is empty")
    return median(room / live for room, live in found), round(median(live for _, live in found))


def _starved(window: Window) -> float | None:
    try:
        return starvation(window).share
    except ObserveError:
        return None


def under(found: DeathSpiral | None, settings: Mapping[str, str]) -> DeathSpiral | None:
    """The same with the settings in force; None if GOGC itself leaves the heap no more room.

    settings: printable, by name; words may follow a value after a comma.
    """
    if found is None:
        return None
    gogc, limit = (settings.get(name, "").partition(",")[0] for name in ("gogc", "gomemlimit"))
    if gogc.isdecimal() and found.effective_gogc >= _LOWERED * int(gogc) / 100:
        return None
    doubt = found.doubt or ("no memory limit of Go is in force (GOMEMLIMIT)" if limit == "off" else "")
    return replace(found, gogc=gogc, gomemlimit=limit, doubt=doubt)
