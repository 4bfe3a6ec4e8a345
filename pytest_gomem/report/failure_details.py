"""What stands below the first screen of a failure: limits, settings, key metrics, loads, notes, artifacts, the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from pytest_gomem.attribution.modules import ModuleChange
from pytest_gomem.base.printable import printable, printable_lines
from pytest_gomem.base.units import BYTES, COUNT, format_value, parse_quantity
from pytest_gomem.config.budgets import Budget
from pytest_gomem.config.gc_settings import DEFAULT_GOMAXPROCS
from pytest_gomem.judge.figures import asked_by, value_of
from pytest_gomem.judge.functions import FunctionValue
from pytest_gomem.judge.objects import TypeValue, coverage_text
from pytest_gomem.judge.regressions import BY_DEFAULT, interval_text
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.allocation import SizeClassGrowth
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.peak import PeakMoment
from pytest_gomem.measure.work import LoadSummary
from pytest_gomem.report.accepted import accepted_text
from pytest_gomem.report.text import (
    budget_name,
    clip_end,
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

WIDTH = 110
FEW_CHANGES = 3  # of modules, on the first screen
KEY_METRICS = (
    ("memory", ("peak_rss", "start_rss", "end_rss")),
    ("limit", ("memory_headroom", "cgroup_peak", "cgroup_anon_peak")),
    ("heap", ("live_heap", "peak_heap", "heap_goal", "heap_objects")),
    ("allocation", ("total_alloc", "alloc_bytes_per_op", "allocs_per_op")),
    ("gc", ("gc_cycles", "gc_pause_max", "gc_pause_p99", "gc_cpu")),
    ("work", ("ops", "throughput", "latency_p99", "error_rate")),
    ("leaks", ("goroutines", "leaked_goroutines", "heap_growth_per_op", "goroutine_growth_per_op", "time_to_limit")),
)
_ALLOCATION = frozenset({"total_alloc", "allocs", "alloc_rate", "alloc_bytes_per_op", "allocs_per_op"})
_PEAKS = ("peak_rss", "peak_heap")
_SHOWN = 4
_GC_DEFAULTS = MappingProxyType(
    {"gogc": "100", "gomemlimit": "off", "gomaxprocs": str(DEFAULT_GOMAXPROCS), "manual_gc": "off"}
)


def limit_lines(verdicts: Sequence[Verdict], window: WindowRecord) -> Iterator[str]:
    """For each verdict where its limit comes from, how it was judged, and what its figure was read from."""
    if verdicts:
        yield "  limits"
    for verdict in verdicts:
        yield from wrapped(f"{budget_name(verdict)}: {'; '.join(details_of(verdict, window))}", WIDTH, "    ")


def details_of(verdict: Verdict, window: WindowRecord) -> Iterator[str]:
    """Where a limit comes from, how it was judged, and what its figure was read from, a clause each."""
    yield _declared(verdict)
    if verdict.accepted:
        yield accepted_text(verdict.accepted)
    if verdict.status is Status.UNAVAILABLE:
        yield f"its limit of {limit_text(verdict)} fails, because unmeasured is not passed"
    if verdict.rounds:
        yield _rounds(verdict)
    if verdict.smallest_visible:
        yield _visible_text(verdict, window)
    if _has_moment(verdict) and window.peak_moment:
        yield _peak_text(window.peak_moment, window.duration)
    if verdict.budget.glob and (detail := counted_detail(verdict.budget, window.counted)):
        yield detail
    reading = judged_reading(window, verdict)
    if isinstance(reading, Reading):
        origin = (f"read from {reading.source}" if reading.source else "", reading.precision, reading.note)
        yield from filter(None, origin)


def _declared(verdict: Verdict) -> str:
    if verdict.budget.scope == BY_DEFAULT:
        return f"{BY_DEFAULT}; more than {verdict.limit.written} counts, if it stands out of the rounds' scatter"
    place = str(verdict.budget.place)
    return f"declared at {place} ({verdict.budget.scope})" if place else verdict.budget.scope


def _rounds(verdict: Verdict) -> str:
    """Such as "8 rounds of each side, 95% sure of +24.6% to +24.8%"."""
    base, head = verdict.rounds or (0, 0)
    rounds = f"{head} rounds of each side" if base == head else f"{head} rounds against {base}"
    interval = interval_text(verdict.baseline, verdict.interval)
    return f"{rounds}, 95% sure of {interval}" if interval else rounds


def _visible_text(verdict: Verdict, window: WindowRecord) -> str:
    unit = metric_unit(window, verdict.budget.metric, verdict.limit.unit.name)
    least = value_text(verdict.smallest_visible or 0.0, unit)
    return f"a change of {least} or more is found 19 times in 20"


def _has_moment(verdict: Verdict) -> bool:
    """Whether the verdict is about the peak of the whole window, the only one with a known moment."""
    return verdict.budget.metric in _PEAKS and verdict.actual is not None and not verdict.budget.phase


def _peak_text(moment: PeakMoment, duration: float) -> str:
    """When the peak came, as exactly as the samples show, and where it started from."""
    earliest, latest = f"{moment.earliest:.2f} s", f"{moment.latest:.2f} s"
    when = f"at {latest}" if earliest == latest else f"between {earliest} and {latest}"
    floor = f"; it stood at {format_value(moment.floor, BYTES)} at the start" if moment.floor else ""
    return f"RSS peaked {when} of {duration:.2f} s{floor}"


def counted_detail(budget: Budget, values: Iterable[FunctionValue | TypeValue]) -> str:
    """Such as "of 3 functions and what they call, estimated from samples: one in 8.19 kB"; "" without a value."""
    value = value_of(asked_by(budget), values)
    if value is None:
        return ""
    if isinstance(value, TypeValue):
        types = "1 type" if value.matched == 1 else f"{value.matched} types"
        return f"of {types} in a heap dump; {coverage_text(value)}"
    functions = "1 function" if value.matched == 1 else f"{value.matched} functions"
    sampled = "every allocation was sampled"
    if value.rate > 1:
        sampled = f"estimated from samples: one in {format_value(value.rate, BYTES)}"
    return f"of {functions}{' and what they call' if value.cum else ''}, {sampled}"


def module_lines(changes: Sequence[ModuleChange]) -> Iterator[str]:
    """All modules with another version, if the first screen has no room for them."""
    if len(changes) > FEW_CHANGES:
        yield "  modules with another version"
        yield from (f"    {printable(change.text)}" for change in changes)


def settings_lines(requested: Mapping[str, str], effective: Mapping[str, str], *, whole: bool) -> Iterator[str]:
    """A table of the GC settings; only those that are not the usual ones, or not as asked for, unless `whole`."""
    rows = []
    for name in dict.fromkeys([*requested, *effective]):
        asked, found = requested.get(name, ""), effective.get(name, "")
        differs = bool(asked and found and not _same_setting(asked, found))
        if (asked or found) and (whole or differs or not _is_usual(name, asked, found)):
            mark = "<- differs" if differs else ""
            rows.append((f"  {printable(name)}", printable(asked) or "-", printable(found) or "-", mark))
    if rows:
        table = columns([("GC settings", "requested", "effective", ""), *rows], gap=3)
        yield from (f"  {line}" for line in table)


def _same_setting(asked: str, found: str) -> bool:
    """Whether two spellings mean one value, as 1GiB and 1073741824 do; words after a comma are ignored."""
    asked, found = asked.partition(", ")[0], found.partition(",")[0]
    try:
        return asked == found or parse_quantity(asked, BYTES).value == parse_quantity(found, BYTES).value
    except ValueError:
        return False


def _is_usual(name: str, asked: str, found: str) -> bool:
    """Whether neither side says anything but the default."""
    return {value for value in (asked, found.partition(",")[0]) if value} == {_GC_DEFAULTS.get(name)}


def metric_lines(window: WindowRecord, broken: Sequence[str]) -> Iterator[str]:
    """The key metrics of the window in groups; what was allocated by size if a limit on that is broken; its loads."""
    results, units = readings(window), {metric.name: metric.unit for metric in window.metrics}
    rows = []
    for group, names in KEY_METRICS:
        cells = [(name, results[name]) for name in names if name in results]
        texts = [f"{name} {value_text(cell.value, units[name])}" for name, cell in cells if isinstance(cell, Reading)]
        if texts:
            rows.append((group, *texts))
    most = max(map(len, rows), default=0)
    padded = [(*row, *[""] * (most - len(row))) for row in rows]
    yield from (f"  {line}" for line in columns(padded, gap=3))
    if by_size := size_class_text(window.size_classes) if _ALLOCATION.intersection(broken) else "":
        yield from wrapped(by_size, WIDTH, "  ")
    for text in load_texts(window):
        yield from wrapped(f"load: {text}", WIDTH, "  ")


def load_texts(window: WindowRecord) -> list[str]:
    """Its loads, a text each; those that asked for the same are one."""
    return [_load_text(load, times) for load, times in _alike(window.loads)]


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


def _alike(loads: Sequence[LoadSummary]) -> Iterator[tuple[LoadSummary, int]]:
    """The loads, those that asked for the same as one, and how many that is."""
    groups: dict[tuple[int, float | None], list[LoadSummary]] = {}
    for load in loads:
        groups.setdefault((load.requests, load.rate_asked), []).append(load)
    for first, *others in groups.values():
        every = (first, *others)
        duration = sum(load.duration for load in every)
        statuses = Counter[str]()
        for load in every:
            statuses.update(load.statuses)
        rate = len(every) * first.requests / duration if others and duration else first.rate
        errors = sum(load.errors for load in every)
        yield replace(first, duration=duration, rate=rate, errors=errors, statuses=statuses), len(every)


def _load_text(load: LoadSummary, times: int) -> str:
    asked = "" if load.rate_asked is None else f" of {load.rate_asked:.4g}/s asked"
    statuses = ", ".join(f"{status}: {count}" for status, count in load.statuses.items())
    each = f"{times} x " if times > 1 else ""
    text = f"{each}{load.requests} requests in {load.duration:.1f} s ({load.rate:.4g}/s{asked}), {load.errors} errors"
    return printable(text + (f"; {statuses}" if statuses else ""))


def note_lines(notes: Sequence[str]) -> Iterator[str]:
    """The notes under a title, each from a new line on."""
    if notes:
        yield "  notes"
        for note in notes:
            yield from wrapped(note, WIDTH, "    ")


def artifact_lines(artifacts: Mapping[str, str]) -> Iterator[str]:
    """The files that were kept, under a title."""
    if artifacts:
        yield "  artifacts"
        yield from (f"    {printable(f'{name}: {path}')}" for name, path in artifacts.items())


def log_lines(log: str, *, whole: bool) -> Iterator[str]:
    """The lines of the log that were kept, under a title; cut at WIDTH unless `whole`."""
    if log.strip():
        yield "  end of the log"
        lines = (f"    {printable(line)}" for line in printable_lines(log.rstrip()).split("\n"))
        yield from lines if whole else (clip_end(line, WIDTH) for line in lines)
