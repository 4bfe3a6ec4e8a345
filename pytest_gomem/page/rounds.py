"""The rounds of a test for the page: a dot for each, of both sides."""

from __future__ import annotations

import math
from typing import Any

from pytest_gomem.base.printable import printable
from pytest_gomem.report.text import metric_unit, value_text
from pytest_gomem.results.window_record import WindowRecord

Json = dict[str, Any]
_USUAL = ("peak_rss", "live_heap", "alloc_bytes_per_op", "allocs_per_op")


def rounds_of(window: WindowRecord) -> list[Json]:
    """For each judged metric what each round measured; nothing for a single round."""
    judged = [verdict.budget.metric for verdict in window.verdicts if not verdict.budget.glob]
    wanted = dict.fromkeys((*judged, *_USUAL))
    return [found for metric in wanted if (found := _dots(window, metric))] if len(window.rounds) > 1 else []


def _dots(window: WindowRecord, metric: str) -> Json | None:
    head = _values(window, metric)
    base = _values(window.base, metric) if window.base else []
    if len(head) < 2:
        return None
    unit = metric_unit(window, metric)
    least, most = min(*head, *base), max(*head, *base)
    return {
        "name": printable(metric),
        "head": head,
        "base": base,
        "least": value_text(least, unit),
        "most": value_text(most, unit),
        "texts": [value_text(value, unit) for value in head],
        "base_texts": [value_text(value, unit) for value in base],
    }


def _values(window: WindowRecord, metric: str) -> list[float]:
    """Those that are finite, to 6 digits."""
    found = (figures.get(metric) for figures in window.rounds)
    return [float(f"{value:.6g}") for value in found if value is not None and math.isfinite(value)]
