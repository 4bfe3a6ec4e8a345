"""Metrics and their courses as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pytest_gomem.measure.metric import Reading, Unavailable
from pytest_gomem.report.text import finite
from pytest_gomem.results.window_record import MetricValue, Series


def metric_to_dict(metric: MetricValue) -> dict[str, Any]:
    """A metric; what is not finite is None with the reason."""
    result = finite(metric.result)
    if isinstance(result, Unavailable):
        absent = dict.fromkeys(("value", "source", "precision", "note"))
        known = {"unit": metric.unit, "definition": metric.definition, **absent}
        return {**known, "reason": result.reason, "bounds": list(result.bounds) if result.bounds else None}
    return {
        "unit": metric.unit,
        "definition": metric.definition,
        "value": result.value,
        "source": result.source,
        "precision": result.precision,
        "note": result.note,
        "reason": None,
        "bounds": None,
    }


def metric_from_dict(name: str, data: Mapping[str, Any]) -> MetricValue:
    """A reading that was not finite comes back as Unavailable."""
    result: Reading | Unavailable
    if data["value"] is None:
        result = Unavailable(data["reason"], tuple(data["bounds"]) if data["bounds"] else None)
    else:
        result = Reading(data["value"], data["source"], data["precision"], data["note"])
    return MetricValue(name, data["unit"], result, data["definition"])


def series_to_dict(series: Series) -> dict[str, Any]:
    """A course without the points that are not finite."""
    points = [(t, v) for t, v in zip(series.t, series.v, strict=False) if math.isfinite(t) and math.isfinite(v)]
    return {"t": [t for t, _ in points], "v": [v for _, v in points]}
