"""The records of sources, and the quantities that several sources have; `t` is CLOCK_MONOTONIC in s."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from pytest_gomem.observe.scheduling import Scheduling


@dataclass(frozen=True)
class KernelReading:
    """One look at a process (or, with `processes` > 1, the sum over its tree) in /proc.

    rss, hwm, pss: bytes; None if unknown. cpu: user + system seconds since the process started.
    scheduling: how its threads got CPU time; None if it was not read. file: the part of rss that is pages of files,
    which the kernel can take back; None if unknown.
    """

    t: float
    rss: int
    hwm: int | None
    threads: int
    fds: int | None
    cpu: float
    processes: int = 1
    pss: int | None = None
    scheduling: Scheduling | None = None
    file: int | None = None


@dataclass(frozen=True)
class Sample:
    """One point of the timeline: resident bytes, the kernel's peak so far (None if it keeps none), threads."""

    t: float
    rss: int
    hwm: int | None
    threads: int
    fds: int | None = None


@dataclass(frozen=True)
class GcCycle:
    """One accepted gctrace line (GODEBUG=gctrace=1, runtime/mgc.go gcMarkTermination).

    t: when the line was read; None in a recorded stream. since_start: the line's `@`, seconds from the program's
    start to the cycle's start. util: percent of CPU spent in GC since the program's start.
    clock (wall seconds): stw_sweep_term, concurrent_mark, stw_mark_term.
    cpu (seconds): cpu_sweep_term, cpu_assist, cpu_background (dedicated + fractional), cpu_idle, cpu_mark_term.
    heap_*: bytes, printed by the runtime in whole MiB. procs: GOMAXPROCS in force.
    """

    number: int
    t: float | None
    since_start: float
    util: int
    stw_sweep_term: float
    concurrent_mark: float
    stw_mark_term: float
    cpu_sweep_term: float
    cpu_assist: float
    cpu_background: float
    cpu_idle: float
    cpu_mark_term: float
    heap_start: int
    heap_mark_end: int
    heap_live: int
    heap_goal: int
    stacks: int
    globals: int
    procs: int
    forced: bool

    @property
    def pause(self) -> float:
        """Both stop-the-world phases, seconds."""
        return self.stw_sweep_term + self.stw_mark_term


@dataclass(frozen=True)
class GcRecord:
    """One GC cycle by debug.ReadGCStats. pause: both stops, seconds; t: when it ended.

    live: bytes that it left alive. allocated: bytes from the program's start until it was noticed. None if unknown: of
    cycles that end in quick succession both are known of the last one.
    """

    number: int
    pause: float
    t: float
    live: int | None = None
    allocated: int | None = None


@dataclass(frozen=True)
class SizeClass:
    """One entry of runtime.MemStats.BySize: objects up to `size` bytes, counted since the program's start."""

    size: int
    mallocs: int
    frees: int


@dataclass(frozen=True)
class MemStats:
    """The part of runtime.MemStats that `/debug/pprof/heap?debug=1` prints; bytes, counts and seconds.

    pauses: the last 256 cycles at most, newest last, as (cycle number, pause seconds, end in seconds since the epoch).
    goroutines: from the goroutine profile; None if that failed. by_size: only from agent and expvar.
    """

    t: float
    total_alloc: int
    sys: int
    mallocs: int
    frees: int
    heap_alloc: int
    heap_sys: int
    heap_idle: int
    heap_inuse: int
    heap_released: int
    heap_objects: int
    stack_inuse: int
    stack_sys: int
    mspan_inuse: int
    mspan_sys: int
    mcache_inuse: int
    mcache_sys: int
    buck_hash_sys: int
    gc_sys: int
    other_sys: int
    next_gc: int
    num_gc: int
    num_forced_gc: int
    gc_cpu_fraction: float
    pauses: tuple[tuple[int, float, float], ...]
    goroutines: int | None = None
    by_size: tuple[SizeClass, ...] = ()


# The counters and gauges of runtime.MemStats by the names of our record, the sum of all pauses, and goroutines.
RUNTIME_QUANTITIES = frozenset(
    {field.name for field in fields(MemStats)} - {"t", "pauses", "by_size", "gc_cpu_fraction"}
    | {"pause_total", "goroutines"}
)
# Of the process: resident bytes, user + system CPU seconds since its start, open descriptors.
PROCESS_QUANTITIES = frozenset({"rss", "cpu", "fds"})
QUANTITIES = RUNTIME_QUANTITIES | PROCESS_QUANTITIES

# Trust of the built-in sources: if several have a quantity, the lowest number goes first.
TRUST: Mapping[str, int] = MappingProxyType({"agent": 10, "gctrace": 20, "pprof": 30, "expvar": 40, "prometheus": 50})


@dataclass(frozen=True)
class Observed:
    """The quantities of a source at `t`, CLOCK_MONOTONIC seconds, by canonical name, in base units."""

    t: float
    quantities: Mapping[str, float]


def quantities_of(stats: MemStats) -> dict[str, float]:
    """The canonical quantities in a record of MemStats."""
    known = {name: getattr(stats, name, None) for name in sorted(RUNTIME_QUANTITIES)}
    return {name: value for name, value in known.items() if value is not None}
