"""How far a metric's rounds scatter, and how large a change must be to stand out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_gomem.base.student import quantile

# For the smallest visible change, which other rounds find 95 times in 100: simulated, see the tests.
_POWER_SIGMAS = 1.65 * 1.6  # above the least that counts: the 95th of 100 medians, of rounds that scatter more
_POWER_TIMES, _POWER_UNKNOWN = 1.5, 4.3  # times what t asks for, and more if few differences showed the scatter


@dataclass(frozen=True)
class Scatter:
    """One sigma of a round, in the metric's unit: by its prior, and by `freedom` differences."""

    prior: float
    shown: float
    freedom: int

    @classmethod
    def of(cls, prior: float, sides: Iterable[Sequence[float]]) -> Scatter:
        """The scatter of these sides' rounds together, each side about its own mean."""
        several = [side for side in sides if len(side) > 1]
        freedom = sum(len(side) - 1 for side in several)
        shown = math.sqrt(math.fsum(map(_squares, several)) / freedom) if freedom else 0.0
        return cls(prior, shown, freedom)

    @property
    def sigma(self) -> float:
        """The larger one."""
        return max(self.prior, self.shown)

    def threshold(self, alpha: float, base: int, head: int) -> float:
        """What a change must exceed, with so many rounds, to be more than scatter; exact for means (Student's t)."""
        error = math.sqrt(1 / base + 1 / head)
        return quantile(alpha, base + head - 2) * self.shown * error if self.shown else 0.0

    def visible(self, alpha: float, base: int, head: int, least: float) -> float:
        """The change that so many other rounds find 95 times in 100, if less than `least` does not count."""
        above = _POWER_SIGMAS * self.sigma * _error(base, head)
        times = _POWER_TIMES + _POWER_UNKNOWN / max(self.freedom, 1)
        return max(least + above, times * self.threshold(alpha, base, head))

    def half_interval(self, base: int, head: int) -> float:
        """Half the 95% interval of a change of medians."""
        return quantile(0.025, max(self.freedom, 1)) * self.sigma * _error(base, head)


def _error(base: int, head: int) -> float:
    """Standard error of the difference of two medians, in sigmas of a round: pi / 2n, an upper bound for small n.

    A side of a single round has its own sigma, not more.
    """
    return math.sqrt(sum(1.0 if n == 1 else math.pi / (2 * n) for n in (base, head)))


def _squares(values: Sequence[float]) -> float:
    """Sum of the squared distances from the mean."""
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values)
