"""What an execution trace says of the collector and the scheduler, as frozen data, and how it comes from JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HEAP_GOAL = "heap goal"  # an allocation reached the goal
BY_HAND = "runtime.GC"
PERIODIC = "periodic"  # two minutes without a cycle
FREE_OS_MEMORY = "FreeOSMemory"
GOROUTINE_LEAKS = "goroutine leak profile"
BY_AGENT = "pytest-gomem"  # the agent in the process
BEFORE = "before the trace"  # it ran when the trace began
UNKNOWN = "unknown"  # the stack of the start says nothing else


@dataclass(frozen=True)
class Frame:
    """One call of a stack: "main.churn", "/src/main.go", 71."""

    function: str
    file: str
    line: int


@dataclass(frozen=True)
class Cycle:
    """The concurrent mark phase of one GC cycle.

    index: from 1, in the order of the trace, which does not know the runtime's own number. start: seconds since the
    trace began. duration: seconds, None where the trace ends before it. cause: one of the words above. by: the nearest
    frame of the user's code that began it, None where the stack has none. stack: the functions that began it, innermost
    first, where the cause is unknown. began_before: it ran when the trace began, so that nobody knows its true start.
    """

    index: int
    start: float
    duration: float | None
    cause: str
    by: Frame | None = None
    stack: tuple[str, ...] = ()
    began_before: bool = False


@dataclass(frozen=True)
class CauseSum:
    """All cycles of one cause: how many, seconds of their mark phases together and of the longest."""

    cause: str
    count: int
    total: float
    longest: float


@dataclass(frozen=True)
class Stops:
    """All stops of the world for one reason, in the runtime's words: "GC mark termination".

    total, longest: seconds. longest_start: seconds since the trace began.
    """

    reason: str
    count: int
    total: float
    longest: float
    longest_start: float


@dataclass(frozen=True)
class Assist:
    """One mark assist: a goroutine that allocates is made to mark first.

    start: seconds since the trace began. duration: seconds. leaf: the innermost frame outside of the runtime. frame:
    the nearest one of the user's own code, the leaf if there is none; both None where the trace has no stack. cycle:
    index of the GC cycle that it worked for, None if that is not in the trace. after: seconds between the beginning of
    that cycle and of the assist. cause: of that cycle, "" if there is none. began_before, goes_on: it ran when the
    trace began or ended, so that its duration is a lower bound.
    """

    start: float
    duration: float
    goroutine: int
    leaf: Frame | None = None
    frame: Frame | None = None
    cycle: int | None = None
    after: float | None = None
    cause: str = ""
    began_before: bool = False
    goes_on: bool = False


@dataclass(frozen=True)
class AssistLine:
    """All mark assists at one line of the user's code: how many, seconds together and of the longest."""

    frame: Frame | None
    count: int
    total: float
    longest: float


@dataclass(frozen=True)
class GoroutineSum:
    """One goroutine: its mark assists, how long it ran and how long it waited for a processor, in seconds.

    function: the one that it began with, "" where the trace does not tell.
    """

    goroutine: int
    function: str
    assists: int
    assist: float
    longest_assist: float
    running: float
    waiting: float
    longest_wait: float


@dataclass(frozen=True)
class Latency:
    """How long goroutines that could run waited for a processor, seconds.

    p50, p99: upper edges of a histogram, within `precision` (a ratio) above the truth. longest: exact.
    """

    count: int
    p50: float
    p99: float
    longest: float
    precision: float


@dataclass(frozen=True)
class TraceReport:
    """What one trace says. Times are seconds, of the trace's own clock.

    format: of the trace, "go 1.26": the newest release that changed it, which may be older than the Go that made it.
    seconds: from the first to the last event read. cycle_count: of all cycles; `cycles` are at most the first 1000.
    causes: most cycles first. stops: longest together first. assist_count, assist_seconds: of all mark assists;
    `assists` are the longest ones. lines, goroutines: those that assisted longest first; a trace of very many lines or
    goroutines keeps the others' sums in `lines_left_out` and `goroutines_left_out` (their number). latency: None where
    no goroutine waited. heap_goal, heap_in_use: the highest that the trace tells, bytes, None if it tells none.
    problems: in words, such as where a truncated trace ends; figures then are those until there.
    """

    format: str
    events: int
    seconds: float
    cycle_count: int = 0
    cycles: tuple[Cycle, ...] = ()
    causes: tuple[CauseSum, ...] = ()
    stops: tuple[Stops, ...] = ()
    assist_count: int = 0
    assist_seconds: float = 0.0
    assists: tuple[Assist, ...] = ()
    lines: tuple[AssistLine, ...] = ()
    lines_left_out: int = 0
    goroutines: tuple[GoroutineSum, ...] = ()
    goroutines_left_out: int = 0
    latency: Latency | None = None
    heap_goal: int | None = None
    heap_in_use: int | None = None
    problems: tuple[str, ...] = ()

    @property
    def longest_assist(self) -> Assist | None:
        """The longest mark assist, None without any."""
        return self.assists[0] if self.assists else None


def report_from_json(data: Mapping[str, Any]) -> TraceReport:
    """From the answer of the reader. Raises KeyError, TypeError or ValueError for anything else."""
    lists = ("cycles", "causes", "stops", "assists", "lines", "goroutines", "problems")
    plain = {key: value for key, value in data.items() if key not in (*lists, "latency")}
    latency = data.get("latency")
    return TraceReport(
        **plain,
        cycles=tuple(_cycle(one) for one in _many(data, "cycles")),
        causes=tuple(CauseSum(**one) for one in _many(data, "causes")),
        stops=tuple(Stops(**one) for one in _many(data, "stops")),
        assists=tuple(Assist(**_with_frames(one, "leaf", "frame")) for one in _many(data, "assists")),
        lines=tuple(AssistLine(**_with_frames(one, "frame")) for one in _many(data, "lines")),
        goroutines=tuple(GoroutineSum(**one) for one in _many(data, "goroutines")),
        latency=None if latency is None else Latency(**latency),
        problems=tuple(data.get("problems") or ()),
    )


def _many(data: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    return data.get(key) or ()


def _cycle(data: Mapping[str, Any]) -> Cycle:
    return Cycle(**{**_with_frames(data, "by"), "stack": tuple(data.get("stack") or ())})


def _with_frames(data: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    frames = {key: Frame(**data[key]) for key in keys if data.get(key) is not None}
    return {**data, **{key: frames.get(key) for key in keys}}
