"""The table of a comparison: test, metric, base, now, change and verdict; then what was not compared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_gomem.base.printable import printable
from pytest_gomem.judge.regressions import BY_DEFAULT, REGRESSION, interval_text
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.report.text import (
    Line,
    Style,
    alike_names,
    budget_name,
    clip,
    clip_end,
    columns,
    display_width,
    known,
    metric_unit,
    pad,
    short_name,
    short_names,
    value_text,
    window_labels,
    without_process,
    wrapped,
)
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import Status

_FEWEST_CELLS = 12  # of a test's name, however narrow the terminal
_BYTES = re.compile(r"[0-9.]+ [kMGT]?B\b")
# Where the terminal is narrow, columns are dropped from the end.
HEAD = ("test", "metric", "base", "now", "change", "verdict", "95% interval", "would see", "rounds")
RIGHT = {2, 3, 4, 6, 7, 8}
NEEDED = 6  # columns that are never dropped
_WORDS = {
    Status.FAIL: "worse",
    Status.IMPROVED: "better",
    Status.PASS: "same",
    Status.NOISY: "noisy",
    Status.NO_BASELINE: "not compared",
    Status.WARN: "accepted",  # a limit on regressions warns of nothing else
}
_TOTALS = {
    Status.FAIL: "worse",
    Status.UNAVAILABLE: "unmeasured",
    Status.WARN: "accepted",
    Status.IMPROVED: "better",
    Status.NOISY: "too noisy to tell",
    Status.NO_BASELINE: "not compared",
    Status.PASS: "same",
}
_STYLES: dict[Status, Style] = {
    Status.FAIL: "red",
    Status.UNAVAILABLE: "red",
    Status.NOISY: "yellow",
    Status.NO_BASELINE: "yellow",
}


class Row(NamedTuple):
    """A compared metric of a window; name: of the test, with that of the window if there are several."""

    name: str
    verdict: Verdict
    window: WindowRecord


def sides_lines(
    run_tests: Sequence[TestRecord], width: int, *, hides_same: bool = False, verbose: bool = True
) -> Iterator[Line]:
    """A line for each compared metric, the worse ones of each test first; nothing without a comparison.

    hides_same: metrics that did not change, or that nobody asked for and were not compared, are counted, not listed.
    verbose: each window has its full reason for what was not compared; else one line lists all with that reason.
    No line is wider than `width` cells.
    """
    entries = [
        (f"{test.nodeid}{' / ' * bool(label)}{label}", window)
        for test in run_tests
        for label, window in zip(window_labels(test), test.windows, strict=True)
        if window.base is not None or window.no_base
    ]
    if not entries:
        return
    bases = dict.fromkeys(window.base.build.ref for _, window in entries if window.base is not None)
    yield clip(f"gomem: compared with {printable(', '.join(bases) or 'nothing')}", width), "bold"
    yield from ((line, "yellow") for line in _go_versions([window for _, window in entries], width))
    rows = [row for name, window in entries for row in compared_rows(name, window)]
    listed = [row for row in rows if not (hides_same and is_calm(row.verdict))]
    yield from _table(listed, width)
    yield from ((line, "yellow") for line in _uncompared(entries, width))
    yield from ((line, "") for line in _doubts(rows, width, verbose=verbose))
    hint = "; -v lists the rest" if len(listed) < len(rows) else ""
    yield from ((line, "") for line in wrapped(_totals([window for _, window in entries]) + hint, width))


def _go_versions(windows: Sequence[WindowRecord], width: int) -> Iterator[str]:
    """A line if the sides were built by different Go releases: then more than the code differs."""
    pairs = dict.fromkeys((window.base.build.go_version, window.build.go_version) for window in windows if window.base)
    for base, new in pairs:
        if base and new and base != new:
            yield from wrapped(f"base and now were built by different Go versions: {base} and {new}", width, "  ")


def compared_rows(name: str, window: WindowRecord) -> list[Row]:
    """The compared metrics of a window, the worse ones first."""
    compared = [verdict for verdict in window.verdicts if verdict.kind == REGRESSION]
    order = [Status.FAIL, Status.UNAVAILABLE, Status.NOISY]
    compared.sort(key=lambda verdict: order.index(verdict.status) if verdict.status in order else len(order))
    return [Row(name, verdict, window) for verdict in compared]


def is_calm(verdict: Verdict) -> bool:
    """Whether it needs no attention: it did not change, or nobody asked for it and it was not compared."""
    is_unasked = verdict.budget.scope == BY_DEFAULT
    return verdict.status is Status.PASS or (verdict.status is Status.NO_BASELINE and is_unasked)


def _table(rows: Sequence[Row], width: int) -> Iterator[Line]:
    if not rows:
        return
    every = [("", *HEAD[1:]), *(("", *cells(row)) for row in rows)]
    for shown in range(len(HEAD), NEEDED - 1, -1):
        figures = columns([row[:shown] for row in every], right=RIGHT & set(range(shown)))
        room = max(width - max(map(display_width, figures)), _FEWEST_CELLS)
        if room >= width // 4:
            break
    spelled = _spelled({row.name for row in rows}, room)
    names, last = ["test"], ""
    for row in rows:
        names.append("" if row.name == last else spelled[row.name])
        last = row.name
    styles: list[Style] = ["bold", *(_STYLES.get(row.verdict.status, "") for row in rows)]
    widest = max(map(display_width, names))
    for name, line, style in zip(names, figures, styles, strict=True):
        yield clip(pad(name, widest) + line, width), style


def _spelled(names: Collection[str], room: int) -> dict[str, str]:
    return dict(zip(names, alike_names([short_names(name) for name in names], room), strict=True))


def _uncompared(entries: Sequence[tuple[str, WindowRecord]], width: int) -> Iterator[str]:
    """Why windows were not compared, and which; all windows with one reason share a line."""
    names: dict[str, list[str]] = {}
    for name, window in entries:
        if window.no_base:
            names.setdefault(window.no_base, []).append(short_name(short_names(name), width))
    for reason, alike in names.items():
        what = f"{alike[0]} was" if len(alike) == 1 else f"{len(alike)} windows were"
        yield from wrapped(f"{what} not compared: {printable(reason)}", width, "  ")
        if len(alike) > 1:
            yield from wrapped(", ".join(alike), width, "    ")


def _doubts(rows: Sequence[Row], width: int, *, verbose: bool) -> Iterator[str]:
    """Why a metric is too noisy to tell, with what would help, or was not compared."""
    alike: dict[str, list[Row]] = {}
    for row in rows:
        if row.verdict.status is Status.NO_BASELINE and not verbose:
            alike.setdefault(without_process(_without_amounts(row)), []).append(row)
        elif row.verdict.status in (Status.NOISY, Status.NO_BASELINE):
            yield from wrapped(f"{_name(row, width)}: {_reason(row)}", width, "  ")
    for first, *others in alike.values():
        more = f" and {len(others)} more" if others else ""
        reason = _without_amounts(first) if others else _reason(first)
        yield clip_end(f"  {_name(first, width)}{more}: {reason}", width)


def _name(row: Row, width: int) -> str:
    return short_name(short_names(row.name), width)


def _reason(row: Row) -> str:
    return printable(" ".join(row.verdict.reason.split()))


def _without_amounts(row: Row) -> str:
    return _BYTES.sub("...", _reason(row))


def cells(row: Row) -> tuple[str, ...]:
    """The texts of a row for the columns of HEAD after the first."""
    verdict = row.verdict
    unit = metric_unit(row.window, verdict.budget.metric)
    base, now, change = known(verdict.baseline), known(verdict.actual), known(verdict.change)
    visible = known(verdict.smallest_visible)
    return (
        budget_name(verdict),
        "-" if base is None else value_text(base, unit),
        "-" if now is None else value_text(now, unit),
        _change_text(base, change, unit),
        _WORDS.get(verdict.status, verdict.status.value.replace("_", " ")),
        interval_text(base, verdict.interval) or "-",
        "-" if visible is None else f"+{value_text(visible, unit)}",
        f"{verdict.rounds[0]} v {verdict.rounds[1]}" if verdict.rounds else "-",
    )


def _change_text(base: float | None, change: float | None, unit: str) -> str:
    """The change as a share of the base; in the metric's unit if that is 0."""
    if base is None or change is None:
        return "-"
    if base:
        return f"{change / abs(base):+.2%}"
    return f"{'-' if change < 0 else '+'}{value_text(abs(change), unit)}"


