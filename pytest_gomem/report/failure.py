"""The text of a failed window: which limits broke, by how much, when, and under which settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pytest_gomem.base.printable import printable, printable_lines
from pytest_gomem.base.units import BYTES, COUNT, format_value, parse_quantity
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.decide import FAILING
from pytest_gomem.judge.functions import FunctionValue, asked_by
from pytest_gomem.judge.regressions import BY_DEFAULT, REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.allocation import SizeClassGrowth
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.peak import PeakMoment
from pytest_gomem.measure.work import LoadSummary
from pytest_gomem.report.accepted import accepted_text
from pytest_gomem.report.bill import bill_lines
from pytest_gomem.report.culprits import culprit_lines, first_culprit
from pytest_gomem.report.text import (
    budget_name,
    columns,
    judged_reading,
    limit_text,
    metric_unit,
    percent,
    readings,
    value_text,
    wrapped,
)
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import Status


def function_detail(budget: Budget, values: Iterable[FunctionValue]) -> str:
    """Such as "of 3 functions and what they call, estimated from samples: one in 8.19 kB"; "" without a value."""
    value = next((v for v in values if (v.metric, v.function, v.cum) == asked_by(budget)), None)
    if value is None:
        return ""
    functions = "1 function" if value.matched == 1 else f"{value.matched} functions"
    sampled = "every allocation was sampled"
    if value.rate > 1:
        sampled = f"estimated from samples: one in {format_value(value.rate, BYTES)}"
    return f"of {functions}{' and what they call' if value.cum else ''}, {sampled}"


_SHOWN = 4


def size_class_text(classes: Sequence[SizeClassGrowth]) -> str:
    """Such as "by size: 62% in 4096 B (12.1k objects), 20% above 18432 B"; "" where nothing was allocated."""
    whole = sum(growth.bytes for growth in classes)
    if not whole:
        return ""
    largest = max((growth.size for growth in classes if growth.size), default=0)
    top = sorted(classes, key=lambda growth: -growth.bytes)[:_SHOWN]
    parts = [f"{percent(growth.bytes / whole)} {_class(growth, largest)}" for growth in top if growth.bytes]
    return f"allocated by size: {', '.join(parts)} of {format_value(whole, BYTES)}"


def _class(growth: SizeClassGrowth, largest: int) -> str:
    if growth.size is None or growth.mallocs is None:
        return f"above {largest} B"
    return f"in {growth.size} B ({format_value(growth.mallocs, COUNT)} objects)"


LOG_LINES = 20
_ALLOCATION = frozenset({"total_alloc", "allocs", "alloc_rate", "alloc_bytes_per_op", "allocs_per_op"})
_WIDTH = 110
_DETAIL = " " * 8
_PEAKS = ("peak_rss", "peak_heap")
KEY_METRICS = (
    ("memory", ("peak_rss", "start_rss", "end_rss")),
    ("heap", ("live_heap", "peak_heap", "heap_goal", "heap_objects")),
    ("allocation", ("total_alloc", "alloc_bytes_per_op", "allocs_per_op")),
    ("gc", ("gc_cycles", "gc_pause_max", "gc_pause_p99", "gc_cpu")),
    ("work", ("ops", "throughput", "latency_p99", "error_rate")),
    ("leaks", ("goroutines", "leaked_goroutines")),
)


def failure_text(window: WindowRecord, nodeid: str) -> tuple[str, str]:
    """A headline, with what broke first and its first culprit, and the whole text.

    Broken limits come first, then warnings, culprits, settings, key metrics, loads, the bill, notes, artifacts and the
    end of the log. Without a broken limit, as when the process died, the headline is the first note.
    """
    broken = [verdict for verdict in window.verdicts if verdict.status in FAILING]
    warned = [v for v in window.verdicts if v.status is Status.WARN and not _is_broken(v, broken)]
    blocks = [
        [_title(window, nodeid), *_go_versions(window)],
        *([*_verdict_lines(verdict, window)] for verdict in broken + warned),
        [f"  {line}" for line in culprit_lines(window.culprits, window.culprit_summaries, _WIDTH - 2)],
        [*_settings_lines(window.gc.requested, window.gc.effective)],
        [*_metric_lines(window, [v.budget.metric for v in broken if v.status is Status.FAIL])],
        [f"  {line}" for line in bill_lines(window.bill, _WIDTH, window.base.bill if window.base else None)]
        if window.bill
        else [],
        [*_section("notes", window.notes)],
        [*_section("artifacts", [f"{name}: {path}" for name, path in window.artifacts.items()])],
        [*_log_lines(window.log_tail)],
    ]
    return _headline(window, broken), "\n\n".join("\n".join(block) for block in blocks if block)


def _is_broken(warned: Verdict, broken: Sequence[Verdict]) -> bool:
    """Whether the metric's limit is broken too, which makes its warning pointless."""
    return any(warned.budget == verdict.budget for verdict in broken)


