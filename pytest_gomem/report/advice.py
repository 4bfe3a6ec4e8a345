"""Owns what a window's bill advises: what lowers the figure whose limit broke, and how its live heap was counted."""

from __future__ import annotations

from dataclasses import replace

from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.judge.verdict import Status, Verdict
from pytest_gomem.measure.bill import ROW_KINDS, advice_of
from pytest_gomem.measure.metric import Reading
from pytest_gomem.report.text import readings
from pytest_gomem.results.window_record import BillRecord, WindowRecord

_MADE = frozenset(
    {"total_alloc", "allocs", "alloc_rate", "alloc_bytes_per_op", "allocs_per_op", "alloc_space", "alloc_objects"}
)
_REACHED = frozenset({"live_heap", "heap_objects", "inuse_space", "inuse_objects"})
_RESIDENT = frozenset({"peak_rss", "end_rss", "start_rss", "peak_pss", "peak_heap", "heap_sys", "runtime_overhead"})
_PEAKS = frozenset({"peak_rss", "peak_pss", "peak_heap"})
_GONE = 0.8  # of a peak: with less resident at the close, the bill does not explain it
_WORTH_SAYING = 1 << 20  # bytes of the live heap that are not resident: fewer need no words


def with_advice(window: WindowRecord) -> WindowRecord:
    """The window whose bill says what to do about the limits that broke, and where its live heap is.

    The bill speaks for itself where one of them is of what is resident; else the first limit is told of.
    """
    if window.bill is None:
        return window
    broken = [verdict for verdict in window.verdicts if verdict.status is Status.FAIL]
    told = [_advice(verdict, window.bill) for verdict in broken]
    sentence = told[0] if told and all(told) else window.bill.sentence
    words = " ".join(part for part in (sentence, _untouched(window)) if part)
    return replace(window, bill=replace(window.bill, sentence=words))


def _advice(broken: Verdict, bill: BillRecord) -> str:
    """What lowers the figure; "" where that is what the bill itself says."""
    name, row = broken.budget.metric, broken.budget.metric.removeprefix("rss_")
    if name in _MADE:
        return (
            f"The limit on {name} is of what was allocated, and this bill of what stayed: allocate less; the allocs "
            "profile (alloc_space, alloc_objects) names who does."
        )
    if name in _REACHED:
        return f"The limit on {name} is of what is still reached: {advice_of('live_heap')}."
    if name in ("goroutines", "stack_inuse"):
        return f"The limit on {name} is of goroutines: {advice_of('stacks')}."
    if row != name and row in ROW_KINDS:
        return f"The limit on {name} is of one row: {advice_of(row)}."
    if name not in _RESIDENT:
        return f"The limit on {name} is not of resident memory: no row of this bill explains it."
    if name in _PEAKS and broken.actual is not None and bill.rss < _GONE * broken.actual:
        return (
            f"The peak of {format_value(broken.actual, BYTES)} was gone at the close, of which this bill is: the heap "
            "profile of the peak (peak_profile: true, with the agent) names who made it."
        )
    return ""


def _untouched(window: WindowRecord) -> str:
    """Why the bill's live heap is less than the metric; "" where it hardly is.

    Both are metrics of the same rounds; the bill is the last round's, which may have held less.
    """
    counted, resident = (readings(window).get(name) for name in ("live_heap", "rss_live_heap"))
    if not isinstance(counted, Reading) or not isinstance(resident, Reading):
        return ""
    if counted.value - resident.value < _WORTH_SAYING:
        return ""
    whole, missing = format_value(counted.value, BYTES), format_value(counted.value - resident.value, BYTES)
    return f"live_heap counts {whole}: {missing} of it are pages that were never touched, or are swapped out."
