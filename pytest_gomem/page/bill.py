"""The bill of resident memory for the page: its rows next to those it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.measure.bill import ROW_KINDS
from pytest_gomem.results.window_record import BillRecord, BillRow, WindowRecord

Json = dict[str, Any]


def bill_of(window: WindowRecord) -> Json | None:
    """The largest row first; next to the base side's, else next to what the bill itself stands next to."""
    bill = window.bill
    if bill is None:
        return None
    base = window.base.bill if window.base else None
    there = _before(bill, base)
    rows = [_row(row, there) for row in bill.rows if row.bytes or there.get(row.name)]
    return {
        "rss": bill.rss,
        "size": format_value(bill.rss, BYTES),
        "rows": sorted(rows, key=lambda row: -row["bytes"]),
        "against": ("on the base side" if base else printable(bill.against)) if there else "",
        "was": sum(there.values()) if there else None,
        "sentence": printable(bill.sentence),
    }


def _before(bill: BillRecord, base: BillRecord | None) -> Mapping[str, int]:
    if base:
        return {row.name: row.bytes for row in base.rows}
    return {row.name: row.before for row in bill.rows if row.before is not None} if bill.against else {}


def _row(row: BillRow, there: Mapping[str, int]) -> Json:
    kind = ROW_KINDS.get(row.name)
    was = there.get(row.name)
    return {
        "name": kind.title if kind else printable(row.name),
        "hint": f"{kind.look}: {kind.remedy}" if kind else "",
        "bytes": row.bytes,
        "size": format_value(row.bytes, BYTES),
        "was": was,
        "before": "" if was is None else format_value(was, BYTES),
    }
