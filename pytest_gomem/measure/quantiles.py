"""Owns the quantiles of small samples, by nearest rank: always a value that was measured."""

from __future__ import annotations

from collections.abc import Collection


def nearest_rank(values: Collection[float], percent: int) -> float:
    """The smallest of `values` that at least `percent` of them do not exceed; raises ValueError for no values."""
    if not values:
        raise ValueError("no values have no quantile")
    # In integers: 0.99 * n may come out a hair above a whole number, and its ceiling one rank too high.
    rank = max(1, -(-len(values) * percent // 100))
    return sorted(values)[rank - 1]


def p99_note(count: int, things: str) -> str:
    """What a reader of a p99 must know: under 100 values it is nothing but the maximum."""
    return f"p99 of {count} {things} is their maximum" if 0 < count < 100 else ""
