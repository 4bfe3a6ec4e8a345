"""The bill of resident memory as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gomem.results.window_record import BillRecord, BillRow


def bill_to_dict(bill: BillRecord | None) -> dict[str, Any] | None:
    """A bill, None where there is none."""
    if bill is None:
        return None
    rows = [{"name": row.name, "bytes": row.bytes, "share": row.share, "before": row.before} for row in bill.rows]
    return {
        "rows": rows,
        "rss": bill.rss,
        "explained": bill.explained,
        "sentence": bill.sentence,
        "against": bill.against,
    }


def bill_from_dict(data: Mapping[str, Any]) -> BillRecord:
    """The bill that was sent."""
    rows = tuple(BillRow(**row) for row in data["rows"])
    return BillRecord(rows, data["rss"], data["explained"], data["sentence"], data["against"])
