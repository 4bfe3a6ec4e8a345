"""Prints the trend of a metric: a table of its runs, and a plot in plain characters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median

from pytest_gomem.base.printable import printable
from pytest_gomem.history.changes import Change, Shift, shifts_of
from pytest_gomem.history.suggestion import bisect_command
from pytest_gomem.history.trend import Point, Trend
from pytest_gomem.report.text import clip, columns, pad, percent, value_text, wrapped

_ROWS = 8
_HASH = 10  # characters of a commit's hash
_CHANGE, _SHIFT = ">", ":"  # marks of runs where the level, or the conditions, changed


def trend_lines(trend: Trend, changes: Sequence[Change] | None, width: int) -> Iterator[str]:
    """Title, plot, table, changes and shifts, in lines of at most `width` cells. changes: None if unknown."""
    shifts = shifts_of(trend)
    where = f"window '{trend.window}' of {trend.service}" if trend.service else f"window '{trend.window}'"
    count = len(trend.points)
    left_out = f"; {trend.left_out} more left out: their test did not run to its end" if trend.left_out else ""
    yield clip(printable(f"{trend.metric} of {trend.nodeid}"), width)
    yield clip(printable(f"  {where}, {count} run{'s' * (count != 1)}{left_out}"), width)
    if trend.apart:
        apart = ", ".join(f"{name} {value}" for name, value in trend.apart.items())
        yield from wrapped(printable(f"under {apart}"), width, "  ")
    marks = {**{shift.at: _SHIFT for shift in shifts}, **{change.at: _CHANGE for change in changes or ()}}
    yield ""
    yield from _plot(trend, marks, width)
    yield ""
    yield from (clip(f"  {line}", width) for line in _table(trend, marks))
    if changes is not None:
        yield ""
        yield from _change_lines(trend, changes, width)
    yield from _shift_lines(trend, shifts, width)


def _plot(trend: Trend, marks: Mapping[int, str], width: int) -> Iterator[str]:
    """A plot with one column for each run, or for the median of several runs."""
    low, high = min(trend.values), max(trend.values)
    labels = [value_text(high, trend.unit), value_text(low, trend.unit)]
    margin = max(map(len, labels)) + 2
    shown = _binned(trend.values, max(width - margin - 3, 1))
    rows = _ROWS if high > low else 1
    heights = [round((value - low) / (high - low) * (rows - 1)) if high > low else 0 for value in shown]
    for row in range(rows - 1, -1, -1):
        label = labels[0] if row == rows - 1 else labels[1] if row == 0 else ""
        dots = "".join("*" if height == row else " " for height in heights)
        yield f"{pad(label, margin, right=True)} |{dots}".rstrip()
    below = ["-"] * len(shown)
    for at, mark in sorted(marks.items(), key=lambda item: item[1] == _CHANGE):  # a change is not hidden by a shift
        below[at * len(shown) // len(trend.values)] = "^" if mark == _CHANGE else mark
    yield f"{' ' * margin} +{''.join(below)}"
    first, last = (f"{point.time:%Y-%m-%d}" for point in (trend.points[0], trend.points[-1]))
    yield f"{' ' * margin}  {first}{'' if first == last else pad(last, len(shown) - len(first), right=True)}"


def _binned(values: Sequence[float], most: int) -> list[float]:
    count = min(len(values), most)
    bounds = [at * len(values) // count for at in range(count + 1)]
    return [median(values[start:end]) for start, end in pairwise(bounds)]


def _table(trend: Trend, marks: Mapping[int, str]) -> list[str]:
    rows = [("", "time", "commit", "branch", trend.metric, "step", "rounds")]
    for at, point in enumerate(trend.points):
        before = trend.points[at - 1].value if at else None
        rows.append(
            (
                marks.get(at, ""),
                f"{point.time:%Y-%m-%d %H:%M}",
                commit_text(point),
                printable(point.revision.branch) or "-",
                value_text(point.value, trend.unit),
                "" if before is None else _step(before, point.value),
                _rounds(point),
            )
        )
    return columns(rows, right=(4, 5))


def commit_text(point: Point) -> str:
    """The short hash, with a "+" where the tree had changes of its own."""
    return printable(point.revision.short(_HASH)) or "-"


def _step(before: float, after: float) -> str:
    """The change as a share of the value before: +4.4%, <0.1% up or down, = for none, "" after 0."""
    if not before:
        return ""
    share = (after - before) / abs(before)
    text = percent(share)
    return "=" if not share else text if text.startswith("<") else f"{'+' if share > 0 else '-'}{text}"


def _rounds(point: Point) -> str:
    """How many rounds, and their spread as a share of the value."""
    if not point.rounds:
        return "-"
    spread = max(point.rounds) - min(point.rounds)
    return f"{len(point.rounds)}" + (f" within {percent(spread / point.value)}" if point.value else "")


def _change_lines(trend: Trend, changes: Sequence[Change], width: int) -> Iterator[str]:
    if not changes:
        yield clip("no change of level found", width)
    for change in changes:
        yield from wrapped(printable(f"{_levels(trend, change)} from {_when(change)} on"), width)
        for name, (old, new) in change.facts.items():
            yield from wrapped(printable(f"{name} changed there too: {old or 'none'} -> {new or 'none'}"), width, "  ")
        if command := bisect_command(trend, change):
            yield from wrapped(printable(f"which commit it was:  {command}"), width, "  ")


def _shift_lines(trend: Trend, shifts: Sequence[Shift], width: int) -> Iterator[str]:
    if shifts:
        yield ""
    for shift in shifts:
        what = ", ".join(f"{name} {old} -> {new}" for name, (old, new) in shift.conditions.items())
        yield from wrapped(printable(f"conditions changed from {_when(shift)} on: {what}"), width)
        yield from wrapped(f"{_levels(trend, shift)} there: this says nothing about the code", width, "  ")


def _levels(trend: Trend, step: Change | Shift) -> str:
    before, after = value_text(step.before, trend.unit), value_text(step.after, trend.unit)
    share = _step(step.before, step.after)
    return f"{before} -> {after}" + (f" ({share})" if share else "")


def _when(step: Change | Shift) -> str:
    return f"{commit_text(step.point)}, {step.point.time:%Y-%m-%d %H:%M}"
