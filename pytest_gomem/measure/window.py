"""The window: everything recorded between its opening and its close. Metrics are computed from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, Value, attempt, known, required
from pytest_gomem.measure.own_edges import OwnEdges
from pytest_gomem.observe.agent.records import Histogram
from pytest_gomem.observe.records import GcCycle, GcRecord, KernelReading, MemStats, Observed, Sample
from pytest_gomem.observe.smaps import SmapsTotals

if TYPE_CHECKING:
    from pytest_gomem.cgroup.reading import GroupReading
    from pytest_gomem.load.spec import LoadRecord
    from pytest_gomem.measure.left_goroutines import LeftGoroutines
    from pytest_gomem.measure.oom_kill import OomKill


@dataclass(frozen=True)
class GcTrace:
    """The accepted gctrace lines of the window and what is known of the missing ones.

    lost: cycles whose line was torn or cut out: the difference of NumGC less the accepted lines; None if NumGC is
    unknown. rejected: lines that looked like gctrace but were torn, stale or another program's.
    """

    cycles: tuple[GcCycle, ...]
    lost: int | None
    rejected: int


@dataclass(frozen=True)
class MemStatsPair:
    """MemStats at the window's edges and once more after two forced GCs; `read_*` is what one reading itself costs.

    Two readings back to back before the window opened calibrate these costs. reader: the source that read them.
    readings: how many of them are in the difference. own_*: what was allocated while phases forced collections. later:
    a reading after those of the other sources, if no collection can be forced. unrest, opening_unrest: how figures
    still moved after the collections, when after_gc and start were read, in words; "" if they were stable.
    """

    start: MemStats
    end: MemStats
    after_gc: MemStats | Unavailable
    read_bytes: int
    read_objects: int
    reader: str = "pprof"
    readings: int = 1
    own_bytes: int = 0
    own_objects: int = 0
    later: MemStats | None = None
    unrest: str = ""
    opening_unrest: str = ""


RuntimeValues = Mapping[str, int | float | Histogram]


@dataclass(frozen=True)
class RuntimeMetrics:
    """Go's runtime/metrics at the window's edges, by name; values that this Go release lacks are missing.

    own: how much the counters rose while phases forced collections in the window.
    """

    start: RuntimeValues
    end: RuntimeValues
    own: Mapping[str, float] = field(default_factory=dict)

    def gained(self, name: str) -> float:
        """How much a counter rose in the window, without what phases forced; raises ObserveError."""
        return number_of(self.end, name) - number_of(self.start, name) - self.own.get(name, 0.0)


def number_of(values: RuntimeValues, name: str) -> float:
    """A value that is one number; raises ObserveError if this Go release does not have it."""
    value = values.get(name)
    if value is None or isinstance(value, Histogram):
        raise ObserveError(f"this Go release has no {name}")
    return value


@dataclass(frozen=True)
class SourceEdges:
    """What a source other than MemStats and the kernel read at both edges, or why it could not.

    trust: the source with the lowest goes first. cost: what one reading itself adds to counters, by quantity.
    goroutines: its count once the process was at rest, if MemStats has none. unrest: how they still moved then, in
    words.
    """

    source: str
    trust: int
    start: Observed | Unavailable
    end: Observed | Unavailable
    cost: Mapping[str, float] = field(default_factory=dict)
    goroutines: float | None = None
    unrest: str = ""


@dataclass(frozen=True)
class Phase:
    """A named part of a window, CLOCK_MONOTONIC seconds, with its operations if they were counted.

    window: the phase as a window, which the same metrics evaluate.
    """

    name: str
    start: float
    end: float
    ops: int | None
    window: Window | None = None


@dataclass(frozen=True)
class WorkCycle:
    """What was left at the end of one of the cycles of a test's work, after forced collections, once it was stable.

    seconds: from the window's opening, without our own readings. ops: counted until then, None if nothing counted them.
    live, objects: of the heap. rss: before the collections, None if unknown.
    """

    seconds: float
    ops: int | None
    live: int
    objects: int
    goroutines: int | None
    rss: int | None


@dataclass(frozen=True)
class MemoryLimit:
    """A limit of the process's memory, bytes; source: what sets it, in words. of_group: it is that of its cgroup."""

    bytes: int
    source: str
    of_group: bool = False


@dataclass(frozen=True)
class GroupEdges:
    """A service's memory cgroup at the window's edges. by: what holds its limit, as "cgroup v1" or "simulated".

    start: None if the window is its whole life. end: of a service that has ended, what was read when it was reaped.
    """

    start: GroupReading | None
    end: GroupReading
    by: str


