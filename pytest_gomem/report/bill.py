"""Owns the text of a bill: its rows as a small table, largest first, and the sentence that says where to look."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.measure.bill import ROW_KINDS, Bill, Row, sentence
from pytest_gomem.measure.bill_metrics import bill_of
from pytest_gomem.report.text import columns, percent, wrapped
from pytest_gomem.results.window_record import BillRecord, BillRow

_TELLING = 0.05  # of RSS: less of a change says nothing
OPENING = "at the opening"
IN_BASELINE = "in the baseline"


def bill_record(bill: Bill, baseline: Bill | None = None, standing: str = "") -> BillRecord:
    """What the reports tell of a bill; baseline: the bill it stands against. standing: what that is, in words."""
    before = {} if baseline is None else {row.name: row.bytes for row in baseline.rows}
    rows = tuple(
        BillRow(row.name, row.bytes, row.bytes / bill.rss if bill.rss else 0.0, before.get(row.name))
        for row in bill.rows
    )
    return BillRecord(rows, bill.rss, bill.explained, sentence(bill, baseline), standing)


def window_bill_record(close: Bill, opening: Bill | None) -> BillRecord:
    """The bill at a window's close, next to that of its opening where the two differ by enough to tell something."""
    if opening is None or abs(close.rss - opening.rss) <= _TELLING * close.rss:
        return bill_record(close)
    return bill_record(close, opening, OPENING)


def against(bill: BillRecord, base: BillRecord) -> BillRecord:
    """The bill with the sentence that says what changed most since the base, where both have the same rows."""
    return replace(bill, sentence=sentence(_plain(bill), _plain(base)))


def next_to_kept(bill: BillRecord, rounds: Iterable[Mapping[str, float]]) -> BillRecord:
    """The bill next to that of a baseline's round in the middle, by RSS; as it is where its rounds lack a row.

    rounds: what each measured, by metric. The medians of rows, of several rounds, would not sum to an RSS that was.
    """
    found = (bill_of(figures, [row.name for row in bill.rows]) for figures in rounds)
    kept = sorted((one for one in found if one is not None), key=lambda one: one.rss)
    return bill_record(_plain(bill), kept[(len(kept) - 1) // 2], IN_BASELINE) if kept else bill


def _plain(bill: BillRecord) -> Bill:
    return Bill(tuple(Row(row.name, row.bytes) for row in bill.rows), 0, 0)


def bill_lines(bill: BillRecord, width: int, base: BillRecord | None = None) -> Iterator[str]:
    """A title, the rows that are not 0 with their size and share, and the sentence in lines of at most `width`.

    base: the bill of the other side of a comparison, whose sizes stand behind; without one those of the opening do.
    """
    yield f"resident memory: {_size(bill.rss)}" + (f"; on the base side {_size(base.rss)}" if base else "")
    there = {row.name: row.bytes for row in base.rows} if base else _before(bill)
    words = "base {}" if base else f"{{}} {printable(bill.against)}"
    rows = sorted((row for row in bill.rows if row.bytes or there.get(row.name)), key=lambda row: -row.bytes)
    cells = [
        (f"  {_title(row.name)}", _size(row.bytes), percent(row.share), _beside(row, there, words)) for row in rows
    ]
    yield from columns(cells, right=(1, 2), gap=3)
    yield from wrapped(printable(bill.sentence), width, "  ")


def _before(bill: BillRecord) -> Mapping[str, int]:
    """The rows of the bill that this one stands against, {} where it stands alone."""
    return {row.name: row.before for row in bill.rows if row.before is not None} if bill.against else {}


def _beside(row: BillRow, there: Mapping[str, int], words: str) -> str:
    """The row's size in the other bill, "" where that has no such row."""
    return words.replace("{}", _size(there[row.name])) if row.name in there else ""


def _size(size: int) -> str:
    return format_value(size, BYTES)


def _title(name: str) -> str:
    """A row that only another release knows, as a report may hold, keeps its name."""
    return ROW_KINDS[name].title if name in ROW_KINDS else printable(name)
