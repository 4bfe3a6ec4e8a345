"""The run's summary table: a line per window, with its key metrics, its tightest limit and the room left."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from pytest_gomem.base.printable import printable
from pytest_gomem.base.unavailable import Unavailable, reason_of
from pytest_gomem.judge.decide import FAILING
from pytest_gomem.judge.oom import OOM
from pytest_gomem.judge.regressions import BY_DEFAULT
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.pprof.group import as_called
from pytest_gomem.report import matrix
from pytest_gomem.report.estimates import estimate_lines
from pytest_gomem.report.first_verdict import first_of, group_of, holder_of
from pytest_gomem.report.goroutines import main_group
from pytest_gomem.report.text import (
    Line,
    Style,
    alike_names,
    budget_name,
    clip,
    clip_end,
    columns,
    display_width,
    finite,
    judged_reading,
    known,
    limit_text,
    pad,
    percent,
    short_names,
    value_text,
    window_labels,
    without_process,
    wrapped,
)
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import MetricValue, WindowRecord
from pytest_gomem.stats.decision import Status

# The most important first: on a narrow terminal, columns are dropped from the end.
COLUMNS = {
    "peak_rss": "peak RSS",
    "live_heap": "live heap",
    "alloc_bytes_per_op": "alloc/op",
    "gc_cycles": "GC cycles",
    "gc_pause_max": "max pause",
    "gc_cpu": "GC CPU",
    "goroutines": "goroutines",
}
_FEWEST_CELLS = 12  # of a name, on the narrowest terminal
_URGENCY = {Status.FAIL: 0, Status.UNAVAILABLE: 1, Status.WARN: 2}
_STYLES: dict[Status, Style] = {
    Status.FAIL: "red",
    Status.UNAVAILABLE: "red",
    Status.WARN: "yellow",
    Status.PASS: "green",
    Status.IMPROVED: "green",
}
_TOTALS = {
    Status.FAIL: "broken",
    Status.UNAVAILABLE: "unmeasured",
    Status.WARN: "past their warning",
    Status.NOISY: "too noisy to tell",
    Status.NO_BASELINE: "without a baseline",
    Status.IMPROVED: "improved",
    Status.PASS: "kept",
}


@dataclass
class _Footnotes:
    """Distinct reasons, numbered by first use; those that differ only in ports and pids are one."""

    reasons: dict[str, str] = field(default_factory=dict)

    def mark(self, reason: str) -> str:
        line = printable(" ".join(reason.split()))
        alike = without_process(line)
        self.reasons.setdefault(alike, line)
        return f"[{list(self.reasons).index(alike) + 1}]"

    def lines(self, width: int, *, whole: bool) -> Iterator[Line]:
        """A line for each reason, cut to fit; whole: in full."""
        for number, reason in enumerate(self.reasons.values(), 1):
            label = f"  [{number}] "
            lines = wrapped(reason, width, label) if whole else [clip_end(label + reason, width)]
            yield from ((line, "") for line in lines)


@dataclass(frozen=True)
class _Entry:
    """One window with the names it is shown under; `label` is "" for a test's only window."""

    nodeid: str
    label: str
    window: WindowRecord
    is_phase: bool = False

    @property
    def suffix(self) -> str:
        return f" / {printable(self.label)}" if self.label else ""

    @property
    def names(self) -> list[str]:
        """The id in shorter and shorter spellings, each with the label."""
        return [name + self.suffix for name in short_names(self.nodeid)]


def for_tables(test: TestRecord) -> TestRecord:
    """The test with no more than the tables show of it: those of all tests are in memory at once."""
    return replace(test, windows=tuple(map(_for_tables, test.windows)))


def _for_tables(window: WindowRecord) -> WindowRecord:
    shown = {*COLUMNS, *matrix.METRICS, *(verdict.budget.metric for verdict in window.verdicts)}
    bare = WindowRecord(window.name, window.service, window.build, window.gc, window.ops, window.duration, ())
    group = main_group(window.goroutine_groups)
    return replace(
        bare,
        metrics=_among(shown, window.metrics),
        phases=tuple(replace(phase, metrics=_among(shown, phase.metrics)) for phase in window.phases),
        verdicts=window.verdicts,
        base=replace(bare, build=window.base.build) if window.base else None,
        no_base=window.no_base,
        culprits=tuple(replace(culprit, reason="", callers=(), causes=()) for culprit in window.culprits),
        culprit_summaries=dict.fromkeys(window.culprit_summaries, ""),
        goroutine_groups=() if group is None else (replace(group, stack=()),),
        known_leaks=window.known_leaks,
    )


