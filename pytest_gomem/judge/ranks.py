"""Owns what takes many rounds: the rank test, and the bootstrap interval of a change; both by scipy, extra [stats]."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

FEWEST = 8  # rounds of each side: with 8 against 8 the smallest exact one-sided p is 1 / 12870
MISSING = "rank tests need scipy: pip install 'pytest-gomem[stats]'"
_RESAMPLES = 2000
_SEED = 20  # the same rounds always give the same interval


def available() -> bool:
    """Whether scipy is installed; asking does not import it."""
    return importlib.util.find_spec("scipy") is not None


def rank_p(base: Sequence[float], new: Sequence[float]) -> float:
    """One-sided p of the Mann-Whitney test that `new` lies above `base`: exact, asymptotic where values are tied."""
    from scipy.stats import mannwhitneyu

    tied = len({*base, *new}) < len(base) + len(new)
    return float(mannwhitneyu(new, base, alternative="greater", method="asymptotic" if tied else "exact").pvalue)


def bootstrap(base: Sequence[float], new: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """The percentile interval of median(new) - median(base), resampling the rounds of either side."""
    import numpy

    random = numpy.random.default_rng(_SEED)
    drawn = [
        numpy.median(random.choice(numpy.asarray(side, float), (_RESAMPLES, len(side))), axis=1) for side in (base, new)
    ]
    low, high = numpy.quantile(drawn[1] - drawn[0], [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