def _headline(window: WindowRecord, broken: Sequence[Verdict]) -> str:
    if not broken:
        return printable(window.notes[0]) if window.notes else "no limit is broken"
    more = len(broken) - 1
    others = f"; {more} more {'limits are' if more > 1 else 'limit is'} broken" if more else ""
    culprit = _culprit(window, broken)
    return _statement(broken[0]) + (f", culprit {culprit}" if culprit else "") + others


def _culprit(window: WindowRecord, broken: Sequence[Verdict]) -> str:
    """The first culprit of what broke first; "" if the culprits are not only its own.

    Profiles are of the whole window, not of a phase. If limits of several functions broke, their culprits are joined.
    """
    first, is_between = broken[0], broken[0].kind == REGRESSION
    alike = [verdict for verdict in broken if verdict.budget.metric == first.budget.metric]
    functions = {verdict.budget.function for verdict in alike if (verdict.kind == REGRESSION) == is_between}
    if first.budget.phase or len(functions) > 1:
        return ""
    return first_culprit(window.culprits, first.budget.metric, is_between=is_between)


def _judged(verdicts: Sequence[Verdict]) -> str:
    """How many of the user's limits broke, and how many of the metrics compared by default."""
    declared = [verdict.status in FAILING for verdict in verdicts if verdict.budget.scope != BY_DEFAULT]
    unasked = [verdict.status in FAILING for verdict in verdicts if verdict.budget.scope == BY_DEFAULT]
    parts = [f"{sum(declared)} of {len(declared)} limits broken"] if declared else []
    if unasked and (any(unasked) or not declared):
        parts.append(f"{sum(unasked)} of {len(unasked)} compared metrics worse")
    return ", ".join(parts)


def _title(window: WindowRecord, nodeid: str) -> str:
    judged = _judged(window.verdicts) or "no limit judged"
    ops = "" if window.ops is None else f", {window.ops} ops"
    name = f"window '{window.name}' of " if window.name else ""
    return printable(f"{nodeid}: {judged}  ({name}{window.service}, {window.duration:.1f} s{ops})")


def _go_versions(window: WindowRecord) -> Iterator[str]:
    """A line if the sides were built by different Go releases: then more than the code differs."""
    base, now = window.base.build.go_version if window.base else "", window.build.go_version
    if base and now and base != now:
        yield printable(f"  the two sides were built by different Go versions: {base}, and now {now}")


def _statement(verdict: Verdict) -> str:
    """The verdict in one sentence: metric, limit as written, and by how much it is missed."""
    if not verdict.reason:
        return f"{budget_name(verdict)} misses its limit of {limit_text(verdict)}"
    name, reason = budget_name(verdict), printable(verdict.reason)
    return f"{name}: {reason}" if verdict.budget.function and not reason.startswith(name) else reason


def _verdict_lines(verdict: Verdict, window: WindowRecord) -> Iterator[str]:
    mark = "warn" if verdict.status is Status.WARN else "FAIL"
    yield f"  {mark}  {_statement(verdict)}"
    if verdict.accepted:
        yield from wrapped(accepted_text(verdict.accepted), _WIDTH, _DETAIL)
    if verdict.status is Status.UNAVAILABLE:
        yield f"{_DETAIL}its limit of {limit_text(verdict)} fails, because unmeasured is not passed"
    yield _DETAIL + printable(_declared(verdict))
    if verdict.smallest_visible:
        yield f"{_DETAIL}{_visible_text(verdict, window)}"
    if _has_moment(verdict) and window.peak_moment:
        yield _DETAIL + _peak_text(window.peak_moment, window.duration)
    if verdict.budget.function:
        yield from wrapped(printable(function_detail(verdict.budget, window.functions)), _WIDTH, _DETAIL)
    reading = judged_reading(window, verdict)
    if isinstance(reading, Reading):
        origin = (f"read from {reading.source}" if reading.source else "", reading.precision, reading.note)
        yield from wrapped(printable("; ".join(part for part in origin if part)), _WIDTH, _DETAIL)


