"""Owns which metrics of a recording are too noisy for a baseline, and which it has too few rounds to ever fail by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from pytest_gomem.base.units import format_value
from pytest_gomem.measure.metric import Metric, Noise
from pytest_gomem.stats import ranks
from pytest_gomem.stats.decision import ENOUGH, FEWEST, PRIMARY, compare

_TOO_NOISY = 0.25  # of the median: rounds that could not show a change of a quarter are no baseline
_WIDE = 10  # sigmas of the prior: what scatters less is as quiet as can be, however small the service


def too_noisy(figures: Mapping[str, Sequence[float]], metrics: Mapping[str, Metric], ops: int | None) -> dict[str, str]:
    """The metrics judged by default that scatter too far, each with how far. figures: of all rounds, by metric."""
    every = ((name, _scattered(metrics[name], figures[name], ops)) for name in PRIMARY if name in figures)
    return {name: reason for name, reason in every if reason}


def _scattered(metric: Metric, values: Sequence[float], ops: int | None) -> str:
    middle = abs(median(values))
    found = compare(metric, values, values, PRIMARY[metric.name], ops=ops)
    shows_too_little = found.threshold is not None and found.threshold > _TOO_NOISY * middle
    low, high = min(values), max(values)
    if not middle or not shows_too_little or high - low <= _WIDE * metric.scatter.sigma(middle, ops):
        return ""
    return f"it scattered from {format_value(low, metric.unit)} to {format_value(high, metric.unit)}"


def never_failing(rounds: int, judged: Mapping[str, Metric]) -> Iterator[str]:
    """What so few rounds can never fail a test by. judged: the metrics that are compared, by name."""
    counted = f"{rounds} round{'s' * (rounds != 1)}"
    if rounds < FEWEST:
        yield f"{counted}: such a baseline can never fail the test, for which {FEWEST} are the least and {ENOUGH} best"
    elif rounds < ranks.FEWEST:
        noisy = [name for name, metric in judged.items() if metric.noise is Noise.NOISY]
        if noisy:
            yield f"{counted}: {', '.join(noisy)} can never fail the test, for which {ranks.FEWEST} are the least"
