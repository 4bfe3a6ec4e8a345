"""Owns what takes many rounds: the rank test, and the bootstrap interval of a change; both by scipy, extra [stats]."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence

FEWEST = 8  # rounds of each side: with 8 against 8 the smallest exact one-sided p is 1 / 12870
MIXED = "the ranks of the two sides mix"
TOO_FEW = "with so many noisy metrics judged, so few rounds cannot tell however far they lie apart"
MISSING = "rank tests need scipy: pip install 'pytest-gomem[stats]'"
_MANY = 100  # rounds of both sides together up to which tied ranks are counted out, in a tenth of a second
_RESAMPLES = 2000
_SEED = 20  # the same rounds always give the same interval


def available() -> bool:
    """Whether scipy is installed; asking does not import it."""
    return importlib.util.find_spec("scipy") is not None


def rank_p(base: Sequence[float], new: Sequence[float]) -> float:
    """One-sided p of the Mann-Whitney test that `new` lies above `base`.

    Exact, and with ties too, given which values are tied; asymptotic where values are tied among more than 100.
    """
    from scipy.stats import mannwhitneyu

    every = len(base) + len(new)
    tied = len({*base, *new}) < every
    if tied and every <= _MANY:
        return tied_p(base, new)
    return float(mannwhitneyu(new, base, alternative="greater", method="asymptotic" if tied else "exact").pvalue)


def smallest_p(base: int, new: int) -> float:
    """The p of sides so large that do not mix at all."""
    return 1 / math.comb(base + new, new)


def tied_p(base: Sequence[float], new: Sequence[float]) -> float:
    """The share of all ways to choose the new side whose sum of midranks is no smaller than this one's.

    The ways are counted by their size and the sum of their doubled midranks, which are whole.
    """
    import numpy
    from scipy.stats import rankdata

    doubled = (2 * rankdata([*base, *new])).astype(int)
    ways = numpy.zeros((len(new) + 1, int(doubled.sum()) + 1))
    ways[0, 0] = 1
    for rank in doubled:
        ways[1:, rank:] += ways[:-1, :-rank].copy()
    return float(ways[-1, doubled[len(base) :].sum() :].sum() / ways[-1].sum())


def bootstrap(base: Sequence[float], new: Sequence[float]) -> tuple[float, float]:
    """The 95% percentile interval of median(new) - median(base), resampling the rounds of either side."""
    import numpy

    random = numpy.random.default_rng(_SEED)
    drawn = [
        numpy.median(random.choice(numpy.asarray(side, float), (_RESAMPLES, len(side))), axis=1) for side in (base, new)
    ]
    low, high = numpy.quantile(drawn[1] - drawn[0], [0.025, 0.975])
    return float(low), float(high)
