"""Verdicts as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

from pytest_gomem.base.errors import Place
from pytest_gomem.base.units import UNITS, Quantity, Unit
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.verdict import Accepted, Verdict
from pytest_gomem.report.text import known
from pytest_gomem.stats.decision import Status

_LIMITS = ("max", "min", "warn", "regression")


def verdict_to_dict(verdict: Verdict) -> dict[str, Any]:
    """A verdict with its budget's words and place."""
    budget, actual, reason = verdict.budget, verdict.actual, verdict.reason
    if actual is None or not math.isfinite(actual):
        reason = reason or ("no reason was given" if actual is None else f"not a finite number: {actual}")
    return {
        "metric": budget.metric,
        "function": budget.function,
        "cum": budget.cum,
        "phase": budget.phase,
        "scope": budget.scope,
        "declared_at": str(budget.place),
        "place": {"file": budget.place.file, "line": budget.place.line, "key": budget.place.key},
        "kind": verdict.kind,
        "limit": verdict.limit.value,
        "written": verdict.limit.written,
        "unit": verdict.limit.unit.name,
        "actual": actual,
        "status": verdict.status.value,
        "over": verdict.over,
        "headroom": verdict.headroom,
        "reason": reason or None,
        "baseline": verdict.baseline,
        "change": verdict.change,
        "interval": verdict.interval if verdict.interval and all(map(math.isfinite, verdict.interval)) else None,
        "rounds_needed": verdict.rounds_needed,
        "accepted": accepted_to_dict(verdict.accepted),
        "rounds": verdict.rounds,
        "smallest_visible": known(verdict.smallest_visible),
    }


def verdict_from_dict(data: Mapping[str, Any]) -> Verdict:
    """Of its budget only the limit judged is known."""
    unit = UNITS.get(data["unit"]) or Unit(data["unit"], {})
    limit = Quantity(data["limit"], unit, data["written"])
    limits = {kind: limit if kind == data["kind"] else None for kind in _LIMITS}
    budget = Budget(
        metric=data["metric"],
        max=limits["max"],
        min=limits["min"],
        warn=limits["warn"],
        regression=limits["regression"],
        function=data["function"],
        scope=data["scope"],
        place=Place(**data["place"]),
        cum=data["cum"],
        phase=data["phase"],
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
        baseline=data["baseline"],
        change=data["change"],
        interval=tuple(data["interval"]) if data["interval"] else None,
        rounds_needed=data["rounds_needed"],
        accepted=accepted_from_dict(data["accepted"]) if data["accepted"] else None,
        rounds=tuple(data["rounds"]) if data["rounds"] else None,
        smallest_visible=data["smallest_visible"],
    )


def accepted_to_dict(accepted: Accepted | None) -> dict[str, Any] | None:
    """Why it is accepted, None where it is not; the amount is None where the metric is muted."""
    if accepted is None:
        return None
    return {
        "reason": accepted.reason,
        "owner": accepted.owner,
        "expires": accepted.expires.isoformat(),
        "amount": accepted.amount or None,
    }


def accepted_from_dict(data: Mapping[str, Any]) -> Accepted:
    """The acceptance that was sent."""
    return Accepted(data["reason"], data["owner"], date.fromisoformat(data["expires"]), data["amount"] or "")
