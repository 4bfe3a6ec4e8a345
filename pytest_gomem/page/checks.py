"""Known leaks, sources that disagree, and histograms of a window, for the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import COUNT, SECONDS, format_value
from pytest_gomem.judge.known_leaks import FoundLeak
from pytest_gomem.measure.cross_checks import UNITS, CrossCheck
from pytest_gomem.measure.quantiles import Bucket
from pytest_gomem.report.accepted import known_leak_text
from pytest_gomem.results.window_record import WindowRecord

Json = dict[str, Any]
_ROWS = 24  # of a histogram; more bars than fit a screen tell no more
_TITLES = {"gc_stops": "Stops of the world for the collector", "sched_latency": "Waits of goroutines for a processor"}


def known_leaks_of(window: WindowRecord) -> list[tuple[str, str, str]]:
    """What each entry of gomem_accepted.yaml means here, until when and by whom it is accepted, and why."""
    return [(printable(known_leak_text(one)), _accepted(one), printable(one.reason)) for one in window.known_leaks]


def _accepted(leak: FoundLeak) -> str:
    return printable(f"{'expired' if leak.is_over else 'until'} {leak.expires}, by {leak.owner}")


def disagreements_of(window: WindowRecord) -> list[tuple[str, str, str, str]]:
    """The quantities that two sources do not agree on: both values with their sources, and the difference allowed."""
    return [
        (printable(one.quantity), *_values(one), printable(one.precision))
        for one in window.cross_checks
        if not one.agrees
    ]


def _values(check: CrossCheck) -> tuple[str, str]:
    unit = UNITS.get(check.quantity, COUNT)
    first, second = (
        f"{format_value(value, unit)} by {printable(source)}"
        for source, value in zip(check.sources, check.values, strict=True)
    )
    return first, second


def histograms_of(window: WindowRecord) -> list[Json]:
    """For each histogram its ranges, with how many events were in each and the share of the fullest."""
    return [
        {
            "title": _TITLES.get(name, printable(name)),
            "count": sum(one.count for one in buckets),
            "rows": _bars(_joined(buckets)),
        }
        for name, buckets in window.histograms.items()
        if buckets
    ]


def _joined(buckets: Sequence[Bucket]) -> Sequence[Bucket]:
    """Neighbours as one, until they fit."""
    while len(buckets) > _ROWS:
        pairs = [buckets[at : at + 2] for at in range(0, len(buckets), 2)]
        buckets = [Bucket(pair[0].low, pair[-1].high, sum(one.count for one in pair)) for pair in pairs]
    return buckets


def _bars(buckets: Sequence[Bucket]) -> list[tuple[str, int, float]]:
    most = max(one.count for one in buckets) or 1
    return [(_range(one), one.count, round(one.count / most, 3)) for one in buckets]


def _range(bucket: Bucket) -> str:
    low, high = (format_value(edge, SECONDS) for edge in (bucket.low, bucket.high))
    if not math.isfinite(bucket.high):
        return f"{low} or more" if math.isfinite(bucket.low) else "of any length"
    return f"{low} to {high}" if math.isfinite(bucket.low) else f"below {high}"
