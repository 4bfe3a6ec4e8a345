"""The metrics of the RSS breakdown: each row of a process's resident memory, at the window's close."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_gomem.base.unavailable import known
from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.measure.bill import ROW_KINDS, Bill, Row, window_bill
from pytest_gomem.measure.metric import Better, Metric, Noise, Reading
from pytest_gomem.measure.window import Window
from pytest_gomem.measure.window_sources import AT_REST, MEMSTATS, ON_RETURNED_MEMORY, after_gc

_SMAPS = "/proc/PID/smaps"
_BOTH = f"{_SMAPS} and {MEMSTATS} at the close"
_PREFIX = "rss_"  # of the metric of a row


def _row_metric(row: str, doc: str, noise: Noise = Noise.MODERATE, redefined: tuple[str, ...] = ()) -> Metric:
    return Metric(
        name=f"{_PREFIX}{row}",
        group="bill",
        unit=BYTES,
        better=Better.LOWER,
        noise=noise,
        sources=(_BOTH,),
        doc=doc,
        compute=lambda window: _reading(window, row),
        precision=ROW_KINDS[row].precision,
        redefined=redefined,
    )


def _reading(window: Window, name: str) -> Reading:
    bill = window_bill(window)
    row = bill.find(name)
    if row is None:
        after_gc(window)  # raises with the reason: only a reading that is missing makes rows collapse
        raise AssertionError(f"the bill has no row {name}")
    source = _SMAPS if known(window.memstats) is None else _BOTH
    return Reading(row.bytes, source, note=_note(window, bill, name))


def _note(window: Window, bill: Bill, name: str) -> str:
    if name == "live_heap" and bill.untouched:
        return f"{format_value(bill.untouched, BYTES)} that the runtime counts in its heap are not resident"
    if name == "cgo" and known(window.memstats) is None:
        return "at most: without MemStats the runtime's tables are in it, unless the kernel names Go's mappings"
    return ""


METRICS = (
    _row_metric(
        "live_heap", "Resident memory of objects that are still reachable after the window.", redefined=AT_REST
    ),
    _row_metric(
        "garbage",
        "Resident memory of objects that nothing reaches, which the collector has not freed yet.",
        Noise.NOISY,
        AT_REST,
    ),
    _row_metric("fragmentation", "Resident memory of spans in use that no object fills."),
    _row_metric(
        "free",
        "Resident heap pages that are free and not given back to the system.",
        Noise.NOISY,
        ON_RETURNED_MEMORY,
    ),
    _row_metric("stacks", "Resident memory of goroutine stacks, and of the main thread's."),
    _row_metric(
        "runtime", "Resident memory of the runtime's own tables: spans, caches, profile buckets, the collector."
    ),
    _row_metric("files", "Resident pages of the binary (text, data, bss), of libraries and of mapped files."),
    _row_metric("cgo", "Resident anonymous memory that is not Go's: malloc, mmap, threads of C, shared memory."),
    _row_metric(
        "huge_pages",
        "Heap pages that Go has given back or never used, resident because the kernel backs them by huge pages.",
    ),
    _row_metric(
        "unexplained", "Resident memory of the heap's arenas that no figure of the runtime accounts for.", Noise.NOISY
    ),
)


def bill_of(figures: Mapping[str, float], rows: Iterable[str]) -> Bill | None:
    """The bill made of kept figures of these metrics; None if one is missing.

    Untouched and swapped bytes are in no row and were not kept: they are 0.
    """
    names = {row: f"{_PREFIX}{row}" for row in rows}
    if not figures.keys() >= set(names.values()):
        return None
    return Bill(tuple(Row(row, round(figures[name])) for row, name in names.items()), 0, 0)
