"""Draws the course of a metric of growth with its line, as one self-contained SVG."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_gomem.base.units import (
    BYTES,
    BYTES_PER_OP,
    BYTES_PER_SECOND,
    COUNT_PER_OP,
    PER_SECOND,
    format_value,
    scale_of,
)
from pytest_gomem.measure.growth import FittedCourse
from pytest_gomem.measure.shape import Shape
from pytest_gomem.report.chart import Axis, Curve, draw
from pytest_gomem.results.window_record import WindowRecord

_WHAT = {"heap": "live heap", "rss": "resident memory", "goroutine": "goroutines"}
_SIZES = {"second": BYTES_PER_SECOND, "op": BYTES_PER_OP}
_COUNTS = {"second": PER_SECOND, "op": COUNT_PER_OP}


def course_pictures(nodeid: str, window: WindowRecord) -> Iterator[tuple[str, str]]:
    """The SVG of each course that rises, by metric; of the others there is nothing to see."""
    for metric, course in window.courses.items():
        if course.shape is not Shape.LEVEL:
            yield metric, _picture(f"{metric} of {nodeid.rpartition('::')[2]}", metric, course)


def _picture(title: str, metric: str, course: FittedCourse) -> str:
    what = _WHAT[metric.partition("_")[0]]
    is_count = what == "goroutines"
    slope = (_COUNTS if is_count else _SIZES)[course.per]
    divisor, suffix = (1.0, "") if is_count else scale_of(max(course.y), BYTES)
    first, last = course.x[course.warm], course.x[-1]
    line = [course.level + course.slope * x for x in (first, last)]
    words = "saturates" if course.shape is Shape.SATURATES else format_value(course.slope, slope)
    return draw(
        title,
        [Curve(words, "bad", (first, last), line), Curve(what, "good", course.x, course.y, dots=True)],
        Axis("operations" if course.per == "op" else "seconds of work"),
        Axis(f"{what},{suffix}" if suffix else what, divisor, zero=False),
        marks=[first] if course.warm else [],
    )