def uncompared_line(run_tests: Sequence[TestRecord]) -> Iterator[Line]:
    """A line on how many windows should have been compared and were not, for a run without a table."""
    windows = [window for test in run_tests for window in test.windows]
    if lost := ", ".join(filter(None, [_lost(windows), _unjudged(windows)])):
        yield f"gomem: {lost}; run without -q to see why; --gomem-strict fails their tests", "yellow"


def _unjudged(windows: Sequence[WindowRecord]) -> str:
    """How many declared limits on regressions cannot be judged, though the window is compared."""
    asked = (v for w in windows if w.base for v in w.verdicts if v.kind == REGRESSION and v.budget.scope != BY_DEFAULT)
    count = sum(verdict.status is Status.NO_BASELINE for verdict in asked)
    return f"{count} limit{'s' * (count > 1)} on regressions cannot be judged" if count else ""


def _lost(windows: Sequence[WindowRecord]) -> str:
    return lost_text(sum(bool(window.no_base) for window in windows))


def lost_text(lost: int) -> str:
    """How many windows should have been compared and were not; "" for none."""
    return f"{lost} window{'s' * (lost > 1)} not compared" if lost else ""


def _totals(windows: Sequence[WindowRecord]) -> str:
    compared = (window for window in windows if window.base)
    count = Counter(v.status for window in compared for v in window.verdicts if v.kind == REGRESSION)
    return f"compared: {', '.join(filter(None, [totals_text(count), _lost(windows)])) or 'nothing'}"


def totals_text(count: Mapping[Status, int]) -> str:
    """How comparisons came out: "2 worse, 1 better, 40 same"."""
    return ", ".join(f"{count[status]} {words}" for status, words in _TOTALS.items() if count.get(status))
