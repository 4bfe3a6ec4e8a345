"""How far, and in which order, the rounds of two sides are apart, and whether chance explains it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

GAP_SIGMAS, GAP_RANGES, GAP_BASE_RANGES = 2, 0.4, 3  # their false alarms: benchmarks/detection/equal.py


@dataclass(frozen=True)
class Gap:
    """The gap between two sides' rounds. All values are in the metric's unit.

    size: from the highest round of one side to the lowest of the other; negative if they overlap. base: the range of
    the base's rounds. widest: the wider range of the two sides. prior: one sigma of a round by the metric's prior.
    """

    size: float
    base: float
    widest: float
    prior: float

    @classmethod
    def between(cls, base: Sequence[float], head: Sequence[float], prior: float) -> Gap:
        """The gap above the side whose median is the lower one."""
        low, high = sorted((base, head), key=median)
        ranges = [max(side) - min(side) for side in (base, head)]
        return cls(min(high) - max(low), ranges[0], max(ranges), prior)

    @property
    def is_wide(self) -> bool:
        """Whether the gap is too wide for chance.

        A leak of varying size scatters more than the width of the gap, so the base's range counts too.
        """
        by_ranges = min(GAP_RANGES * self.widest, GAP_BASE_RANGES * self.base)
        return self.size > max(GAP_SIGMAS * self.prior, by_ranges)


ORDERS = math.comb(16, 8)  # of 8 rounds of each side: 12 870; in one of them all of a side are above the other
_MANY = 100  # rounds of both sides together: t alone is good enough for the means of so many


def is_no_chance(low: Sequence[float], high: Sequence[float]) -> bool:
    """Whether at most 1 of 12 870 orders of equal sides has as few pairs the wrong way round. A tie counts as one.

    Fewer than 8 rounds of each side have fewer orders: then no pair may be the wrong way round.
    """
    wrong = sum(below >= above for below in low for above in high)
    return wrong <= most_wrong(len(low), len(high))


@lru_cache(maxsize=256)
def most_wrong(one: int, other: int) -> int:
    """How many pairs of rounds, one of each side, may lie the wrong way round.

    Orders by the number of such pairs are the coefficients of the Gaussian binomial coefficient (one + other over one).
    """
    if one + other > _MANY:
        return one * other
    few, many = sorted((one, other))
    orders = [1] + [0] * (few * many // 2)
    for factor in range(1, few + 1):
        for at in range(len(orders) - 1, many + factor - 1, -1):
            orders[at] -= orders[at - many - factor]
        for at in range(factor, len(orders)):
            orders[at] += orders[at - factor]
    left = math.comb(one + other, one) // ORDERS
    for wrong, count in enumerate(orders):
        left -= count
        if left < 0:
            return max(wrong - 1, 0)
    return len(orders) - 1
