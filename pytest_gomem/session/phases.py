"""The phases of an open window: windows inside it that do not change its figures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from pytest_gomem.base.errors import MeasureError
from pytest_gomem.base.unavailable import Unavailable, attempt, known, required
from pytest_gomem.judge.decide import given_name
from pytest_gomem.measure.window import GcTrace, MemStatsPair, Phase, RuntimeValues, Window
from pytest_gomem.observe.records import KernelReading, MemStats, Sample
from pytest_gomem.observe.smaps import SmapsTotals
from pytest_gomem.session.operations import Operations
from pytest_gomem.session.own_readings import OwnReadings
from pytest_gomem.session.readings import Readings, runtime_pair
from pytest_gomem.session.settling import Settled

# The metrics that are read after forced collections.
COLLECTED = frozenset({"live_heap", "heap_objects", "heap_fragmentation", "rss_live_heap", "rss_garbage"})
UNCOLLECTED = Unavailable(
    "a phase forces no collection, which would disturb the window: put a budget on this metric under the phase, or say "
    "phase(..., collect=True)"
)
_NO_GROUP = Unavailable("the memory cgroup is read at the edges of the whole window")
_OF_THE_WINDOW = Unavailable("goroutines that stay are looked for when the whole window closes: put the limit on it")


@dataclass(frozen=True)
class _Edge:
    """One edge of a phase: readings of kernel and runtime; `t` is CLOCK_MONOTONIC seconds."""

    t: float
    kernel: KernelReading | Unavailable
    runtime: RuntimeValues | Unavailable
    memstats: MemStats | Unavailable


@dataclass(frozen=True)
class _Closed:
    name: str
    start: _Edge
    end: _Edge
    peak_reset: bool
    operations: Operations
    ops: int | None
    smaps: SmapsTotals | Unavailable
    after_gc: Settled[MemStats] | Unavailable


class Phases:
    """The phases of one window.

    own: what their readings do to the process. collecting: names of phases that force collections because of a budget.
    at_rest: goroutines at the opening.
    """

    def __init__(
        self,
        readings: Readings,
        own: OwnReadings,
        collecting: frozenset[str] = frozenset(),
        at_rest: int | None = None,
    ) -> None:
        self._readings = readings
        self._own = own
        self._collecting = collecting
        self._at_rest = at_rest
        self._closed: list[_Closed] = []
        self._seen: Counter[str] = Counter()
        self._open: tuple[str, _Edge, bool, int | None] | None = None
        self.operations: Operations | None = None
        self.highest: list[KernelReading] = []

    def enter(self, name: str, ops: int | None) -> None:
        """Open a phase; raises MeasureError if one is open. The window keeps the peak from before the reset."""
        if self._open is not None:
            raise MeasureError(f"phase '{self._open[0]}' is open: phases do not nest")
        if not name or "#" in name:
            raise MeasureError(f"{name!r} is no name of a phase: it must not be empty, nor hold a #")
        self._seen[name] += 1
        shown = name if self._seen[name] == 1 else f"{name}#{self._seen[name]}"
        runtime, memstats = self._own.inside()
        self._note(known(self._readings.kernel()))
        reset = self._readings.reset_peak()
        kernel = self._readings.kernel()
        self._open = (shown, _Edge(self._readings.now(), kernel, runtime, memstats), reset, ops)
        self.operations = Operations()

    def leave(self, *, collect: bool = False) -> None:
        """Close the phase."""
        if self._open is None or self.operations is None:  # the window has reopened meanwhile
            return
        name, start, reset, ops = self._open
        kernel = self._readings.kernel()
        t = self._readings.now()
        self._note(known(kernel))
        smaps = self._readings.smaps()
        runtime, memstats = self._own.inside()
        wanted = collect or given_name(name) in self._collecting
        after_gc = self._own.settled(runtime, memstats, self._at_rest) if wanted else UNCOLLECTED
        end = _Edge(t, kernel, runtime, memstats)
        self._closed.append(_Closed(name, start, end, reset, self.operations, ops, smaps, after_gc))
        self.abandon()

    @property
    def open_one(self) -> str:
        """The name of the open phase, "" if none is."""
        return "" if self._open is None else self._open[0]

    def abandon(self) -> None:
        """Forget the open phase, because its body failed, say."""
        self._open = self.operations = None

    def _note(self, reading: KernelReading | None) -> None:
        if reading is not None:
            self.highest.append(reading)

    def peak(self) -> int | None:
        """The highest RSS that the kernel saw before each reset, bytes; None if no phase reset it."""
        return max((reading.hwm for reading in self.highest if reading.hwm is not None), default=None)

    def samples(self) -> list[Sample]:
        """The readings at the phases' edges, as points of the timeline."""
        return [Sample(r.t, r.rss, r.hwm, r.threads, r.fds) for r in self.highest]

    def finished(self, window: Window) -> tuple[Phase, ...]:
        """Each phase as a window of its own, cut out of what the whole window recorded."""
        return tuple(_phase(closed, window) for closed in self._closed)


def _phase(closed: _Closed, window: Window) -> Phase:
    start, end, operations = closed.start, closed.end, closed.operations
    memstats = attempt(lambda: _pair(closed, window))
    counted = known(memstats)
    own = replace(
        window,
        name=closed.name,
        opened=start.t,
        closed=end.t,
        start=start.kernel,
        end=end.kernel,
        peak_reset=closed.peak_reset,
        timeline=tuple(sample for sample in window.timeline if start.t <= sample.t <= end.t),
        gctrace=attempt(lambda: _gctrace(required(window.gctrace), counted, start.t, end.t)),
        memstats=memstats,
        ops=operations.total(None) if closed.ops is None else closed.ops,
        loads=operations.records(),
        lifetime_peak=None,
        phases=(),
        gc_records=tuple(record for record in window.gc_records if _within(record.number, counted)),
        smaps=closed.smaps,
        sources=(),
        is_phase=True,
        runtime=runtime_pair(start.runtime, end.runtime),
        left=_OF_THE_WINDOW,
        group=_NO_GROUP if known(window.group) else window.group,
        work_cycles=(),
        own_seconds=0.0,  # no cycle ends within a phase
        own_cpu=0.0,
    )
    return Phase(closed.name, start.t, end.t, own.ops, own)


def _pair(closed: _Closed, window: Window) -> MemStatsPair:
    start, end, whole = required(closed.start.memstats), required(closed.end.memstats), required(window.memstats)
    pair = MemStatsPair(start, end, UNCOLLECTED, whole.read_bytes, whole.read_objects, whole.reader)
    if isinstance(closed.after_gc, Unavailable):
        return replace(pair, after_gc=closed.after_gc)
    return replace(pair, after_gc=closed.after_gc.last, unrest=closed.after_gc.unrest)


def _within(number: int, memstats: MemStatsPair | None) -> bool:
    return memstats is not None and memstats.start.num_gc < number <= memstats.end.num_gc


def _gctrace(trace: GcTrace, memstats: MemStatsPair | None, start: float, end: float) -> GcTrace:
    if memstats is None:
        arrived = tuple(cycle for cycle in trace.cycles if cycle.t is not None and start <= cycle.t <= end)
        return GcTrace(arrived, None, 0)
    cycles = tuple(cycle for cycle in trace.cycles if _within(cycle.number, memstats))
    return GcTrace(cycles, memstats.end.num_gc - memstats.start.num_gc - len(cycles), 0)
