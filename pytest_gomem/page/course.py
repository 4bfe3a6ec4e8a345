"""The course of a window as the page draws it: thinned, rounded, and as differences, which are short."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import BYTES, format_value, parse_quantity
from pytest_gomem.config.memory_limit import MEMORY_LIMIT
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.cycles import JoinedCycle
from pytest_gomem.measure.series import Point, thinned
from pytest_gomem.report.json_parts import known_moment
from pytest_gomem.report.text import budget_name, known, limit_text
from pytest_gomem.results.window_record import WindowRecord

Json = dict[str, Any]
_POINTS = {"rss": 400, "heap_live": 300}
_OTHER_POINTS = 200
_MARKS = 240  # GC cycles; more could not be told apart
_ENDLESS = 1e18
_DIGITS = 4  # after the first
_MS = 1000
_STEPS = frozenset({"hwm", "threads", "fds"})
_ON_RSS = frozenset({"peak_rss", "end_rss", "start_rss", "peak_pss"})
_ON_HEAP = frozenset({"live_heap", "peak_heap", "heap_goal"})
_TITLES = {
    "rss": "RSS",
    "hwm": "highest RSS so far",
    "heap_live": "live heap",
    "heap_goal": "heap goal",
    "threads": "threads",
    "fds": "open files",
}


def course_of(window: WindowRecord) -> Json | None:
    """Curves over time, limits as lines, GC cycles as marks, phases as bands; None without any series."""
    curves = [_curve(name, points) for name, points in _points(window).items()]
    if not curves:
        return None
    moment = known_moment(window)
    return {
        "curves": curves,
        "limits": list(_limits(window)),
        "cycles": _marks(window.cycles),
        "phases": [
            (printable(phase.name), round(phase.start, 3), round(phase.end, 3))
            for phase in window.phases
            if _is_drawable(phase.start, phase.end)
        ],
        "peak": None if moment is None else (round(moment.earliest, 3), round(moment.latest, 3)),
        "duration": round(window.duration, 3) if math.isfinite(window.duration) else 0,
    }


def packed(values: Sequence[float], step: float) -> list[int]:
    """Whole multiples of the step, each as the difference to the one before; JavaScript adds them up again."""
    whole = [round(value / step) for value in values]
    return whole[:1] + [after - before for before, after in pairwise(whole)]


def _points(window: WindowRecord) -> dict[str, list[Point]]:
    series = {name: zip(one.t, one.v, strict=False) for name, one in window.series.items()}
    goal = [(cycle.end, float(cycle.heap_goal)) for cycle in window.cycles if cycle.end is not None and cycle.heap_goal]
    every = {**series, "heap_goal": goal}
    found = {name: [one for one in points if _is_drawable(*one)] for name, points in every.items()}
    known_first = [*(name for name in _TITLES if name in found), *(name for name in found if name not in _TITLES)]
    return {name: found[name] for name in known_first if found[name]}


def _is_drawable(t: float, value: float = 0.0) -> bool:
    """Whether a moment and a value can be of a process at all: a damaged report may hold any number."""
    return abs(t) < _ENDLESS and abs(value) < _ENDLESS


def _curve(name: str, points: Sequence[Point]) -> Json:
    if name in _STEPS or name == "heap_goal":
        points = _turns(points)
    kept = thinned(points, _POINTS.get(name, _OTHER_POINTS))
    step = _step(max(abs(value) for _, value in kept))
    return {
        "name": printable(name),
        "title": _TITLES.get(name, printable(name)),
        "unit": "count" if name in ("threads", "fds") else "bytes",
        "t": packed([t * _MS for t, _ in kept], 1),
        "v": packed([value for _, value in kept], step),
        "step": step,
    }


def _turns(points: Sequence[Point]) -> list[Point]:
    """Without those in the middle of a level stretch."""
    inner = zip(points, points[1:], points[2:], strict=False)
    return [points[0], *(now for before, now, after in inner if not before[1] == now[1] == after[1]), *points[1:][-1:]]


def _step(largest: float) -> int:
    """A power of ten that leaves five digits."""
    return 10 ** max(math.floor(math.log10(largest)) - _DIGITS, 0) if largest >= 1 else 1


def _marks(cycles: Sequence[JoinedCycle]) -> Json | None:
    """The end of each cycle; of many those with the longest pauses. pauses: in us, null if unknown."""
    ended = [cycle for cycle in cycles if cycle.end is not None and _is_drawable(cycle.end)]
    if not ended:
        return None
    longest = sorted(ended, key=lambda cycle: -(known(cycle.pause) or 0.0))[:_MARKS]
    shown = sorted(longest, key=lambda cycle: cycle.end or 0.0)
    return {
        "count": len(ended),
        "t": packed([(cycle.end or 0.0) * _MS for cycle in shown], 1),
        "pauses": [_microseconds(cycle.pause) for cycle in shown],
        "forced": [at for at, cycle in enumerate(shown) if cycle.forced],
    }


def _microseconds(pause: float | None) -> int | None:
    return round(pause * 1e6) if pause is not None and _is_drawable(pause) else None


def _limits(window: WindowRecord) -> Iterator[Json]:
    """The limits of the whole window on what is drawn, what regressions are compared with, and GOMEMLIMIT."""
    for verdict in window.verdicts:
        metric = verdict.budget.metric
        if metric not in _ON_RSS | _ON_HEAP or verdict.budget.phase:
            continue
        of = "rss" if metric in _ON_RSS else "heap_live"
        level = known(verdict.baseline) if verdict.kind == REGRESSION else known(verdict.limit.value)
        if level is not None:
            yield {"title": _limit_title(verdict, level), "kind": verdict.kind, "of": of, "value": round(level)}
    if limit := _memory_limit(window.gc.effective.get("gomemlimit", "")):
        title = f"GOMEMLIMIT {format_value(limit, BYTES)}"
        yield {"title": title, "kind": "gomemlimit", "of": "rss", "value": limit}
    if limit := _memory_limit(window.gc.effective.get(MEMORY_LIMIT, "")):
        yield {"title": f"memory limit {format_value(limit, BYTES)}", "kind": MEMORY_LIMIT, "of": "rss", "value": limit}


def _limit_title(verdict: Verdict, level: float) -> str:
    if verdict.kind == REGRESSION:
        return f"{budget_name(verdict)} of the base {format_value(level, BYTES)}"
    return f"{budget_name(verdict)} {limit_text(verdict)}"


def _memory_limit(found: str) -> int:
    """In bytes; 0 where there is none, or a text that tells none."""
    try:
        return int(parse_quantity(found.partition(",")[0], BYTES).value)
    except ValueError:
        return 0