def _among(names: Collection[str], metrics: Sequence[MetricValue]) -> tuple[MetricValue, ...]:
    return tuple(metric for metric in metrics if metric.name in names)


def summary_lines(run_tests: Sequence[TestRecord], width: int, *, verbose: bool = False) -> Iterator[Line]:
    """The table with its footnotes and totals, in lines of at most `width` cells; nothing without windows.

    An unavailable metric is "-" with the number of the footnote that gives the reason. Columns of metrics with broken
    limits are dropped last. verbose: reasons are not cut, dropped columns are named, and it is said what growth a pass
    would have shown.
    """
    entries = [
        entry
        for test in run_tests
        for label, window in zip(window_labels(test), test.windows, strict=True)
        for entry in _with_phases(_Entry(test.nodeid, label, window))
    ]
    if not entries:
        return
    present = {metric.name for entry in entries for metric in entry.window.metrics}
    first = filter(None, (tightest(entry.window.verdicts) for entry in entries))
    broken = dict.fromkeys(verdict.budget.metric for verdict in first if verdict.status in FAILING)
    wanted = [name for name in dict.fromkeys((*COLUMNS, *broken)) if name in present]
    shown, notes, lines = _fitting(entries, wanted, present.intersection(broken), width)
    yield from lines
    if hidden := [name for name in wanted if name not in shown] if verbose else []:
        yield from ((line, "") for line in wrapped(f"no room here for {', '.join(hidden)}", width, "  "))
    yield from notes.lines(width, whole=verbose)
    estimates = [line for entry in entries for line in estimate_lines(entry.names[-1], entry.window)] if verbose else []
    yield from ((line, "") for estimate in estimates for line in wrapped(estimate, width, "  "))
    yield from ((line, "") for line in wrapped(_totals(entries), width))


def _with_phases(entry: _Entry) -> Iterator[_Entry]:
    """The window and each of its phases, with their own verdicts."""
    window = entry.window
    names = {phase.name for phase in window.phases}
    yield replace(
        entry, window=replace(window, verdicts=tuple(v for v in window.verdicts if v.budget.phase not in names))
    )
    for phase in (phase for phase in window.phases if phase.metrics):
        verdicts = tuple(v for v in window.verdicts if v.budget.phase == phase.name)
        label = f"{entry.label} / {phase.name}" if entry.label else phase.name
        # phases stay: a verdict on one finds its reading there
        yield replace(
            entry, label=label, window=replace(window, metrics=phase.metrics, verdicts=verdicts), is_phase=True
        )


