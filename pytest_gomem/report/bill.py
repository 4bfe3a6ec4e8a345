"""The text of an RSS breakdown: its rows, largest first, where to look, and how to lower a broken figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.config.memory_limit import MEMORY_LIMIT
from pytest_gomem.judge.oom import OOM
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.bill import ROW_KINDS, advice_of
from pytest_gomem.measure.death_spiral import DEATH_SPIRAL
from pytest_gomem.measure.metric import Reading
from pytest_gomem.report.text import columns, percent, readings, wrapped
from pytest_gomem.results.window_record import BillRecord, BillRow, WindowRecord
from pytest_gomem.stats.decision import Status


def bill_lines(bill: BillRecord, width: int, base: BillRecord | None = None) -> Iterator[str]:
    """A title, the rows that are not 0 with their size and share, and the sentence in lines of at most `width`.

    base: the bill of the other side of a comparison, for a last column; without one, the opening's.
    """
    yield f"resident memory: {_size(bill.rss)}" + (f"; on the base side {_size(base.rss)}" if base else "")
    there = {row.name: row.bytes for row in base.rows} if base else _before(bill)
    words = "base {}" if base else f"{{}} {printable(bill.against)}"
    rows = sorted((row for row in bill.rows if row.bytes or there.get(row.name)), key=lambda row: -row.bytes)
    cells = [
        (f"  {_title(row.name)}", _size(row.bytes), percent(row.share), _other_size(row, there, words)) for row in rows
    ]
    yield from columns(cells, right=(1, 2), gap=3)
    yield from wrapped(printable(bill.sentence), width, "  ")


def limit_sentence(window: WindowRecord) -> str:
    """What stands beside the bill of a service with a memory limit; "" without one."""
    limit = window.gc.effective.get(MEMORY_LIMIT)
    if not limit:
        return ""
    found = {name: reading for name, reading in readings(window).items() if isinstance(reading, Reading)}
    sizes = {name: _size(round(found[name].value)) for name in _OF_LIMIT if name in found}
    told = [f"{sizes[name]} {words}" for name, words in _OF_LIMIT.items() if name in sizes]
    return printable(f"Memory limit {limit}: {', '.join(told) or 'nothing is known of its use'}.")


def _before(bill: BillRecord) -> Mapping[str, int]:
    """The rows of the bill to compare with, {} if there is none."""
    return {row.name: row.before for row in bill.rows if row.before is not None} if bill.against else {}


def _other_size(row: BillRow, there: Mapping[str, int], words: str) -> str:
    """The row's size in the other bill, "" if that has no such row."""
    return words.replace("{}", _size(there[row.name])) if row.name in there else ""


def _size(size: int) -> str:
    return format_value(size, BYTES)


def _title(name: str) -> str:
    """The row's title; a row of another release keeps its name."""
    return ROW_KINDS[name].title if name in ROW_KINDS else printable(name)


_MADE = frozenset(
    {"total_alloc", "allocs", "alloc_rate", "alloc_bytes_per_op", "allocs_per_op", "alloc_space", "alloc_objects"}
)
_REACHED = frozenset({"live_heap", "heap_objects", "inuse_space", "inuse_objects"})
_OF_LIMIT = {
    "memory_headroom": "were left at the peak",
    "cgroup_peak": "the peak of its cgroup",
    "cgroup_anon_peak": "that of its anonymous memory",
}
_PEAKS = frozenset({"peak_rss", "peak_pss", "peak_heap", "cgroup_peak", "cgroup_anon_peak"})
_RESIDENT = frozenset({*_PEAKS, "end_rss", "start_rss", "memory_headroom", "heap_sys", "runtime_overhead"})
_GONE = 0.8  # of a peak: with less at the close, the bill does not explain it
_WORTH_SAYING = 1 << 20  # bytes of the live heap that are not resident; fewer are not mentioned


def with_advice(window: WindowRecord) -> WindowRecord:
    """The window, with advice on its broken limits in its bill.

    None is needed if a broken limit is of resident memory; else the advice is on the first limit.
    """
    if window.bill is None:
        return window
    unasked = (OOM, DEATH_SPIRAL)  # whose own words say what to do
    broken = [one for one in window.verdicts if one.status is Status.FAIL and one.kind not in unasked]
    advice = [_advice(verdict, window.bill) for verdict in broken]
    sentence = advice[0] if advice and all(advice) else window.bill.sentence
    words = " ".join(part for part in (sentence, _untouched(window)) if part)
    return replace(window, bill=replace(window.bill, sentence=words))


def _advice(broken: Verdict, bill: BillRecord) -> str:
    """How to lower the figure; "" if the bill itself says so."""
    name, row = broken.budget.metric, broken.budget.metric.removeprefix("rss_")
    if name in _MADE:
        return (
            f"The limit on {name} counts what was allocated, and this bill shows what stayed. Allocate less: the "
            "allocs profile (alloc_space, alloc_objects) names the functions."
        )
    if name in _REACHED:
        return f"The limit on {name} counts what is still reachable: {advice_of('live_heap')}."
    if name in ("goroutines", "stack_inuse"):
        return f"The limit on {name} counts goroutines: {advice_of('stacks')}."
    if row != name and row in ROW_KINDS:
        return f"The limit on {name} counts one row: {advice_of(row)}."
    if name not in _RESIDENT:
        return f"The limit on {name} is not of resident memory: no row of this bill explains it."
    if name in _PEAKS and broken.actual is not None and bill.rss < _GONE * broken.actual:
        return (
            f"The peak of {format_value(broken.actual, BYTES)} was gone at the close, when this bill was made: the "
            "heap profile of the peak (peak_profile: true, with the agent) names its functions."
        )
    return ""


def _untouched(window: WindowRecord) -> str:
    """Why the bill's live heap is less than the metric; "" if the two hardly differ.

    The metrics are of all rounds; the bill is the last round's, which may have held less.
    """
    counted, resident = (readings(window).get(name) for name in ("live_heap", "rss_live_heap"))
    if not isinstance(counted, Reading) or not isinstance(resident, Reading):
        return ""
    if counted.value - resident.value < _WORTH_SAYING:
        return ""
    whole, missing = format_value(counted.value, BYTES), format_value(counted.value - resident.value, BYTES)
    return f"live_heap counts {whole}: {missing} of it are pages that were never touched, or are swapped out."
