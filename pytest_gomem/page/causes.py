"""Who caused it, for the page: culprits, holders, goroutines and courses of growth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import BYTES_PER_OP, BYTES_PER_SECOND, COUNT_PER_OP, PER_SECOND, format_value
from pytest_gomem.measure.growth import FittedCourse
from pytest_gomem.measure.shape import Shape
from pytest_gomem.page.course import packed
from pytest_gomem.report import culprits, goroutines, holders
from pytest_gomem.report.json_rules import PUBLIC
from pytest_gomem.results.flame_record import FlameRecord
from pytest_gomem.results.window_record import WindowRecord

Json = dict[str, Any]
_MOST_GROUPS = 12
_ENDLESS = 1e18
_FINEST = 1e-9  # of a value: finer steps would be noise of its last digits
_FINE = 20_000  # steps of a course's range


def culprits_of(window: WindowRecord) -> list[Json]:
    """By metric a title, its culprits, and what they explain together, or why nobody is named."""
    found, sites = [], set[tuple[str, str, int]]()
    for metric, words in window.culprit_summaries.items():
        named = [culprit for culprit in window.culprits if culprit.metric == metric]
        rows = [_culprit(one, sites) for one in named]
        title = culprits.cause_title(metric, is_named=bool(named))
        found.append({"title": title, "rows": rows, "summary": printable(words)})
    return found


def _culprit(culprit: Culprit, told: set[tuple[str, str, int]]) -> Json:
    """What is known of a line is told once."""
    texts, site = culprits.told(culprit), (culprit.function, culprit.file, culprit.line)
    why = () if site in told else texts.why
    told.add(site)
    return {**texts._asdict(), "why": why, "part": round(culprit.share, 4), "between": culprit.is_between}


def holders_of(window: WindowRecord) -> Json | None:
    """Who holds what lives, or why nobody is named; None if no heap dump was read."""
    if not (window.holders or window.retention_note):
        return None
    return {
        "of": printable(window.holders_of),
        "rows": [one._asdict() for one in holders.held(window)],
        "types": holders.types_text(window.objects),
        "note": printable(window.retention_note),
    }


def goroutines_of(window: WindowRecord) -> Json | None:
    """The groups that leaked, else those that grew, else all, the largest first."""
    groups = goroutines.telling(window.goroutine_groups)
    if not groups:
        return None
    rows = [goroutines.told(group)._asdict() for group in groups[:_MOST_GROUPS]]
    return {"leaked": bool(groups[0].leaked), "rows": rows, "more": max(len(groups) - _MOST_GROUPS, 0)}


def growths_of(window: WindowRecord) -> list[Json]:
    """The courses of the metrics of growth, each with the line that was fitted through it if it grows."""
    return [found for name, course in window.courses.items() if (found := _growth(name, course))]


def flames_of(window: WindowRecord) -> Json:
    """The call trees by what they show, as in the JSON report."""
    return {name: PUBLIC.encode(FlameRecord, flame) for name, flame in window.flames.items()}


def _growth(name: str, course: FittedCourse) -> Json | None:
    points = [(x, y) for x, y in zip(course.x, course.y, strict=False) if abs(x) < _ENDLESS and abs(y) < _ENDLESS]
    if len(points) < 2 or not math.isfinite(course.slope) or not math.isfinite(course.level):
        return None
    steps = [_step([one[axis] for one in points]) for axis in (0, 1)]
    is_goroutines = name.startswith("goroutine")
    units = (COUNT_PER_OP, PER_SECOND) if is_goroutines else (BYTES_PER_OP, BYTES_PER_SECOND)
    ends = (points[min(course.warm, len(points) - 1)][0], points[-1][0])
    return {
        "name": printable(name),
        "per": course.per,
        "shape": course.shape.value,
        "slope": format_value(course.slope, units[course.per != "op"]),
        "unit": "count" if is_goroutines else "bytes",
        "x": packed([x for x, _ in points], steps[0]),
        "y": packed([y for _, y in points], steps[1]),
        "steps": steps,
        "warm": course.warm,
        "line": [course.level + course.slope * x for x in ends] if course.shape is Shape.GROWS else None,
    }


def _step(values: Sequence[float]) -> float:
    reach = max(max(values) - min(values), _FINEST * max(map(abs, values))) or 1.0
    return 10.0 ** (math.floor(math.log10(reach)) - math.ceil(math.log10(_FINE)) + 1)
