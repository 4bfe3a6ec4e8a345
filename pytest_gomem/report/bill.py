"""Owns the text of a bill: its rows as a small table, largest first, and the sentence that says where to look."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pytest_gomem.measure.bill import ROW_KINDS, Bill, Row, sentence
from pytest_gomem.quantity import BYTES, format_value
from pytest_gomem.report.model import BillRecord, BillRow
from pytest_gomem.report.text import columns, percent, printable, wrapped


def bill_record(bill: Bill, baseline: Bill | None = None) -> BillRecord:
    """What the reports tell of a bill; `baseline` is the bill of the same work before, for the sentence."""
    rows = tuple(BillRow(row.name, row.bytes, row.bytes / bill.rss if bill.rss else 0.0) for row in bill.rows)
    return BillRecord(rows, bill.rss, bill.explained, sentence(bill, baseline))


def against(bill: BillRecord, base: BillRecord) -> BillRecord:
    """The bill with the sentence that says what changed most since the base, where both have the same rows."""
    both = [Bill(tuple(Row(row.name, row.bytes) for row in one.rows), 0, 0) for one in (bill, base)]
    return replace(bill, sentence=sentence(*both))


def bill_lines(bill: BillRecord, width: int, base: BillRecord | None = None) -> Iterator[str]:
    """A title, the rows that are not 0 with their size and share, and the sentence in lines of at most `width`.

    base: the bill of the other side of a comparison, whose sizes stand behind.
    """
    yield f"resident memory: {_size(bill.rss)}" + (f"; on the base side {_size(base.rss)}" if base else "")
    there = {row.name: row.bytes for row in base.rows} if base else {}
    rows = sorted((row for row in bill.rows if row.bytes or there.get(row.name)), key=lambda row: -row.bytes)
    cells = [(f"  {_title(row.name)}", _size(row.bytes), percent(row.share), _beside(row, there)) for row in rows]
    yield from columns(cells, right=(1, 2), gap=3)
    yield from wrapped(printable(bill.sentence), width, "  ")


def _beside(row: BillRow, there: Mapping[str, int]) -> str:
    """The row's size on the base side, "" where that has no such row."""
    return f"base {_size(there[row.name])}" if row.name in there else ""


def _size(size: int) -> str:
    return format_value(size, BYTES)


def _title(name: str) -> str:
    """A row that only another release knows, as a report may hold, keeps its name."""
    return ROW_KINDS[name].title if name in ROW_KINDS else printable(name)