@dataclass(frozen=True)
class Window:
    """Everything known of one window; `opened` and `closed` are CLOCK_MONOTONIC seconds.

    peak_reset: the kernel's peak was set to the current RSS at the opening (else VmHWM is the process's lifetime peak).
    fresh: the process was started for this window, so nothing of an earlier test is in it. lifetime_peak, lifetime_cpu:
    ru_maxrss in bytes and CPU seconds of wait4, for a program that has ended. gomaxprocs: the value it was launched
    with; None if we did not launch it. gc_records: the window's GC cycles as the agent recorded them; () without an
    agent. smaps: the process's mappings, read at the close next to MemStats, before the forced collections;
    opening_smaps: the same at the opening, after the forced collections. sources: the other sources, besides MemStats
    and the kernel. after: the kernel's reading after theirs at the close. runtime: runtime/metrics at both edges, by
    the agent. own_cycles: numbers of GC cycles that our own readings forced within the window. held: the most bytes of
    free heap pages that may have been resident at the opening; None if unknown. is_phase: it is a part of another
    window. startup_peak: the kernel's peak from the start of the process until it was ready, bytes. disturbed: why its
    figures say nothing of the service, "" if they do. left: the goroutines that came to be and stayed. work_cycles: in
    which the test repeated its work, or why the last of them could not be read. own_seconds, own_cpu: what our readings
    at their ends took, in seconds of wall time and of the process's CPU. limit: of its memory. group: its memory
    cgroup. oom: a kill at its limit. own: what the service publishes itself. computed: the cache of once_per_window.
    """

    name: str
    opened: float
    closed: float
    start: KernelReading | Unavailable
    end: KernelReading | Unavailable
    peak_reset: bool
    fresh: bool
    timeline: tuple[Sample, ...]
    sample_rate: float
    gctrace: GcTrace | Unavailable
    memstats: MemStatsPair | Unavailable
    gomaxprocs: int | None
    ops: int | None
    loads: tuple[LoadRecord, ...] = ()
    lifetime_peak: int | None = None
    tree: bool = False
    cpus: int = 1
    lifetime_cpu: float | None = None
    phases: tuple[Phase, ...] = ()
    gc_records: tuple[GcRecord, ...] = ()
    smaps: SmapsTotals | Unavailable = Unavailable("the mappings of the process were not read")
    sources: tuple[SourceEdges, ...] = ()
    opening_smaps: SmapsTotals | Unavailable = Unavailable(
        "the mappings of the process were not read when the window opened"
    )
    own_cycles: frozenset[int] = frozenset()
    held: int | None = None
    is_phase: bool = False
    runtime: RuntimeMetrics | Unavailable = Unavailable("runtime/metrics need the agent")
    after: KernelReading | Unavailable = Unavailable("no further source was read")
    startup_peak: int | Unavailable = Unavailable("its start was not watched")
    disturbed: str = ""
    left: LeftGoroutines | Unavailable = Unavailable(
        "no limit of the test is on it: reading the stacks of all goroutines stops the service, so it is only done for "
        "a limit in the marker or in gomem.yaml"
    )
    work_cycles: tuple[WorkCycle, ...] | Unavailable = ()
    own_seconds: float = 0.0
    own_cpu: float = 0.0
    limit: MemoryLimit | Unavailable = Unavailable("no limit of its memory is known")
    group: GroupEdges | Unavailable = Unavailable("it ran without a memory limit: say memory_limit in gomem.yaml")
    oom: OomKill | None = None
    own: OwnEdges = field(default_factory=OwnEdges)
    computed: dict[object, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def duration(self) -> float:
        """Wall time of the window, seconds, without our readings between cycles of work."""
        return self.closed - self.opened - self.own_seconds

    @property
    def allocated(self) -> int:
        """Bytes that the process allocated on the heap from its start to the window's close; 0 if unknown."""
        memstats = known(self.memstats)
        return 0 if memstats is None else memstats.end.total_alloc


def once_per_window(compute: Callable[[Window], Value]) -> Callable[[Window], Value]:
    """Compute it the first time it is asked of a window; after that return the same value, or raise the same error."""

    @wraps(compute)
    def kept(window: Window) -> Value:
        if compute not in window.computed:
            window.computed[compute] = attempt(lambda: compute(window))
        found: Value | Unavailable = window.computed[compute]
        return required(found)

    return kept
