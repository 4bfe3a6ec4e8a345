"""What is asked of a search for settings, what its runs have shown, and what it says next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

Off = Literal["off"]

# A service whose CPU per op is a quarter above what it costs with memory to spare still has memory to breathe.
COMFORTABLE = 1.25
MOST_RUNS = 60
FEWEST_CYCLES = 10  # of a run with memory to spare; fewer do not tell how CPU per op depends on them


@dataclass(frozen=True)
class Setting:
    """What a run lays over the service's own settings; None leaves the service's own, "off" lifts it.

    gogc: percent. gomemlimit, memory_limit: bytes.
    """

    gogc: int | Off | None = None
    gomemlimit: int | Off | None = None
    memory_limit: int | Off | None = None


class Ended(Enum):
    """How a run ended. KILLED: by the memory limit. THRASHING: a death spiral of the GC. FAILED: all else."""

    OK = "ok"
    KILLED = "killed"
    THRASHING = "thrashing"
    FAILED = "failed"


@dataclass(frozen=True)
class RunResult:
    """What one run has shown.

    figures: of its window, by metric, in the metric's unit; one that could not be measured is left out, and stands in
    `missing` with the reason. why: how it ended, in words; "" if it ended well. seconds: how long the run took, all
    in all.
    """

    setting: Setting
    ended: Ended
    figures: Mapping[str, float] = field(default_factory=dict)
    why: str = ""
    seconds: float = 0.0
    missing: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bound:
    """What a figure must keep to.

    limit: in the metric's unit; if `relative`, a multiple of the figure with memory to spare. at_least: it is a floor.
    written: as its author wrote it.
    """

    metric: str
    limit: float
    relative: bool = False
    at_least: bool = False
    written: str = ""

    def __str__(self) -> str:
        return self.written or f"{self.metric}{'>=' if self.at_least else '<='}{self.limit:g}{'x' * self.relative}"


CPU_BOUND = Bound("cpu_per_op", COMFORTABLE, relative=True)


class Find(Enum):
    """What is searched. SETTING: the cheapest one under a memory limit. LIMIT: the smallest memory limit."""

    SETTING = "setting"
    GOMEMLIMIT = "gomemlimit"
    LIMIT = "limit"


@dataclass(frozen=True)
class Question:
    """What the user asks. limit: the memory limit in bytes, of SETTING. gogc: the service's own setting.

    budget_seconds: no run is begun that would end after so many seconds of runs; None for no such end.
    """

    find: Find
    limit: int | None = None
    bounds: tuple[Bound, ...] = ()
    budget_seconds: float | None = None
    most_runs: int = MOST_RUNS
    gogc: int | Off | None = None

    @property
    def kept(self) -> tuple[Bound, ...]:
        """The bounds that are searched by. Without one, LIMIT and GOMEMLIMIT keep what CPU per op may cost."""
        return self.bounds or (() if self.find is Find.SETTING else (CPU_BOUND,))


@dataclass(frozen=True)
class Plan:
    """The runs to do next, in this order. why: for the progress line, such as "a look at 144 MiB".

    left: about how many runs are still to come, these included. best: the answer if it ended now, None if there is
    none yet.
    """

    settings: tuple[Setting, ...]
    why: str
    left: int = 0
    best: Setting | None = None


@dataclass(frozen=True)
class Row:
    """What is known of one setting. figures: medians of the runs that ended well, by metric.

    runs: all of them; killed, thrashing, failed: how many of them. keeps: of each bound's text, whether it is kept;
    None if it cannot be told. comfortable: it is the run with memory to spare.
    """

    setting: Setting
    runs: int
    killed: int = 0
    thrashing: int = 0
    failed: int = 0
    figures: Mapping[str, float] = field(default_factory=dict)
    keeps: Mapping[str, bool | None] = field(default_factory=dict)
    comfortable: bool = False


@dataclass(frozen=True)
class Answer:
    """What the search says in the end.

    setting: the one to use, None if there is none. reason: why it is this one, or why there is none, in sentences for
    the user. rows: from the most memory to the least. killed_below, thrashing_below, comfortable_above: memory limits
    (of GOMEMLIMIT: that limit) in bytes, None where it was not found out; the first two were survived 5 times of 5.
    needs_rounds: if it is too noisy to tell, about how many further runs it takes; else 0. expected: figures at the
    answer as the model has them, by metric. confirmed: runs at the answer that ended well, none otherwise.
    """

    setting: Setting | None
    reason: str
    rows: tuple[Row, ...] = ()
    killed_below: int | None = None
    thrashing_below: int | None = None
    comfortable_above: int | None = None
    needs_rounds: int = 0
    expected: Mapping[str, float] = field(default_factory=dict)
    confirmed: int = 0
    notes: tuple[str, ...] = ()