def _fitting(
    entries: Sequence[_Entry], wanted: Sequence[str], broken: Collection[str], width: int
) -> tuple[Sequence[str], _Footnotes, list[Line]]:
    """As many of the wanted columns as leave the names a quarter of the width; only shown reasons get a footnote.

    Columns of broken limits are dropped last, but for that of the culprits, and the names get less room for them.
    """
    longest = max(display_width(entry.names[-1]) for entry in entries)
    first_kept = sorted(wanted, key=lambda name: name not in broken)
    places = [culprit_place(entry.window) for entry in entries]
    counts = range(len(wanted), -1, -1)
    for last, count in [*product([places] if any(places) else [], counts), *product([[]], counts)]:
        shown = [name for name in wanted if name in first_kept[:count]]
        needed = min(longest, width // 4 if count > (0 if last else len(broken)) else _FEWEST_CELLS)
        notes = _Footnotes()
        rows = [("", *(COLUMNS.get(name, name) for name in shown), "tightest limit", "")]
        rows += [_cells(entry.window, shown, notes, width // 3) for entry in entries]
        rows = [(*row, place) for row, place in zip(rows, ["culprit", *last], strict=True)] if last else rows
        figures = columns(rows, right=range(1, count + 1))
        room = max(width - max(map(display_width, figures)), 0)
        if room >= needed:
            break
    names = ["test", *alike_names([entry.names for entry in entries], room)]
    room = max(map(display_width, names))
    styles: list[Style] = ["bold", *(_style(entry.window) for entry in entries)]
    lines = [clip(pad(name, room) + line, width) for name, line in zip(names, figures, strict=True)]
    return shown, notes, list(zip(lines, styles, strict=True))


def _cells(window: WindowRecord, names: Sequence[str], notes: _Footnotes, budget_width: int) -> tuple[str, ...]:
    """The window's figures, headed by an empty cell: the gap after the name."""
    metrics = {metric.name: metric for metric in window.metrics}
    figures = [_figure(metrics.get(name), notes) for name in names]
    verdict = tightest(window.verdicts)
    if verdict is None:
        return ("", *figures, "", "")
    budget = _limit_cell(verdict, budget_width)
    if verdict.status is not Status.UNAVAILABLE:
        return ("", *figures, budget, standing(verdict))
    result = judged_reading(window, verdict)
    reason = reason_of(result) or verdict.reason or "no reason was given"
    return ("", *figures, budget, "unmeasured" + notes.mark(reason))


def culprit_place(window: WindowRecord) -> str:
    """The file and line of the first culprit of the limit to act on first, if that is broken, or the variable that
    holds; "" without one."""
    verdict = tightest(window.verdicts)
    if verdict is None or verdict.status is not Status.FAIL:
        return ""
    holder = holder_of(window, verdict)
    named = group_of(window, verdict) or first_of(window, verdict) or holder
    if named and named.file:
        return f"{named.file.rpartition('/')[2]}:{named.line}"
    return as_called(holder.name) if holder else ""


def _limit_cell(verdict: Verdict, width: int) -> str:
    """The limit's metric, never cut, since cut names could be confused; only a glob is."""
    name, limit = budget_name(verdict), limit_text(verdict)
    if verdict.budget.glob:
        name = clip_end(name, max(width - display_width(limit) - 1, _FEWEST_CELLS))
    return f"{name} {limit}"


def _figure(metric: MetricValue | None, notes: _Footnotes) -> str:
    if metric is None:
        return "-"
    result = finite(metric.result)
    if isinstance(result, Unavailable):
        most = f"<= {value_text(result.bounds[1], metric.unit)}" if result.bounds else "-"
        return most + notes.mark(result.reason)
    return value_text(result.value, metric.unit).removesuffix("/op")  # the column's head says it


def tightest(verdicts: Sequence[Verdict]) -> Verdict | None:
    """The verdict to act on first: broken by most, unmeasured, past its warning, or with least room left."""
    return min(verdicts, key=tightness, default=None)


def tightness(verdict: Verdict) -> tuple[int, float, float]:
    """A key that sorts verdicts, the one to act on first in front."""
    over, left = known(verdict.over), known(verdict.headroom)
    return (
        _URGENCY.get(verdict.status, len(_URGENCY)),
        -math.inf if over is None else -over,
        math.inf if left is None else left,
    )


def standing(verdict: Verdict) -> str:
    """Where a measured window stands: 12% left, over by 8%, short by 8%, worse by 8%, accepted, no baseline."""
    if verdict.accepted:
        return "accepted" if verdict.accepted.amount else "muted"
    left, actual = known(verdict.headroom), known(verdict.actual)
    if verdict.kind == OOM:
        return "killed"
    if verdict.kind == "regression" and verdict.status is Status.FAIL:
        over = known(verdict.over)
        return "worse" if over is None else f"worse by {percent(over)}"
    if verdict.status in (Status.FAIL, Status.WARN) and actual is not None:
        return f"{'short' if actual < verdict.limit.value else 'over'} by {_excess(verdict, actual)}"
    return verdict.status.value.replace("_", " ") if left is None else f"{percent(left)} left"


def _excess(verdict: Verdict, actual: float) -> str:
    """The excess as a share of the limit; in its unit if the limit is 0."""
    over = known(verdict.over)
    return value_text(abs(actual - verdict.limit.value), verdict.limit.unit.name) if over is None else percent(over)


def _style(window: WindowRecord) -> Style:
    verdict = tightest(window.verdicts)
    return _STYLES.get(verdict.status, "") if verdict is not None else ""


def _totals(entries: Sequence[_Entry]) -> str:
    tests = len({entry.nodeid for entry in entries})
    every = (verdict for entry in entries for verdict in entry.window.verdicts)
    verdicts = [
        verdict for verdict in every if verdict.budget.scope != BY_DEFAULT
    ]  # the others are counted in their own table
    count = Counter("accepted" if verdict.accepted else _TOTALS[verdict.status] for verdict in verdicts)
    judged = ", ".join(f"{count[words]} {words}" for words in (*_TOTALS.values(), "accepted") if count[words])
    number = sum(not entry.is_phase for entry in entries)
    windows = f"{number} window{'s' * (number != 1)} in {tests} test{'s' * (tests != 1)}"
    return f"{windows}; limits: {judged or 'none declared'}"
