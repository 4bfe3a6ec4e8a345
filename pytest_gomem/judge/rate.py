"""Owns how finely a heap profile must sample, so that a budget on functions can be judged.

Of objects of s bytes the runtime samples each with p = 1 - exp(-s / rate), which leaves an estimate of B bytes a sigma
of sqrt(s B (1 - p) / p), at most sqrt(rate B) whatever the size; of N objects it is sqrt(N (1 - p) / p), worst for the
smallest ones (judge/sampling.py says why).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from pytest_gomem.attribution.sampling import SMALLEST, counts_objects
from pytest_gomem.config.budgets import Budget
from pytest_gomem.stats.decision import PRIOR_SIGMAS

DEFAULT_RATE = 512 << 10  # runtime.MemProfileRate
SIGMA_AT_LIMIT = 0.03
FINEST_SIGMA = 0.005  # 40 000 samples of the functions alone, from 0.1 to 0.6 s of CPU time
RATE_WITHOUT_LIMIT = 4 << 10  # nothing is known of what the functions make: 2% of 10 MB, 0.6% of 100 MB


def rate_for(budgets: Iterable[Budget]) -> int | None:
    """Bytes per sample that leave each limit on functions a sigma of at most 3%; None where Go's default will do.

    A `regression` beside them asks for a sixth of itself, since a comparison wants six sigmas, down to 0.5%.
    A power of two, at least 1: then every allocation is sampled, and nothing is uncertain.
    """
    finest = min((rate for budget in budgets if budget.function for rate in _rates(budget)), default=DEFAULT_RATE)
    return 1 << int(math.log2(finest)) if finest < DEFAULT_RATE else None


def _rates(budget: Budget) -> Iterable[float]:
    limits = [limit.value for limit in (budget.max, budget.min, budget.warn) if limit is not None]
    if not limits:
        return [RATE_WITHOUT_LIMIT]
    sigma = SIGMA_AT_LIMIT
    if budget.regression is not None:
        sigma = min(sigma, max(budget.regression.value / PRIOR_SIGMAS, FINEST_SIGMA))
    return [_rate(budget.metric, limit, sigma) for limit in limits]


def _rate(metric: str, limit: float, sigma: float) -> float:
    """The coarsest rate at which sigma is that share of the limit, not below 1."""
    samples = sigma**2 * limit  # what (1 - p) / p may be for objects, and the rate for bytes
    if not counts_objects(metric):
        return max(samples, 1.0)
    return max(SMALLEST / math.log1p(1 / samples), 1.0) if samples else 1.0
