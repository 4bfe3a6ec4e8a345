"""The verdict on a peak above a simulated memory limit, which nothing has killed in time."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import BYTES, Quantity, format_value
from pytest_gomem.config.budgets import HEADROOM
from pytest_gomem.judge.verdict import Verdict, unasked
from pytest_gomem.measure.metric import Reading
from pytest_gomem.stats.decision import Status

OVER_LIMIT = "over_limit"  # the kind of the verdict; its metric is memory_headroom
_NOTHING = Quantity(0.0, BYTES, "0 B")


def over_limit_verdicts(headrooms: Iterable[Reading | Unavailable], limit: str) -> tuple[Verdict, ...]:
    """The verdict, which fails; none if no round's peak was above the limit. headrooms: of each round.

    limit: as the settings in force have it. A kernel leaves nothing above it: only a simulated one can be exceeded.
    """
    worst = min((found.value for found in headrooms if isinstance(found, Reading)), default=0.0)
    if worst >= 0:
        return ()
    above = format_value(-worst, BYTES)
    reason = (
        f"the peak was {above} above the simulated memory limit of {limit.partition(',')[0]}, between two looks at it: "
        "a kernel would have killed the service"
    )
    return (Verdict(unasked(HEADROOM), _NOTHING, OVER_LIMIT, worst, Status.FAIL, reason=reason),)
