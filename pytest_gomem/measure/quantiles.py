"""Quantiles of small samples, by nearest rank, and of the increase of a runtime/metrics histogram."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.agent.records import Histogram


def nearest_rank(values: Collection[float], percent: int) -> float:
    """The smallest of `values` that at least `percent` of them do not exceed; raises ValueError for no values."""
    if not values:
        raise ValueError("no values have no quantile")
    # In integers: 0.99 * n may come out a hair above a whole number, and its ceiling one rank too high.
    rank = max(1, -(-len(values) * percent // 100))
    return sorted(values)[rank - 1]


def p99_note(count: int, things: str) -> str:
    """What a reader of a p99 must know: of fewer than 100 values it is the maximum."""
    return f"p99 of {count} {things} is their maximum" if 0 < count < 100 else ""


# runtime/histogram.go timeHistogram: each power of two is divided into 4.
BUCKETS = "a bucket's upper bound: up to 25% too high"


@dataclass(frozen=True)
class Bucket:
    """`count` events in [low, high); the outer bounds may be infinite."""

    low: float
    high: float
    count: int


def gained(start: Histogram, end: Histogram) -> tuple[Bucket, ...]:
    """The buckets that grew between two readings, lowest first; raises ObserveError if the two do not fit."""
    if start.buckets != end.buckets or len(start.counts) != len(end.counts):
        raise ObserveError("the buckets of the histogram changed within the window")
    grown = [after - before for before, after in zip(start.counts, end.counts, strict=True)]
    if any(count < 0 for count in grown):
        raise ObserveError("the histogram ran backwards: another process answered at the window's close")
    bounds = zip(end.buckets, end.buckets[1:], grown, strict=False)
    return tuple(Bucket(low, high, count) for low, high, count in bounds if count)


def total(buckets: Sequence[Bucket]) -> int:
    """How many events there were."""
    return sum(bucket.count for bucket in buckets)


def quantile(buckets: Sequence[Bucket], percent: int) -> float:
    """The upper bound of the bucket that holds the percentile, by nearest rank; if it is infinite, the lower bound."""
    rank = max(1, -(-total(buckets) * percent // 100))
    for bucket in buckets:
        rank -= bucket.count
        if rank <= 0:
            return bucket.high if math.isfinite(bucket.high) else bucket.low
    raise ObserveError("the histogram gained nothing in the window")
