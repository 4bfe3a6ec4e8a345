"""Owns the metrics of the bill: each row of a process's resident memory, at the window's close."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from pytest_gomem.measure.bill import ROW_KINDS, Bill, Row, window_bill
from pytest_gomem.measure.metric import Better, Compute, Metric, Noise, Reading, Unavailable, metric
from pytest_gomem.measure.sources import AT_REST, MEMSTATS, ON_RETURNED_MEMORY, after_gc
from pytest_gomem.measure.window import Missing, Window
from pytest_gomem.quantity import BYTES, format_value

_SMAPS = "/proc/PID/smaps"
_BOTH = f"{_SMAPS} and {MEMSTATS} at the close"
_PREFIX = "rss_"  # of the metric of a row


def _bill_metric(row: str, noise: Noise = Noise.MODERATE, redefined: Sequence[str] = ()) -> Callable[[Compute], Metric]:
    return metric(
        group="bill",
        unit=BYTES,
        better=Better.LOWER,
        noise=noise,
        sources=(_BOTH,),
        precision=ROW_KINDS[row].precision,
        redefined=redefined,
    )


def _reading(window: Window, name: str) -> Reading:
    bill = window_bill(window)
    row = bill.find(name)
    if row is None:
        after_gc(window)  # raises with the reason: only a reading that is missing makes rows collapse
        raise AssertionError(f"the bill has no row {name}")
    source = _SMAPS if isinstance(window.memstats, Missing) else _BOTH
    return Reading(row.bytes, source, note=_note(window, bill, name))


def _note(window: Window, bill: Bill, name: str) -> str:
    if name == "live_heap" and bill.untouched:
        return f"{format_value(bill.untouched, BYTES)} that the runtime counts in its heap are not resident"
    if name == "cgo" and isinstance(window.memstats, Missing):
        return "at most: without MemStats the runtime's tables are in it, unless the kernel names Go's mappings"
    return ""


@_bill_metric("live_heap", redefined=AT_REST)
def rss_live_heap(window: Window) -> Reading | Unavailable:
    """Resident memory of objects that are still reachable after the window."""
    return _reading(window, "live_heap")


@_bill_metric("garbage", Noise.NOISY, AT_REST)
def rss_garbage(window: Window) -> Reading | Unavailable:
    """Resident memory of objects that nothing reaches, which the collector has not freed yet."""
    return _reading(window, "garbage")


@_bill_metric("fragmentation")
def rss_fragmentation(window: Window) -> Reading | Unavailable:
    """Resident memory of spans in use that no object fills."""
    return _reading(window, "fragmentation")


@_bill_metric("free", Noise.NOISY, ON_RETURNED_MEMORY)
def rss_free(window: Window) -> Reading | Unavailable:
    """Resident heap pages that are free and not given back to the system."""
    return _reading(window, "free")


@_bill_metric("stacks")
def rss_stacks(window: Window) -> Reading | Unavailable:
    """Resident memory of goroutine stacks, and of the main thread's."""
    return _reading(window, "stacks")


@_bill_metric("runtime")
def rss_runtime(window: Window) -> Reading | Unavailable:
    """Resident memory of the runtime's own tables: spans, caches, profile buckets, the collector."""
    return _reading(window, "runtime")


@_bill_metric("files")
def rss_files(window: Window) -> Reading | Unavailable:
    """Resident pages of the binary (text, data, bss), of libraries and of mapped files."""
    return _reading(window, "files")


@_bill_metric("cgo")
def rss_cgo(window: Window) -> Reading | Unavailable:
    """Resident anonymous memory that is not Go's: malloc, mmap, threads of C, shared memory."""
    return _reading(window, "cgo")


@_bill_metric("huge_pages")
def rss_huge_pages(window: Window) -> Reading | Unavailable:
    """Heap pages that Go has given back or never used, resident because the kernel backs them by huge pages."""
    return _reading(window, "huge_pages")


@_bill_metric("unexplained", Noise.NOISY)
def rss_unexplained(window: Window) -> Reading | Unavailable:
    """Resident memory of the heap's arenas that no figure of the runtime accounts for."""
    return _reading(window, "unexplained")


METRICS = (
    rss_live_heap,
    rss_garbage,
    rss_fragmentation,
    rss_free,
    rss_stacks,
    rss_runtime,
    rss_files,
    rss_cgo,
    rss_huge_pages,
    rss_unexplained,
)


def bill_of(figures: Mapping[str, float], rows: Iterable[str]) -> Bill | None:
    """The bill of these rows that kept figures of the metrics make; None where they lack one of them.

    What is in no row, untouched and swapped out, is not known of it, and given as 0.
    """
    names = {row: f"{_PREFIX}{row}" for row in rows}
    if not figures.keys() >= set(names.values()):
        return None
    return Bill(tuple(Row(row, round(figures[name])) for row, name in names.items()), 0, 0)
