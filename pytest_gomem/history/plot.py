"""The trend of a metric in a terminal: a table of its runs and a plot in plain characters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median

from pytest_gomem.base.printable import printable
from pytest_gomem.history.changes import Change, Shift, shifts_of
from pytest_gomem.history.trend import Course, Point
from pytest_gomem.report.text import clip, columns, pad, percent, value_text, wrapped

_ROWS = 8
_HASH = 10  # characters of a commit's hash
_CHANGE, _SHIFT = ">", ":"  # of the runs from which the level, or the conditions, are others


def course_lines(course: Course, changes: Sequence[Change] | None, width: int) -> Iterator[str]:
    """Title, plot, table, changes, shifts; no line is wider than `width` cells. changes: None where nobody looked."""
    shifts = shifts_of(course)
    where = f"window '{course.window}' of {course.service}" if course.service else f"window '{course.window}'"
    count = len(course.points)
    left_out = f"; {course.left_out} more left out, whose test broke off" if course.left_out else ""
    yield clip(printable(f"{course.metric} of {course.nodeid}"), width)
    yield clip(printable(f"  {where}, {count} run{'s' * (count != 1)}{left_out}"), width)
    if course.apart:
        apart = ", ".join(f"{name} {value}" for name, value in course.apart.items())
        yield from wrapped(printable(f"under {apart}"), width, "  ")
    marks = {**{shift.at: _SHIFT for shift in shifts}, **{change.at: _CHANGE for change in changes or ()}}
    yield ""
    yield from _plot(course, marks, width)
    yield ""
    yield from (clip(f"  {line}", width) for line in _table(course, marks))
    if changes is not None:
        yield ""
        yield from _change_lines(course, changes, width)
    yield from _shift_lines(course, shifts, width)


def _plot(course: Course, marks: Mapping[int, str], width: int) -> Iterator[str]:
    """Time goes by runs, not by days. Where there are more runs than columns, each column is a median."""
    low, high = min(course.values), max(course.values)
    labels = [value_text(high, course.unit), value_text(low, course.unit)]
    margin = max(map(len, labels)) + 2
    shown = _binned(course.values, max(width - margin - 3, 1))
    rows = _ROWS if high > low else 1
    heights = [round((value - low) / (high - low) * (rows - 1)) if high > low else 0 for value in shown]
    for row in range(rows - 1, -1, -1):
        label = labels[0] if row == rows - 1 else labels[1] if row == 0 else ""
        dots = "".join("*" if height == row else " " for height in heights)
        yield f"{pad(label, margin, right=True)} |{dots}".rstrip()
    below = ["-"] * len(shown)
    for at, mark in sorted(marks.items(), key=lambda item: item[1] == _CHANGE):  # a change is not hidden by a shift
        below[at * len(shown) // len(course.values)] = "^" if mark == _CHANGE else mark
    yield f"{' ' * margin} +{''.join(below)}"
    first, last = (f"{point.time:%Y-%m-%d}" for point in (course.points[0], course.points[-1]))
    yield f"{' ' * margin}  {first}{'' if first == last else pad(last, len(shown) - len(first), right=True)}"


def _binned(values: Sequence[float], most: int) -> list[float]:
    count = min(len(values), most)
    bounds = [at * len(values) // count for at in range(count + 1)]
    return [median(values[start:end]) for start, end in pairwise(bounds)]


def _table(course: Course, marks: Mapping[int, str]) -> list[str]:
    rows = [("", "time", "commit", "branch", course.metric, "step", "rounds")]
    for at, point in enumerate(course.points):
        before = course.points[at - 1].value if at else None
        rows.append(
            (
                marks.get(at, ""),
                f"{point.time:%Y-%m-%d %H:%M}",
                commit_text(point),
                printable(point.revision.branch) or "-",
                value_text(point.value, course.unit),
                "" if before is None else _step(before, point.value),
                _rounds(point),
            )
        )
    return columns(rows, right=(4, 5))


def commit_text(point: Point) -> str:
    """The short hash, with a "+" where the tree had changes of its own."""
    return printable(point.revision.short(_HASH)) or "-"


def _step(before: float, after: float) -> str:
    """The change as a share of what was before: +4.4%, <0.1% in either direction, = for none, "" of nothing."""
    if not before:
        return ""
    share = (after - before) / abs(before)
    text = percent(share)
    return "=" if not share else text if text.startswith("<") else f"{'+' if share > 0 else '-'}{text}"


def _rounds(point: Point) -> str:
    """How many, and how far apart they lie as a share of the value."""
    if not point.rounds:
        return "-"
    spread = max(point.rounds) - min(point.rounds)
    return f"{len(point.rounds)}" + (f" within {percent(spread / point.value)}" if point.value else "")


def _change_lines(course: Course, changes: Sequence[Change], width: int) -> Iterator[str]:
    if not changes:
        yield clip("no change of level found", width)
    for change in changes:
        yield from wrapped(printable(f"{_levels(course, change)} from {_when(change)} on"), width)
        for name, (old, new) in change.facts.items():
            yield from wrapped(printable(f"{name} changed there too: {old or 'none'} -> {new or 'none'}"), width, "  ")


def _shift_lines(course: Course, shifts: Sequence[Shift], width: int) -> Iterator[str]:
    if shifts:
        yield ""
    for shift in shifts:
        what = ", ".join(f"{name} {old} -> {new}" for name, (old, new) in shift.conditions.items())
        yield from wrapped(printable(f"conditions changed from {_when(shift)} on: {what}"), width)
        yield from wrapped(f"{_levels(course, shift)} there, which says nothing of the code", width, "  ")


def _levels(course: Course, step: Change | Shift) -> str:
    before, after = value_text(step.before, course.unit), value_text(step.after, course.unit)
    share = _step(step.before, step.after)
    return f"{before} -> {after}" + (f" ({share})" if share else "")


def _when(step: Change | Shift) -> str:
    return f"{commit_text(step.point)}, {step.point.time:%Y-%m-%d %H:%M}"
