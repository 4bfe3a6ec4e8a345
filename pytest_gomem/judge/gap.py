"""Owns the gap between the rounds of two sides, and whether it is wide enough to tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GAP_SIGMAS, GAP_RANGES = 2, 0.3  # 0 false alarms of 3e6 where 8 rounds of each side are apart, docs/regressions.md


@dataclass(frozen=True)
class Gap:
    """In the metric's unit. size: from the highest round of one side to the lowest of the other; negative: they mix.

    widest: the range of the side that has the wider one. prior: one sigma of a round, as known beforehand.
    """

    size: float
    widest: float
    prior: float

    @classmethod
    def between(cls, low: Sequence[float], high: Sequence[float], prior: float) -> Gap:
        """The gap above the side whose median is the lower one."""
        return cls(min(high) - max(low), max(max(side) - min(side) for side in (low, high)), prior)

    @property
    def is_wide(self) -> bool:
        """Whether it is no accident of where rounds came to lie."""
        return self.size > max(GAP_SIGMAS * self.prior, GAP_RANGES * self.widest)
