"""Why a limit on garbage collection broke, in one sentence: what was allocated, and what set the heap goal.

Between two collections a program may allocate what the heap goal leaves above the live heap. So there are about
total_alloc / (heap_goal - live_heap) of them, and more come from one of the two.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_gomem.attribution.culprits import GC_METRICS
from pytest_gomem.base.units import BYTES, COUNT, format_value
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Reading
from pytest_gomem.report.culprits import COMPARED
from pytest_gomem.report.text import readings
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import Status

_OF_MARKING = frozenset({"gc_cpu", "gc_cpu_capacity", "gc_assist_cpu"})  # grow with what each collection marks
_MORE = 1.1  # times as much, at least, to be told
_FAIR = 1 / 3  # of the growth of the collections, on a logarithmic scale
_BALLAST = 2.0  # times a live heap, which fell to its half or less
_SETTINGS = {"gogc": "GOGC", "gomemlimit": "GOMEMLIMIT"}
_USUAL = {"gogc": "100", "gomemlimit": "off"}
_FORCED = "were forced by the program (runtime.GC, debug.FreeOSMemory)"
_NOTHING = "nothing that was recorded explains it"


def with_gc_explained(window: WindowRecord) -> WindowRecord:
    """The window with a sentence for each broken limit on garbage collection, in front of what its culprits explain.

    Not for those of phases: the heap goal is that of the window's close.
    """
    said: dict[str, str] = {}
    for verdict in window.verdicts:
        metric = verdict.budget.metric
        if metric in GC_METRICS and verdict.status is Status.FAIL and not verdict.budget.phase:
            words = gc_sentence(verdict, window)
            said[metric] = f"{said[metric]}; {COMPARED}: {words}" if metric in said else words
    summaries = dict(window.culprit_summaries)
    for metric, words in said.items():
        summaries[metric] = "; ".join(filter(None, (words, summaries.get(metric, ""))))
    return replace(window, culprit_summaries=summaries) if said else window


def allocation_excess(verdict: Verdict, window: WindowRecord) -> float:
    """The bytes of allocation that made a limit on garbage collection break; 0.0 if something else did.

    Of a comparison they are what was allocated more; of a limit its excess as a share of all that was allocated.
    """
    now = _facts(window)
    if verdict.budget.metric not in GC_METRICS or verdict.actual is None or not now.allocated > 0:
        return 0.0
    if verdict.kind != REGRESSION:
        return now.allocated * (verdict.over or 0.0) / (1 + (verdict.over or 0.0))
    before = _facts(window.base) if window.base is not None else None
    return now.allocated - before.allocated if before is not None and _by_allocation(before, now) else 0.0


def gc_sentence(verdict: Verdict, window: WindowRecord) -> str:
    """Such as "12 collections: 480 MB were allocated at a heap goal of 40.0 MB", or what differs from the base."""
    now = _facts(window)
    if verdict.kind != REGRESSION or window.base is None:
        return _alone(now)
    before = _facts(window.base)
    if cause := next(_causes(before, now, verdict.budget.metric), ""):
        return cause
    version = _version(before, now)
    return f"{version}; nothing else that was recorded explains it" if version else _NOTHING


@dataclass(frozen=True)
class _Facts:
    """What is known of a window; not a number, and "", where that is unknown. forced: by the program, of `cycles`."""

    cycles: float
    allocated: float
    goal: float
    live: float
    forced: int
    settings: dict[str, str]
    go_version: str

    @property
    def room(self) -> float:
        """What may be allocated between two collections."""
        return self.goal - self.live if self.goal > self.live > 0 else self.goal


def _facts(window: WindowRecord) -> _Facts:
    found = {name: one.value for name, one in readings(window).items() if isinstance(one, Reading)}
    return _Facts(
        cycles=found.get("gc_cycles", math.nan),
        allocated=found.get("total_alloc", math.nan),
        goal=found.get("heap_goal", math.nan),
        live=found.get("live_heap", math.nan),
        forced=sum(cycle.forced is True for cycle in window.cycles),
        settings={name: value.partition(",")[0] for name, value in window.gc.effective.items()},
        go_version=window.build.go_version,
    )


def _alone(now: _Facts) -> str:
    if not (now.cycles > 0 and now.allocated > 0):
        return _NOTHING
    goal = f" at a heap goal of {_bytes(now.goal)}" if now.goal > 0 else ""
    unusual = [f"{_SETTINGS[name]}={now.settings[name]}" for name in _SETTINGS if _is_unusual(name, now)]
    said = f" ({', '.join(unusual)})" if unusual else ""
    forced = f"; {now.forced} of them {_FORCED}" if now.forced >= now.cycles * _FAIR else ""
    return f"{_collections(now.cycles)}: {_bytes(now.allocated)} were allocated{goal}{said}{forced}"


def _is_unusual(name: str, facts: _Facts) -> bool:
    return facts.settings.get(name, _USUAL[name]) != _USUAL[name]


def _causes(before: _Facts, now: _Facts, metric: str) -> Iterator[str]:
    """The causes that fit, the surest first."""
    growth = _ratio(now.cycles, before.cycles)
    if growth >= _MORE:
        counted = f"{_collections(now.cycles)} instead of {format_value(before.cycles, COUNT)}"
        if now.forced - before.forced >= _FAIR * (now.cycles - before.cycles):
            yield f"{counted}: {now.forced} of them {_FORCED}, {before.forced} before"
        if _by_allocation(before, now):
            yield f"{counted}: {_bytes(now.allocated)} were allocated instead of {_bytes(before.allocated)}"
        if _share(_ratio(before.room, now.room), growth) >= _FAIR:
            yield _of_goal(before, now, growth)
    elif metric in _OF_MARKING and _ratio(now.live, before.live) >= _MORE:
        yield f"each collection marks more: {_bytes(now.live)} are live instead of {_bytes(before.live)}"
    procs = before.settings.get("gomaxprocs", ""), now.settings.get("gomaxprocs", "")
    if all(procs) and procs[0] != procs[1]:
        yield f"GOMAXPROCS is {procs[1]} instead of {procs[0]}"


def _by_allocation(before: _Facts, now: _Facts) -> bool:
    """Whether the collections grew at least for a fair part with the allocation, and not more for a lower goal."""
    growth = _ratio(now.cycles, before.cycles)
    part = _share(_ratio(now.allocated, before.allocated), growth)
    return growth >= _MORE and part >= max(_FAIR, _share(_ratio(before.room, now.room), growth))


def _of_goal(before: _Facts, now: _Facts, growth: float) -> str:
    goals = f"the heap goal fell from {_bytes(before.goal)} to {_bytes(now.goal)}"
    often = f"collections come {growth:.{0 if growth > 9.95 else 1}f} times as often"
    for name, words in _SETTINGS.items():
        old, new = before.settings.get(name, ""), now.settings.get(name, "")
        if old and new and old != new:
            return f"{words} is {new} instead of {old}, so {goals} and {often}"
    fell = _ratio(before.live, now.live)
    if not fell >= _MORE:
        return f"{goals}, so {often}" + (f"; {version}" if (version := _version(before, now)) else "")
    ballast = ": was a ballast removed?" if fell >= _BALLAST else ""
    return f"the live heap fell from {_bytes(before.live)} to {_bytes(now.live)}, so {goals} and {often}{ballast}"


def _version(before: _Facts, now: _Facts) -> str:
    old, new = before.go_version, now.go_version
    return f"it was built by {new} instead of {old}" if old and new and old != new else ""


def _ratio(more: float, less: float) -> float:
    """How many times as much; from none at all as from one. Not a number if one of the two is not known."""
    return more / max(less, 1.0)


def _share(part: float, whole: float) -> float:
    """The share of a factor in a product of factors; none of one that is not known."""
    return math.log(part) / math.log(whole) if part > 0 and whole > 1 else 0.0


def _collections(count: float) -> str:
    return f"{format_value(count, COUNT)} collection{'s' * (count != 1)}"


def _bytes(value: float) -> str:
    return format_value(value, BYTES)
