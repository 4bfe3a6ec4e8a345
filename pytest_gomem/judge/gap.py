"""Owns the gap between the rounds of two sides, and whether it is wide enough to tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

GAP_SIGMAS, GAP_RANGES, GAP_BASE_RANGES = 2, 0.4, 3  # what they let through: benchmarks/detection/equal.py


@dataclass(frozen=True)
class Gap:
    """In the metric's unit. size: from the highest round of one side to the lowest of the other; negative: they mix.

    base: the range of the base's rounds. widest: of the side that has the wider one. prior: one sigma of a round, as
    known beforehand.
    """

    size: float
    base: float
    widest: float
    prior: float

    @classmethod
    def between(cls, base: Sequence[float], new: Sequence[float], prior: float) -> Gap:
        """The gap above the side whose median is the lower one."""
        low, high = sorted((base, new), key=median)
        ranges = [max(side) - min(side) for side in (base, new)]
        return cls(min(high) - max(low), ranges[0], max(ranges), prior)

    @property
    def is_wide(self) -> bool:
        """Whether it is no accident of where rounds came to lie.

        A leak of varying size scatters more than the gap below it is wide: the base, which has none, measures that too.
        """
        by_ranges = min(GAP_RANGES * self.widest, GAP_BASE_RANGES * self.base)
        return self.size > max(GAP_SIGMAS * self.prior, by_ranges)
