"""Loads as plain data, and their sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_gomem.report.text import known
from pytest_gomem.report.wire.plain import number
from pytest_gomem.results.window_record import LoadSummary


def load_to_dict(load: LoadSummary) -> dict[str, Any]:
    """One load."""
    return {
        "requests": load.requests,
        "errors": load.errors,
        "duration": load.duration,
        "rate": load.rate,
        "rate_asked": load.rate_asked,
        "latency_p50": load.latency_p50,
        "latency_p99": load.latency_p99,
        "latency_max": load.latency_max,
        "statuses": load.statuses,
        "reason": "no request finished, so there is no latency" if known(load.latency_max) is None else None,
    }


def load_from_dict(data: Mapping[str, Any]) -> LoadSummary:
    """The load that was sent."""
    known = {key: value for key, value in data.items() if key != "reason"}
    return LoadSummary(**{**known, "duration": number(data["duration"]), "rate": number(data["rate"])})


def load_total(loads: Sequence[LoadSummary]) -> dict[str, Any] | None:
    """All loads of the window as one, None when there was none; percentiles of several loads cannot be joined."""
    if len(loads) < 2:
        return load_to_dict(loads[0]) if loads else None
    duration = known(sum(load.duration for load in loads))
    requests = sum(load.requests for load in loads)
    slowest = [latency for load in loads if (latency := known(load.latency_max)) is not None]
    statuses: dict[str, int] = {}
    for load in loads:
        for status, count in load.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    return {
        "requests": requests,
        "errors": sum(load.errors for load in loads),
        "duration": duration,
        "rate": requests / duration if duration else None,
        "rate_asked": None,
        "latency_p50": None,
        "latency_p99": None,
        "latency_max": max(slowest, default=None),
        "statuses": statuses,
        "reason": f"percentiles of {len(loads)} loads cannot be joined; each load stands in `loads`",
    }
