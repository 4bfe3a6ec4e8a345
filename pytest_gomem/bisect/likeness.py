"""To which end of a range a commit belongs, by the decision that judges comparisons.

The two ends differ by a known change. A commit is like the bad end if it is worse than the good one by that decision,
and its rounds lie beyond the middle of the change by more than they scatter; for the good end likewise. One that stands
out from both ends lies between them: the change came in several steps, and the search goes on for the larger one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import fmean, median, stdev

from pytest_gomem.base.student import quantile
from pytest_gomem.judge.regressions import in_every_round
from pytest_gomem.measure.metric import Metric
from pytest_gomem.stats.by_clock import by_clock
from pytest_gomem.stats.by_interval import Bounds
from pytest_gomem.stats.decision import FEWEST, Comparison, Status, compare

SURE = 0.0025  # one-sided: how often scatter alone puts a commit's rounds beyond the middle
# Of a commit whose rounds scatter so many times more than the good end's, and than the prior says, a few rounds that
# lie close together are chance: it takes many to tell it.
_WILD, _SURE_OF_WILD = 2.0, 5e-5
_SMALL = 0.5  # of the way from the middle to an end: what rounds may scatter to lie between the ends

Figures = Mapping[str, float]
Rounds = Sequence[Figures]


class Kind(Enum):
    """What a commit is like. UNCLEAR: its rounds do not tell. LOST: there is nothing to tell from."""

    GOOD = "good"
    BAD = "bad"
    UNCLEAR = "unclear"
    LOST = "lost"


@dataclass(frozen=True)
class Levels:
    """The two ends: how far each is from the good commit, in the metric's unit."""

    good: float
    bad: float

    @property
    def middle(self) -> float:
        """Half of the way."""
        return (self.good + self.bad) / 2

    @property
    def half(self) -> float:
        """From the middle to either end."""
        return abs(self.bad - self.good) / 2


@dataclass(frozen=True)
class Likeness:
    """What a commit is like. level: how far it is from the good commit. is_between: it stands out from both ends."""

    kind: Kind
    level: float
    is_between: bool = False

    def moved(self, levels: Levels) -> Levels:
        """The ends of what is left to search: a commit between them becomes one of them."""
        if not self.is_between:
            return levels
        return Levels(self.level, levels.bad) if self.kind is Kind.GOOD else Levels(levels.good, self.level)


def likeness(metric: Metric, base: Rounds, head: Rounds, levels: Levels, ops: int | None = None) -> Likeness:
    """To which end the head belongs; base: rounds of the good commit, in turns with those of the head.

    Both sides have measured the metric in every round.
    """
    before, now = in_every_round(metric.name, base), in_every_round(metric.name, head)
    level = median(now) - median(before)
    if min(len(before), len(now)) < FEWEST:
        return Likeness(Kind.UNCLEAR, level)
    worse = changed(metric, base, head, levels.good, ops).status is Status.FAIL
    better = changed(metric, base, head, levels.bad, ops).status is Status.IMPROVED
    towards_bad = 1 if levels.bad > levels.good else -1
    beyond = [towards_bad * (middle(now) - middle(before) - levels.middle) for middle in (fmean, median)]
    usual = max(metric.scatter.sigma(median(before), ops), stdev(before))
    is_wild = stdev(now) > _WILD * usual
    margin = _margin(before, SURE) + _margin(now, _SURE_OF_WILD if is_wild else SURE)
    if min(beyond) > margin:
        return Likeness(Kind.BAD, level, is_between=better) if worse else Likeness(Kind.UNCLEAR, level)
    if max(beyond) < -margin:
        return Likeness(Kind.GOOD, level, is_between=worse) if better else Likeness(Kind.UNCLEAR, level)
    if worse and better and margin < _SMALL * levels.half:
        return Likeness(Kind.BAD if beyond[1] > 0 else Kind.GOOD, level, is_between=True)
    return Likeness(Kind.UNCLEAR, level)


def changed(
    metric: Metric, base: Rounds, head: Rounds, level: float, ops: int | None = None, decisions: int = 1
) -> Comparison:
    """How the head compares with an end, whose rounds are those of the base, moved by `level`; no change is too small.

    decisions: see `compare`.
    """
    before, now = in_every_round(metric.name, base), in_every_round(metric.name, head)
    ends = _moved(Bounds.of(metric.name, base), level), Bounds.of(metric.name, head)
    return compare(
        metric,
        [value + level for value in before],
        now,
        0.0,
        ops=ops,
        decisions=decisions,
        by_clock=by_clock(metric.name, base, head),
        bounds=ends if metric.has_interval else None,
    )


def _margin(rounds: Sequence[float], tail: float) -> float:
    """How far the middle of other rounds of this side may lie from that of these."""
    return quantile(tail, len(rounds) - 1) * stdev(rounds) / math.sqrt(len(rounds))


def _moved(bounds: Bounds, by: float) -> Bounds:
    return Bounds(tuple(value + by for value in bounds.low), tuple(value + by for value in bounds.high))
