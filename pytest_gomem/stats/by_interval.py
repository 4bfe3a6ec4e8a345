"""Compares metrics whose rounds are estimates with intervals: by these, since no prior knows how far a slope scatters.

A side is worse if the interval of each of its rounds lies beyond those of all rounds of the other side, by more than
the tolerance. A slope that was there before is then no regression, however steep it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

_Rounds = Sequence[Mapping[str, float]]
OVERLAP = "the intervals of the two sides overlap"


def figures_of(name: str, interval: tuple[float, float]) -> dict[str, float]:
    """The bounds of an estimate among the figures of its round."""
    low, high = interval
    return {_low(name): low, _high(name): high}


def _low(name: str) -> str:
    return f"{name} at least"


def _high(name: str) -> str:
    return f"{name} at most"


@dataclass(frozen=True)
class Bounds:
    """The lower and upper bounds of a side's rounds; () if one round has none, as an upper one that is endless."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def of(cls, name: str, rounds: _Rounds) -> Bounds:
        """Those of a metric."""
        return cls(_of_each(_low(name), rounds), _of_each(_high(name), rounds))

    def lie_above(self, other: Bounds, margin: float) -> bool:
        """Whether all of these lie above all of the others by more than the margin."""
        return bool(self.low and other.high) and min(self.low) > max(other.high) + margin


def _of_each(name: str, rounds: _Rounds) -> tuple[float, ...]:
    found = tuple(one[name] for one in rounds if name in one)
    return found if len(found) == len(rounds) else ()


def interval_of_change(base: Bounds, head: Bounds) -> tuple[float, float] | None:
    """The interval of the change, by the medians of the bounds; None if one is missing."""
    if not (base.low and base.high and head.low and head.high):
        return None
    return median(head.low) - median(base.high), median(head.high) - median(base.low)
