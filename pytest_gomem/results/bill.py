"""Makes the record of an RSS breakdown, by itself or next to another one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from pytest_gomem.measure.bill import Bill, Row, sentence
from pytest_gomem.measure.bill_metrics import bill_of
from pytest_gomem.results.window_record import BillRecord, BillRow

_TELLING = 0.05  # of RSS: smaller changes mean nothing
OPENING = "at the opening"
IN_BASELINE = "in the baseline"


def bill_record(bill: Bill, baseline: Bill | None = None, standing: str = "") -> BillRecord:
    """A bill as reports show it. baseline: the bill to compare with. standing: what that bill is, in words."""
    before = {} if baseline is None else {row.name: row.bytes for row in baseline.rows}
    rows = tuple(
        BillRow(row.name, row.bytes, row.bytes / bill.rss if bill.rss else 0.0, before.get(row.name))
        for row in bill.rows
    )
    return BillRecord(rows, bill.rss, bill.explained, sentence(bill, baseline), standing)


def window_bill_record(close: Bill, opening: Bill | None) -> BillRecord:
    """The bill at a window's close, next to that of its opening if the two differ enough."""
    if opening is None or abs(close.rss - opening.rss) <= _TELLING * close.rss:
        return bill_record(close)
    return bill_record(close, opening, OPENING)


def against(bill: BillRecord, base: BillRecord) -> BillRecord:
    """The bill, with a sentence on what changed most since the base if both have the same rows."""
    return replace(bill, sentence=sentence(_plain(bill), _plain(base)))


def next_to_kept(bill: BillRecord, rounds: Iterable[Mapping[str, float]]) -> BillRecord:
    """The bill next to that of the baseline's median round, by RSS; unchanged if the rounds lack a row.

    rounds: the figures of each, by metric. The rows of one round sum to its RSS; medians of each row would not.
    """
    found = (bill_of(figures, [row.name for row in bill.rows]) for figures in rounds)
    kept = sorted((one for one in found if one is not None), key=lambda one: one.rss)
    return bill_record(_plain(bill), kept[(len(kept) - 1) // 2], IN_BASELINE) if kept else bill


def _plain(bill: BillRecord) -> Bill:
    return Bill(tuple(Row(row.name, row.bytes) for row in bill.rows), 0, 0)
