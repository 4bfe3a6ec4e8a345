"""The metrics of the collector's CPU, by the runtime's own classes, else by gctrace."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, known
from pytest_gomem.base.units import RATIO, SECONDS, format_value
from pytest_gomem.measure.cycles import GCTRACE_PRECISION, traced_cycles
from pytest_gomem.measure.metric import Better, Noise, Reading, metric
from pytest_gomem.measure.runtime_metrics import CPU_CLASSES, CYCLES, GOMAXPROCS
from pytest_gomem.measure.starvation import starvation
from pytest_gomem.measure.window import Window, number_of
from pytest_gomem.measure.window_sources import CPU_CLOCK, GCTRACE, duration, joined
from pytest_gomem.measure.work import process_cpu
from pytest_gomem.observe.records import GcCycle

_TOTAL, _IDLE, _GC, _PAUSE, _ASSIST, _IDLE_MARK = CPU_CLASSES
_CLASSES = "/cpu/classes of runtime/metrics"
_BY_AGENT = f"{_CLASSES} by the agent"
_LEAST_COVERED = 0.5  # of the CPU time: with less before the last cycle, what came after it decides
_LONGEST_LEAD = 0.2  # of a phase: with more before it, the share is that of other work
_MOST_STARVED = 0.05
_NOTHING = 1e-9  # seconds: of differences of sums
_ESTIMATE = "the runtime's estimate, from the opening to the last cycle that ended in the window"
_TRACED = f"a cycle counts whole where it ends; {GCTRACE_PRECISION}"
_OVER_CPU, _OVER_CAPACITY = f"{GCTRACE} / {CPU_CLOCK}", f"{GCTRACE} / (GOMAXPROCS x wall time)"

_share_metric = partial(
    metric,
    group="gc",
    unit=RATIO,
    better=Better.LOWER,
    noise=Noise.NOISY,
    redefined=("the collector's CPU came from the runtime's own classes",),
    precision=f"{_ESTIMATE}; from gctrace {_TRACED}",
)


@_share_metric(sources=(_BY_AGENT, _OVER_CPU))
def gc_cpu(window: Window) -> Reading | Unavailable:
    """CPU of the collector, without idle marking, as a share of the CPU that the program used."""
    spent = _spent(window)
    if spent is not None:
        return spent.share(spent.gc, spent.busy)
    cycles, note = traced_cycles(window)
    return _share_of_cpu(window, sum(_gc_cpu_seconds(cycle) for cycle in cycles), note)


@_share_metric(sources=(_BY_AGENT, _OVER_CAPACITY), of_wall_time=True)
def gc_cpu_capacity(window: Window) -> Reading | Unavailable:
    """CPU of the collector, without idle marking, as a share of GOMAXPROCS x wall time."""
    spent = _spent(window)
    if spent is not None:
        return spent.share(spent.gc, spent.total)
    cycles, note = traced_cycles(window)
    capacity = _gomaxprocs(window, cycles) * duration(window)
    return _traced_share(window, sum(_gc_cpu_seconds(cycle) for cycle in cycles) / capacity, _OVER_CAPACITY, note)


@_share_metric(sources=(_BY_AGENT, _OVER_CPU))
def gc_assist_cpu(window: Window) -> Reading | Unavailable:
    """CPU that allocating goroutines spent on mark assists, as a share of the CPU that the program used."""
    spent = _spent(window)
    if spent is not None:
        return spent.share(spent.assist, spent.busy)
    cycles, note = traced_cycles(window)
    return _share_of_cpu(window, sum(cycle.cpu_assist for cycle in cycles), note)


@dataclass(frozen=True)
class _Spent:
    """CPU seconds from the opening to the last cycle that ended in the window, without idle marking.

    The runtime updates its classes only when a cycle's mark ends (runtime/mgc.go gcMarkTermination, Go 1.20 to 1.27).
    So a reading at either edge of a window is the state at the last cycle before it. busy: all that its processors did
    except idling and idle marking. total: all that they could have done.
    """

    cycles: int
    gc: float
    assist: float
    busy: float
    total: float
    note: str

    def share(self, part: float, whole: float) -> Reading:
        """The part's share of the whole."""
        if not self.cycles:
            return Reading(0.0, _BY_AGENT, "exact", "no GC cycle ran in the window")
        if whole <= 0 or not -_NOTHING <= part <= whole:
            raise ObserveError(f"{_CLASSES} make no share: {part:.6f} s of {whole:.6f} s")
        counted = f"over {self.cycles} cycle{'s' * (self.cycles != 1)}"
        return Reading(max(part, 0.0) / whole, _BY_AGENT, _ESTIMATE, joined(counted, self.note))


