"""Student's t distribution."""

from __future__ import annotations

import math
from functools import lru_cache


def upper_tail(t: float, freedom: int) -> float:
    """Probability of a value above t >= 0, with `freedom` >= 1 degrees of freedom, by finite sums.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4.
    """
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 or not odd else 0.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    inside = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return max(0.5 * (1 - inside), 0.0)


@lru_cache(maxsize=4096)
def quantile(tail: float, freedom: int) -> float:
    """The t with a probability of `tail` above it, 1e-9 <= tail <= 0.5; infinite without a degree of freedom."""
    if freedom < 1:
        return math.inf
    low, high = 0.0, 1.0
    while upper_tail(high, freedom) > tail:
        low, high = high, high * 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if upper_tail(middle, freedom) > tail else (low, middle)
    return high
