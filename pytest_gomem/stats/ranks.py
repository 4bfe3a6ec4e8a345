"""Methods for many rounds: rank test and bootstrap interval, by scipy (extra [stats]), and the rounds they need."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence

_MOST = 50  # never advise more rounds than this


def rounds_needed(
    had: tuple[int, int], suffices: Callable[[int, int], bool], fewest: int, at_least: int, *, base_grows: bool
) -> tuple[int, int] | None:
    """The rounds of base and head with which a change of that size would stand out; None if 50 are not enough.

    A base with enough rounds that cannot grow stays as it is, unless no number of head rounds is enough against it:
    then it must be recorded again, with as many.
    """
    had_base, had_new = had
    counts = range(max(fewest, had_new + 1, at_least), _MOST + 1)
    if had_base >= fewest and not base_grows:
        for head in counts:
            if suffices(had_base, head):
                return had_base, head
        counts = range(max(counts.start, had_base + 1), _MOST + 1)
    for head in counts:
        base = max(had_base, head)
        if suffices(base, head):
            return base, head
    return None


FEWEST = 8  # rounds of each side: with 8 against 8 the smallest exact one-sided p is 1 / 12870
MIXED = "the ranks of the two sides mix"
TOO_FEW = "too few rounds for so many noisy metrics, however large the change is"
MISSING = "rank tests need scipy: pip install 'pytest-gomem[stats]'"
_MANY = 100  # rounds of both sides together, up to which ties are counted exactly, in a tenth of a second
_RESAMPLES = 2000
_SEED = 20  # the same rounds always give the same interval


def available() -> bool:
    """Whether scipy is installed; asking does not import it."""
    return importlib.util.find_spec("scipy") is not None


def rank_p(base: Sequence[float], head: Sequence[float]) -> float:
    """One-sided p of the Mann-Whitney test that `head` lies above `base`.

    Exact, with ties too; asymptotic for ties among more than 100 values.
    """
    from scipy.stats import mannwhitneyu

    every = len(base) + len(head)
    tied = len({*base, *head}) < every
    if tied and every <= _MANY:
        return tied_p(base, head)
    return float(mannwhitneyu(head, base, alternative="greater", method="asymptotic" if tied else "exact").pvalue)


def smallest_p(base: int, head: int) -> float:
    """The p of two sides of this size that do not overlap."""
    return 1 / math.comb(base + head, head)


def tied_p(base: Sequence[float], head: Sequence[float]) -> float:
    """The share of all ways to choose the head that have at least its sum of midranks.

    The ways are counted by size and by the sum of doubled midranks, which are whole numbers.
    """
    import numpy
    from scipy.stats import rankdata

    doubled = (2 * rankdata([*base, *head])).astype(int)
    ways = numpy.zeros((len(head) + 1, int(doubled.sum()) + 1))
    ways[0, 0] = 1
    for rank in doubled:
        ways[1:, rank:] += ways[:-1, :-rank].copy()
    return float(ways[-1, doubled[len(base) :].sum() :].sum() / ways[-1].sum())


def bootstrap(base: Sequence[float], head: Sequence[float]) -> tuple[float, float]:
    """The 95% percentile interval of median(head) - median(base), by resampling each side's rounds."""
    import numpy

    random = numpy.random.default_rng(_SEED)
    drawn = [
        numpy.median(random.choice(numpy.asarray(side, float), (_RESAMPLES, len(side))), axis=1)
        for side in (base, head)
    ]
    low, high = numpy.quantile(drawn[1] - drawn[0], [0.025, 0.975])
    return float(low), float(high)