def _spent(window: Window) -> _Spent | None:
    """By the agent; None without the classes. Raises ObserveError if they do not fit the window."""
    runtime = known(window.runtime)
    if runtime is None or _TOTAL not in runtime.end or _TOTAL not in runtime.start:
        return None
    gained = {name: runtime.gained(name) for name in CPU_CLASSES}
    busy = gained[_TOTAL] - gained[_IDLE] - gained[_IDLE_MARK]
    tree = "of the process itself, without its children" if window.tree else ""
    cycles = int(runtime.gained(CYCLES))
    spent = _Spent(cycles, gained[_GC] - gained[_IDLE_MARK], gained[_ASSIST], busy, gained[_TOTAL], tree)
    if cycles:
        _check_covered(window, spent)
        _check_lead(window, spent.total / number_of(runtime.end, GOMAXPROCS))
    elif gained[_PAUSE] > _NOTHING:
        raise ObserveError("a GC cycle ran and none ended in the window: the runtime tells a cycle's CPU when it ends")
    return spent


def _check_covered(window: Window, spent: _Spent) -> None:
    """Refuse a share that leaves out most of the window's CPU time."""
    if window.tree:
        return
    used = process_cpu(window)[0]
    if 0 < spent.busy < _LEAST_COVERED * used:
        raise ObserveError(
            f"the last of {spent.cycles} GC cycles ended after at most {format_value(spent.busy, SECONDS)} of the "
            f"window's {format_value(used, SECONDS)} of CPU time: the runtime does not tell what came after it, nor "
            "what C code used"
        )


def _check_lead(window: Window, covered: float) -> None:
    """Refuse the share of a phase that began long after the cycle before it: the runtime counts from that cycle."""
    if not window.is_phase or not window.gc_records:  # our own collections come before a whole window
        return
    inside = max(record.t for record in window.gc_records) - window.opened
    lead = covered - inside
    if lead > _LONGEST_LEAD * inside:
        raise ObserveError(
            f"the runtime counts from the GC cycle before the phase, {format_value(lead, SECONDS)} earlier, to the "
            f"last one in it, {format_value(inside, SECONDS)} after it began: too much of that is not the phase's"
        )


# From gctrace: its CPU times are wall times of its workers


def _gc_cpu_seconds(cycle: GcCycle) -> float:
    """CPU of a cycle in seconds, without idle marking, which takes only time that is free."""
    return cycle.cpu_sweep_term + cycle.cpu_assist + cycle.cpu_background + cycle.cpu_mark_term


def _share_of_cpu(window: Window, spent: float, note: str) -> Reading:
    cpu, source = process_cpu(window)
    if cpu <= 0:
        raise ObserveError("the process used no measurable CPU time in the window")
    return _traced_share(window, spent / cpu, f"{GCTRACE} / {source}", note)


def _traced_share(window: Window, share: float, source: str, note: str) -> Reading:
    """Raises ObserveError if the workers waited for a CPU: gctrace counts waiting as their CPU time."""
    known = "build: the service with the agent, whose figures leave waiting out"
    try:
        starved = starvation(window).share
    except ObserveError:
        starved, note = 0.0, joined(note, "how long its threads waited for a CPU is unknown: it would be in it")
    if starved > _MOST_STARVED:
        raise ObserveError(
            f"gctrace counts as CPU time what the collector's workers waited for a CPU, and threads waited "
            f"{starved:.1%} of their time (cpu_starvation; up to {_MOST_STARVED:.0%} is allowed); {known}"
        )
    if share > 1:
        raise ObserveError(f"gctrace makes it {share:.0%}, more than there is: its workers waited for a CPU; {known}")
    return Reading(share, source, _TRACED, note)


def _gomaxprocs(window: Window, cycles: tuple[GcCycle, ...]) -> int:
    # What gctrace prints was in force; the program may have changed what the launch asked for.
    in_force = sorted({cycle.procs for cycle in cycles})
    if len(in_force) > 1:
        raise ObserveError(f"GOMAXPROCS changed within the window: {', '.join(map(str, in_force))}")
    procs = in_force[0] if in_force else window.gomaxprocs
    if not procs:
        raise ObserveError("GOMAXPROCS is unknown: no gctrace line tells it, and it was not set at the launch")
    return procs


METRICS = (gc_cpu, gc_cpu_capacity, gc_assist_cpu)
