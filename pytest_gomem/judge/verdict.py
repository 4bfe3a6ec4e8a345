"""The verdict on a budget: the words of a failure stand in the data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from pytest_gomem.base.units import Quantity
from pytest_gomem.config.budgets import Budget
from pytest_gomem.stats.decision import Status


@dataclass(frozen=True)
class Accepted:
    """Why a broken limit does not fail its test, and for how long; amount as written, "" where the metric is muted.

    expires: the last day, in UTC.
    """

    reason: str
    owner: str
    expires: date
    amount: str


@dataclass(frozen=True)
class Verdict:
    """The outcome of one budget in one window.

    actual: None where the metric was not measured: the status is UNAVAILABLE, or NO_BASELINE where no budget asked.
    over: (actual - limit) / limit for a broken ceiling, (limit - actual) / limit for a broken floor, else None.
    headroom: the share of the limit that is left, else None.
    baseline, change, interval, rounds_needed: of a comparison (kind "regression") alone: the median compared with, how
    far the actual one lies from it and the 95% interval of that, in the metric's unit, and how many rounds of this
    side would tell what these could not. `limit` is a ratio of the baseline then, and so is `over`, the worsening.
    smallest_visible: a worsening that rounds such as these would find 19 times in 20, in the metric's unit, see
    `Comparison`; None where that is unknown.
    accepted: set where the limit is broken and gomem_accepted.yaml accepts it; the status is WARN then.
    rounds: of the base and of this run, where they were compared. is_suspect: these rounds are worse, and too few to be
    sure of it: more are worth their time.
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