def _visible_text(verdict: Verdict, window: WindowRecord) -> str:
    unit = metric_unit(window, verdict.budget.metric, verdict.limit.unit.name)
    least = value_text(verdict.smallest_visible or 0.0, unit)
    return f"a change of {least} or more is found 19 times in 20"


def _declared(verdict: Verdict) -> str:
    if verdict.budget.scope == BY_DEFAULT:
        return f"{BY_DEFAULT}; more than {verdict.limit.written} counts, if it stands out of the rounds' scatter"
    return f"declared at {verdict.budget.place} ({verdict.budget.scope})"


def _has_moment(verdict: Verdict) -> bool:
    """Whether the verdict is about the peak of the whole window, the only one with a known moment."""
    return verdict.budget.metric in _PEAKS and verdict.actual is not None and not verdict.budget.phase


def _peak_text(moment: PeakMoment, duration: float) -> str:
    """When the peak came, as exactly as the samples show, and where it started from."""
    earliest, latest = f"{moment.earliest:.2f} s", f"{moment.latest:.2f} s"
    when = f"at {latest}" if earliest == latest else f"between {earliest} and {latest}"
    floor = f"; it stood at {format_value(moment.floor, BYTES)} at the start" if moment.floor else ""
    return f"RSS peaked {when} of {duration:.2f} s{floor}"


def _settings_lines(requested: Mapping[str, str], effective: Mapping[str, str]) -> Iterator[str]:
    names = [name for name in dict.fromkeys([*requested, *effective]) if requested.get(name) or effective.get(name)]
    if not names:
        return
    rows = [("GC settings", "requested", "effective", "")]
    for name in names:
        asked, found = requested.get(name, ""), effective.get(name, "")
        mark = "<- differs" if asked and found and not _same_setting(asked, found) else ""
        rows.append((f"  {printable(name)}", printable(asked) or "-", printable(found) or "-", mark))
    yield from (f"  {line}" for line in columns(rows, gap=3))


def _same_setting(asked: str, found: str) -> bool:
    """Whether two spellings mean one value, as 1GiB and 1073741824 do; words after a comma are ignored."""
    found = found.partition(",")[0]
    try:
        return asked == found or parse_quantity(asked, BYTES).value == parse_quantity(found, BYTES).value
    except ValueError:
        return False


def _metric_lines(window: WindowRecord, broken: Sequence[str]) -> Iterator[str]:
    results, units = readings(window), {metric.name: metric.unit for metric in window.metrics}
    rows = []
    for group, names in KEY_METRICS:
        cells = [(name, results[name]) for name in names if name in results]
        texts = [f"{name} {value_text(cell.value, units[name])}" for name, cell in cells if isinstance(cell, Reading)]
        if texts:
            rows.append((group, *texts, *[""] * (4 - len(texts))))
    yield from (f"  {line}" for line in columns(rows, gap=3))
    if by_size := size_class_text(window.size_classes) if _ALLOCATION.intersection(broken) else "":
        yield from wrapped(by_size, _WIDTH, "  ")
    yield from (f"  load: {_load_text(load)}" for load in window.loads)


def _load_text(load: LoadSummary) -> str:
    asked = "" if load.rate_asked is None else f" of {load.rate_asked:.4g}/s asked"
    statuses = ", ".join(f"{status}: {count}" for status, count in load.statuses.items())
    text = f"{load.requests} requests in {load.duration:.1f} s ({load.rate:.4g}/s{asked}), {load.errors} errors"
    return printable(text + (f"; {statuses}" if statuses else ""))


def _section(title: str, entries: Sequence[str]) -> Iterator[str]:
    if entries:
        yield f"  {title}"
        yield from (f"    {printable(entry)}" for entry in entries)


def _log_lines(log: str) -> Iterator[str]:
    lines = printable_lines(log.rstrip()).split("\n") if log.strip() else []
    title = f"last {LOG_LINES} of the {len(lines)} log lines kept" if len(lines) > LOG_LINES else "end of the log"
    yield from _section(title, lines[-LOG_LINES:])
