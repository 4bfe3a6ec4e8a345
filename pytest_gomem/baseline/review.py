"""Compares a new recording of a window with the kept one: what changed, and what is too noisy to keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from pytest_gomem.base.units import format_value
from pytest_gomem.baseline.snapshot import Snapshot, not_comparable
from pytest_gomem.judge.figures import figure_metric
from pytest_gomem.judge.regressions import change_text
from pytest_gomem.measure.metric import Metric, Noise
from pytest_gomem.stats import ranks
from pytest_gomem.stats.by_interval import Bounds
from pytest_gomem.stats.decision import ENOUGH, FEWEST, PRIMARY, Comparison, Status, compare

_TOO_NOISY = 0.25  # of the median: rounds that cannot show a change of a quarter are no baseline
_WIDE = 10  # sigmas of the prior: less scatter is never noisy, however small the service


def too_noisy(figures: Mapping[str, Sequence[float]], metrics: Mapping[str, Metric], ops: int | None) -> dict[str, str]:
    """The default metrics that scatter too much, each with how much. figures: of all rounds, by metric."""
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
    """The metrics that so few rounds can never fail. judged: the compared metrics, by name."""
    counted = f"{rounds} round{'s' * (rounds != 1)}"
    if rounds < FEWEST:
        yield f"{counted}: such a baseline can never fail the test, for which {FEWEST} are the least and {ENOUGH} best"
    elif rounds < ranks.FEWEST:
        noisy = [name for name, metric in judged.items() if metric.noise is Noise.NOISY]
        if noisy:
            yield f"{counted}: {', '.join(noisy)} can never fail the test, for which {ranks.FEWEST} are the least"


_MOVED = 0.02  # of a figure that is not judged: with less the baseline is still good
_BY_THE_CLOCK = ("1/second", "seconds")  # changes with the machine, as noisy metrics do: says nothing about the code


@dataclass(frozen=True)
class Moves:
    """A line for each figure of a window, by how certain its change is.

    clear: judged, and beyond tolerance and scatter. doubtful: judged, worse, but too noisy to be sure. With too few
    rounds to be ever sure, both worse and better are `clear`; else only removing the baseline could renew it. others:
    changed and not judged. better_kept: what the new rounds have and the kept ones lack.
    """

    clear: tuple[str, ...]
    doubtful: tuple[str, ...]
    others: tuple[str, ...]
    better_kept: tuple[str, ...]

    @property
    def keeps(self) -> bool:
        """Whether the kept rounds are still good: if each update replaced them, a slow creep would not show."""
        return not (self.clear or self.others or self.better_kept)


def moves(
    kept: Snapshot,
    now: Snapshot,
    metrics: Mapping[str, Metric],
    tolerances: Mapping[str, float],
    *,
    lacks_evidence: bool,
) -> Moves:
    """Compare two recordings of a window under the same conditions.

    tolerances: of judged metrics, as a ratio. lacks_evidence: something that explains a regression is not kept.
    """
    clear, doubtful = list[str](), list[str]()
    for metric, found in _compared(kept, now, metrics, tolerances):
        few = min(found.rounds) < FEWEST
        if found.status is Status.NOISY and not few:
            doubtful.append(f"{_line(metric, found)}, too noisy to tell")
        elif found.status is Status.NOISY or (few and _seems_better(metric, kept, now, tolerances)):
            clear.append(f"{_line(metric, found)}, too few rounds to tell")
        elif found.status is not Status.PASS:
            clear.append(_line(metric, found))
    doubtful += [f"{name} is too noisy to tell: {how}" for name, how in now.left_out.items() if name in kept.metrics]
    rest = {name: _MOVED for name in now.metrics if name not in tolerances}
    others = [
        f"{_line(metric, found)}, judged by nobody"
        for metric, found in _compared(kept, now, metrics, rest)
        if not _goes_with_the_machine(metric) and found.status in (Status.FAIL, Status.IMPROVED)
    ]
    anew = [f"{name} was {why}" for name, why in not_comparable(kept, metrics.values()).items() if name in now.metrics]
    mended = (*anew, *_better_kept(kept, now, tolerances, lacks_evidence))
    return Moves(tuple(clear), tuple(doubtful), tuple(others), mended)


def _compared(
    kept: Snapshot, now: Snapshot, metrics: Mapping[str, Metric], tolerances: Mapping[str, float]
) -> Iterator[tuple[Metric, Comparison]]:
    old = not_comparable(kept, metrics.values())
    for name, values in now.metrics.items():
        metric = metrics.get(name) or figure_metric(name, (*kept.observed_rounds, *now.observed_rounds))
        if metric is not None and name in tolerances and name in kept.metrics and name not in old:
            is_asked = name not in PRIMARY
            bounds = (Bounds.of(name, kept.rounds), Bounds.of(name, now.rounds)) if metric.has_interval else None
            found = compare(
                metric, kept.metrics[name], values, tolerances[name], ops=now.ops, is_asked=is_asked, bounds=bounds
            )
            if found.base is not None and found.head is not None:
                yield metric, found


def _seems_better(metric: Metric, kept: Snapshot, now: Snapshot, tolerances: Mapping[str, float]) -> bool:
    """Whether these rounds seem better than the kept ones."""
    tolerance = {metric.name: tolerances[metric.name]}
    return any(found.status is Status.NOISY for _, found in _compared(now, kept, {metric.name: metric}, tolerance))


def _goes_with_the_machine(metric: Metric) -> bool:
    return metric.noise is Noise.NOISY or metric.unit.name in _BY_THE_CLOCK


def _line(metric: Metric, found: Comparison) -> str:
    old, new = (format_value(value or 0.0, metric.unit) for value in (found.base, found.head))
    return f"{metric.name} {old} -> {new}, {change_text(found)}"


def _better_kept(kept: Snapshot, now: Snapshot, tolerances: Mapping[str, float], lacks_evidence: bool) -> Iterator[str]:
    if kept.ops != now.ops:
        did, before = ("none" if ops is None else str(ops) for ops in (now.ops, kept.ops))
        yield f"{did} operations, {before} before"
    if len(now.rounds) > len(kept.rounds):
        yield f"{len(now.rounds)} rounds, {len(kept.rounds)} before"
    yield from (f"{name} had none" for name in now.metrics if name in tolerances and name not in kept.metrics)
    if lacks_evidence:
        yield "its profiles, modules or goroutines were missing or damaged"
