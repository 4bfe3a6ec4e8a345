"""Owns the text of a bill: its rows as a small table, largest first, and the sentence that says where to look."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_gomem.measure.bill import ROW_KINDS, Bill, sentence
from pytest_gomem.quantity import BYTES, format_value
from pytest_gomem.report.model import BillRecord, BillRow
from pytest_gomem.report.text import columns, percent, printable, wrapped


def bill_record(bill: Bill, baseline: Bill | None = None) -> BillRecord:
    """What the reports tell of a bill; `baseline` is the bill of the same work before, for the sentence."""
    rows = tuple(BillRow(row.name, row.bytes, row.bytes / bill.rss if bill.rss else 0.0) for row in bill.rows)
    return BillRecord(rows, bill.rss, bill.explained, sentence(bill, baseline))


def bill_lines(bill: BillRecord, width: int) -> Iterator[str]:
    """A title, the rows that are not 0 with their size and share, and the sentence in lines of at most `width`."""
    yield f"resident memory: {_size(bill.rss)}"
    rows = sorted((row for row in bill.rows if row.bytes), key=lambda row: -row.bytes)
    cells = [(f"  {_title(row.name)}", _size(row.bytes), percent(row.share)) for row in rows]
    yield from columns(cells, right=(1, 2), gap=3)
    yield from wrapped(printable(bill.sentence), width, "  ")


def _size(size: int) -> str:
    return format_value(size, BYTES)


def _title(name: str) -> str:
    """A row that only another release knows, as a report may hold, keeps its name."""
    return ROW_KINDS[name].title if name in ROW_KINDS else printable(name)
