"""The GC cycles of a window: which belong to it, what is known of each, and how many are lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import known, reason_of, required
from pytest_gomem.measure.window import GcTrace, MemStatsPair, Window, once_per_window
from pytest_gomem.measure.window_sources import GCTRACE, MEMSTATS, by, joined, memstats, whole_life
from pytest_gomem.observe.records import GcCycle

MAX_LOST = 0.05
# runtime/mgc.go takes tSweepTerm and tMarkTerm before it stops the world; PauseNs counts from the stop.
GCTRACE_PRECISION = "gctrace cuts off after 2 digits, and counts the waiting for the world to stop as well"


@dataclass(frozen=True)
class Cycles:
    """The GC cycles that ended within a window.

    total: how many there were. traced: those with an accepted gctrace line. exact: stop-the-world seconds by cycle
    number, for cycles that MemStats still holds or the agent recorded; exact_source says which. untraced: why there is
    no gctrace, "" if there is. reader: the source of NumGC. by_number: the bounds are the cycle numbers of MemStats.
    Otherwise they are the times at which lines arrived, and a cycle lost at either edge goes unseen.
    """

    total: int
    traced: tuple[GcCycle, ...]
    exact: Mapping[int, float]
    untraced: str
    by_number: bool
    exact_source: str = f"{MEMSTATS}.PauseNs"
    reader: str = ""

    @property
    def source(self) -> str:
        """Where the count comes from."""
        return f"{MEMSTATS}.NumGC {by(self.reader)}" if self.by_number else GCTRACE

    @property
    def precision(self) -> str:
        """How exact the count is, in words."""
        return "exact" if self.by_number else "by the lines read in the window: cycles lost at its edges go unseen"


@once_per_window
def cycles_of(window: Window) -> Cycles:
    """The window's cycles; raises ObserveError if there is neither MemStats nor gctrace.

    With MemStats they are those numbered (start.num_gc, end.num_gc], without those that our own readings forced within
    the window. Collections that our later readings force have higher numbers.
    """
    if known(window.memstats) is not None:
        return _numbered(window, memstats(window))
    trace = known(window.gctrace)
    if trace is None:
        raise ObserveError(_both(reason_of(window.memstats), reason_of(window.gctrace)))
    return _arrived(window, trace)


def _numbered(window: Window, pair: MemStatsPair) -> Cycles:
    first, last = pair.start.num_gc + 1, pair.end.num_gc
    counted = frozenset(range(first, last + 1)) - window.own_cycles
    trace, records = known(window.gctrace), window.gc_records
    traced = () if trace is None else tuple(c for c in trace.cycles if c.number in counted)
    pauses = [*((number, pause) for number, pause, _ in pair.end.pauses), *((r.number, r.pause) for r in records)]
    exact = {number: pause for number, pause in pauses if number in counted}
    source = "debug.ReadGCStats by the agent" if records else f"{MEMSTATS}.PauseNs {by(pair.reader)}"
    return Cycles(
        len(counted),
        traced,
        exact,
        reason_of(window.gctrace),
        by_number=True,
        exact_source=source,
        reader=pair.reader,
    )


def _arrived(window: Window, trace: GcTrace) -> Cycles:
    # The last lines of a program that has ended are read after its end.
    complete = whole_life(window)
    traced = tuple(c for c in trace.cycles if complete or c.t is None or window.opened <= c.t <= window.closed)
    between = traced[-1].number - traced[0].number + 1 - len(traced) if traced else 0
    lost = between if trace.lost is None else trace.lost
    if trace.rejected and not traced:
        raise ObserveError(
            f"none of the {trace.rejected} gctrace lines was whole, and there is no MemStats to count the cycles"
        )
    return Cycles(len(traced) + lost, traced, {}, "", by_number=False)


def _both(*reasons: str) -> str:
    return joined(*dict.fromkeys(reasons))


def traced_cycles(window: Window) -> tuple[tuple[GcCycle, ...], str]:
    """The window's cycles as gctrace printed them, with a note on lost ones.

    Raises ObserveError without gctrace, unless no cycle ended in the window, and when too many are lost.
    """
    cycles = cycles_of(window)
    if cycles.untraced and cycles.total:
        raise ObserveError(cycles.untraced)
    return cycles.traced, _note(cycles, len(cycles.traced))


@dataclass(frozen=True)
class Pauses:
    """Stop-the-world seconds per cycle, their source, how exact they are, and what is missing."""

    seconds: tuple[float, ...]
    source: str
    precision: str
    note: str


def pauses_of(window: Window) -> Pauses:
    """The stop-the-world time of each cycle: from PauseNs or the agent if it still has it, else from gctrace.

    Raises ObserveError when too many cycles are in neither.
    """
    cycles = cycles_of(window)
    known = {cycle.number: cycle.pause for cycle in cycles.traced} | dict(cycles.exact)
    if cycles.by_number and len(cycles.exact) == cycles.total:
        return Pauses(tuple(known.values()), cycles.exact_source, "exact to 1 ns", _note(cycles, cycles.total))
    if cycles.untraced:
        held = f"{MEMSTATS} still held {len(cycles.exact)} of {cycles.total} pauses (its ring has 256)"
        raise ObserveError(_both(held, cycles.untraced))
    source = f"{GCTRACE} and {cycles.exact_source}" if cycles.exact else GCTRACE
    return Pauses(tuple(known.values()), source, GCTRACE_PRECISION, _note(cycles, len(known)))


def _note(cycles: Cycles, known: int) -> str:
    lost = cycles.total - known
    if lost > MAX_LOST * cycles.total:
        raise ObserveError(
            f"{lost} of {cycles.total} GC cycles are lost, more than {MAX_LOST:.0%}: their gctrace lines were torn by "
            "other output to stderr; let the service log less, or elsewhere"
        )
    return joined(
        "" if cycles.total else "no GC cycle ended in the window",
        f"{lost} of {cycles.total} GC cycles are lost and not in it" if lost else "",
        "" if cycles.by_number else cycles.precision,
    )


@dataclass(frozen=True)
class LastLive:
    """What the last GC cycle of a window left alive, bytes. t: when it ended, CLOCK_MONOTONIC seconds, if known."""

    bytes: int
    number: int
    t: float | None
    source: str
    precision: str


def last_live(window: Window) -> LastLive:
    """By the agent, else by gctrace; raises ObserveError if no cycle ended, or if neither knows of the last one."""
    cycles = cycles_of(window)
    if not cycles.total:
        raise ObserveError("no GC cycle ended in the window, and only a cycle tells what is alive")
    for record in window.gc_records[-1:]:
        if record.live is not None:
            return LastLive(record.live, record.number, record.t, "/gc/heap/live:bytes by the agent", "exact")
    for line in cycles.traced[-1:]:
        if not cycles.by_number or line.number == required(window.memstats).end.num_gc:
            return LastLive(line.heap_live, line.number, line.t, GCTRACE, "up to 1 MiB too low: printed in whole MiB")
    raise ObserveError(cycles.untraced or "the gctrace line of the last GC cycle is lost")


MAX_CYCLES = 2000
_TRACED = ("heap_start", "heap_mark_end", "heap_live", "heap_goal", "forced")


@dataclass(frozen=True)
class JoinedCycle:
    """One GC cycle; None for what its source did not give.

    end: seconds after the window opened, by the agent, else when the gctrace line was read. pause: both stops, seconds,
    by the agent or MemStats.PauseNs. heap_live: bytes, exact by the agent, else from gctrace. From gctrace: heap_start,
    heap_mark_end, heap_goal (bytes, printed in whole MiB), assist_cpu (seconds) and forced.
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
    """The window's cycles in order of number; if there are more than `limit`, those with the longest pauses."""
    try:
        cycles = cycles_of(window)
    except ObserveError:
        return ()
    traced = {cycle.number: cycle for cycle in cycles.traced}
    records = {record.number: record for record in window.gc_records}
    joined = []
    for number in sorted({*traced, *cycles.exact}):
        line, record = traced.get(number), records.get(number)
        end = record.t if record else line.t if line else None
        fields = {} if line is None else {name: getattr(line, name) for name in _TRACED}
        if record is not None and record.live is not None:
            fields["heap_live"] = record.live
        joined.append(
            JoinedCycle(
                number,
                None if end is None else end - window.opened,
                cycles.exact.get(number),
                **fields,
                assist_cpu=line.cpu_assist if line else None,
            )
        )
    longest = sorted(joined, key=lambda cycle: cycle.pause or 0.0, reverse=True)[:limit]
    return tuple(sorted(longest, key=lambda cycle: cycle.number))
