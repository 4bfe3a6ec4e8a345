"""Owns the order in which the rounds of two sides lie, and whether equal sides would come to lie so by chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

ORDERS = math.comb(16, 8)  # of 8 rounds of each side: 12 870, of which one has all of a side above the other
_MANY = 100  # rounds of both sides together: the means of so many are normal enough for t alone


def is_no_chance(low: Sequence[float], high: Sequence[float]) -> bool:
    """Whether at most 1 of 12 870 orders of equal sides has as few pairs the wrong way round; a tie is one.

    Fewer than 8 rounds of each side have fewer orders: of them no pair may be.
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
