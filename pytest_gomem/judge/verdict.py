"""Owns the verdict on a budget: the words of a failure stand in the data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pytest_gomem.config.budgets import Budget
from pytest_gomem.quantity import Quantity


class Status(Enum):
    """How a budget or comparison came out."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    IMPROVED = "improved"
    NOISY = "noisy"
    NO_BASELINE = "no_baseline"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Verdict:
    """The outcome of one budget in one window; `actual` is None exactly when the status is UNAVAILABLE.

    over: (actual - limit) / limit for a broken ceiling, (limit - actual) / limit for a broken floor, else None.
    headroom: the share of the limit that is left, else None.
    """

    budget: Budget
    limit: Quantity
    kind: str
    actual: float | None
    status: Status
    over: float | None
    headroom: float | None
    reason: str
