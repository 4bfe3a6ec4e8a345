"""The verdict on a budget, with the text of a failure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pytest_gomem.base.errors import Place
from pytest_gomem.base.units import Quantity
from pytest_gomem.config.budgets import Budget
from pytest_gomem.stats.decision import Status


def unasked(metric: str, scope: str = "judged in each window") -> Budget:
    """What a verdict stands on that nobody asked for. scope: what asks for it instead."""
    return Budget(metric, None, None, None, None, "", scope, Place())


@dataclass(frozen=True)
class Accepted:
    """Why a broken limit does not fail its test, and for how long; amount as written, "" for a muted metric.

    expires: the last day, in UTC.
    """

    reason: str
    owner: str
    expires: date
    amount: str


@dataclass(frozen=True)
class Verdict:
    """The outcome of one budget in one window.

    actual: None if the metric was not measured: the status is UNAVAILABLE, or NO_BASELINE if no budget asks for it.
    over: (actual - limit) / limit for a broken ceiling, (limit - actual) / limit for a broken floor, else None.
    headroom: the share of the limit that is left, else None.
    baseline, change, interval, rounds_needed: only for a comparison (kind "regression"): the base's median, the change
    from it and the change's 95% interval, in the metric's unit, and how many rounds of this side would be enough.
    `limit` and `over`, the worsening, are then ratios of the baseline.
    smallest_visible: a worsening that rounds such as these would find 19 times in 20, in the metric's unit, see
    `Comparison`; None if unknown.
    accepted: set if the limit is broken and gomem_accepted.yaml accepts it; the status is WARN then.
    rounds: numbers of rounds of the base and of this run, if they were compared. is_suspect: worse, but by too few
    rounds to be sure: more should run.
    """

    budget: Budget
    limit: Quantity
    kind: str
    actual: float | None
    status: Status
    over: float | None = None
    headroom: float | None = None
    reason: str = ""
    baseline: float | None = None
    change: float | None = None
    interval: tuple[float, float] | None = None
    rounds_needed: int | None = None
    accepted: Accepted | None = None
    rounds: tuple[int, int] | None = None
    smallest_visible: float | None = None
    is_suspect: bool = False
