"""Owns the way back from an entry of the JSON report to the test's record, as it arrives from an xdist worker."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pytest_gomem.config.budgets import Budget
from pytest_gomem.errors import Place
from pytest_gomem.judge.culprits import Culprit
from pytest_gomem.judge.origin import Site
from pytest_gomem.judge.verdict import Status, Verdict
from pytest_gomem.measure.metric import Reading, Unavailable
from pytest_gomem.quantity import UNITS, Quantity, Unit
from pytest_gomem.report.model import (
    BillRecord,
    BillRow,
    BuildRecord,
    GcRecord,
    LoadSummary,
    MetricValue,
    PeakMoment,
    PhaseRecord,
    Series,
    TestRecord,
    WindowRecord,
)

_LIMITS = ("max", "min", "warn", "regression")


def test_from_dict(data: Mapping[str, Any]) -> TestRecord:
    """The record that test_to_dict was given, as far as a report can tell: every report made from it is the same.

    Of a verdict's budget only the limit judged is known; a reading that was not finite comes back as Unavailable.
    """
    windows = tuple(_window_from_dict(window) for window in data["windows"])
    return TestRecord(data["nodeid"], data["outcome"], windows, data["matrix"])


def _window_from_dict(data: Mapping[str, Any]) -> WindowRecord:
    build, moment = data["build"], data["peak_moment"]
    return WindowRecord(
        name=data["name"],
        service=data["service"],
        build=BuildRecord(build["ref"], build["go_version"], build["revision"], tuple(build["flags"])),
        gc=GcRecord(data["gc"]["requested"], data["gc"]["effective"]),
        ops=data["ops"],
        duration=_number(data["duration"]),
        metrics=tuple(_metric_from_dict(name, metric) for name, metric in data["metrics"].items()),
        verdicts=tuple(_verdict_from_dict(verdict) for verdict in data["verdicts"]),
        peak_moment=PeakMoment(moment["earliest"], moment["latest"], moment["floor"] or 0) if moment else None,
        loads=tuple(_load_from_dict(load) for load in data["loads"]),
        series={name: Series(tuple(series["t"]), tuple(series["v"])) for name, series in data["series"].items()},
        artifacts=data["artifacts"],
        notes=tuple(data["notes"]),
        log_tail=data["log_tail"],
        phases=tuple(_phase_from_dict(phase) for phase in data["phases"]),
        bill=_bill_from_dict(data["bill"]) if data["bill"] else None,
        culprits=tuple(_culprit_from_dict(culprit) for culprit in data["culprits"]),
        culprit_summaries=data["culprit_summaries"],
    )


def _metric_from_dict(name: str, data: Mapping[str, Any]) -> MetricValue:
    if data["value"] is None:
        return MetricValue(name, data["unit"], Unavailable(data["reason"]))
    reading = Reading(data["value"], data["source"], data["precision"], data["note"])
    return MetricValue(name, data["unit"], reading)


def _verdict_from_dict(data: Mapping[str, Any]) -> Verdict:
    unit = UNITS.get(data["unit"]) or Unit(data["unit"], {})
    limit = Quantity(data["limit"], unit, data["written"])
    limits = {kind: limit if kind == data["kind"] else None for kind in _LIMITS}
    budget = Budget(
        metric=data["metric"], **limits, function=data["function"], scope=data["scope"], place=Place(**data["place"])
    )
    return Verdict(
        budget=budget,
        limit=limit,
        kind=data["kind"],
        actual=data["actual"],
        status=Status(data["status"]),
        over=data["over"],
        headroom=data["headroom"],
        reason=data["reason"] or "",
    )


def _culprit_from_dict(data: Mapping[str, Any]) -> Culprit:
    low, high = data["interval"]
    callers = tuple(Site(**caller) for caller in data["callers"])
    return Culprit(**{**data, "interval": (high - low) // 2, "callers": callers})


def _phase_from_dict(data: Mapping[str, Any]) -> PhaseRecord:
    return PhaseRecord(data["name"], _number(data["start"]), _number(data["end"]), data["ops"])


def _bill_from_dict(data: Mapping[str, Any]) -> BillRecord:
    return BillRecord(tuple(BillRow(**row) for row in data["rows"]), data["rss"], data["explained"], data["sentence"])


def _load_from_dict(data: Mapping[str, Any]) -> LoadSummary:
    known = {key: value for key, value in data.items() if key != "reason"}
    return LoadSummary(**{**known, "duration": _number(data["duration"]), "rate": _number(data["rate"])})


def _number(value: float | None) -> float:
    return math.nan if value is None else value
