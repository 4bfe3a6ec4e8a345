"""Culprits as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gomem.attribution.causes import Cause
from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.attribution.origin import Site


def culprit_to_dict(culprit: Culprit) -> dict[str, Any]:
    """A culprit; its interval as the bounds of the change."""
    return {
        "function": culprit.function,
        "file": culprit.file,
        "line": culprit.line,
        "metric": culprit.metric,
        "before": culprit.before,
        "after": culprit.after,
        "interval": [culprit.change - culprit.interval, culprit.change + culprit.interval],
        "share": culprit.share,
        "reason": culprit.reason,
        "callers": [caller._asdict() for caller in culprit.callers],
        "is_between": culprit.is_between,
        "leaf": culprit.leaf,
        "causes": [cause._asdict() for cause in culprit.causes],
    }


def culprit_from_dict(data: Mapping[str, Any]) -> Culprit:
    """The culprit that was sent."""
    low, high = data["interval"]
    callers = tuple(Site(**caller) for caller in data["callers"])
    causes = tuple(Cause(**cause) for cause in data["causes"])
    return Culprit(**{**data, "interval": (high - low) // 2, "callers": callers, "causes": causes})
