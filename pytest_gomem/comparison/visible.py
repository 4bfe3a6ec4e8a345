"""The smallest worsening of a metric that a comparison would see, said beside each limit of a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum

from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Metric, Noise
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import ENOUGH, FEWEST, PRIMARY, compare

LOOSE = 10  # times the smallest visible change


class Fit(Enum):
    """How a limit lies to what can be seen."""

    TIGHT = "tighter than the noise"
    GOOD = "fits"
    LOOSE = "looser than ten times the noise"


def smallest_visible(
    metric: Metric, values: Sequence[float], *, ops: int | None = None, enough: int = ENOUGH
) -> float | None:
    """The worsening, in the metric's unit, that `enough` rounds like these of each side find 19 times in 20.

    With fewer than three rounds the metric's prior stands in for their scatter. None for a metric that has no prior,
    because only ranks can tell its changes.
    """
    if metric.noise is Noise.NOISY or not values:
        return None
    rounds = tuple(values) if len(values) >= FEWEST else (values[-1],) * FEWEST
    return compare(metric, rounds, rounds, 0.0, ops=ops, decisions=len(PRIMARY), enough=enough).smallest_visible


def fit(room: float, threshold: float, visible: float) -> Fit:
    """Of a limit with so much room: less than what scatter can come to rings by chance; much more hides what is seen.

    threshold: what a change must exceed lest it be scatter; visible: the smallest change that is seen.
    """
    if room < threshold:
        return Fit.TIGHT
    return Fit.LOOSE if room > LOOSE * visible else Fit.GOOD


def with_visible(window: WindowRecord, metrics: Mapping[str, Metric], enough: int = ENOUGH) -> WindowRecord:
    """The window, its verdicts with the smallest visible change; a comparison's own stays as it is.

    enough: rounds of each side that a run takes before it fails for a comparison.
    """
    return replace(window, verdicts=tuple(_with_visible(v, window, metrics, enough) for v in window.verdicts))


def _with_visible(verdict: Verdict, window: WindowRecord, metrics: Mapping[str, Metric], enough: int) -> Verdict:
    metric = metrics.get(verdict.budget.metric)
    budget = verdict.budget
    if verdict.smallest_visible is not None or verdict.actual is None or metric is None:
        return verdict
    if budget.function or budget.phase:  # the rounds are of the whole window
        return verdict
    rounds = [one[metric.name] for one in window.rounds if metric.name in one]
    visible = smallest_visible(metric, rounds or [verdict.actual], ops=window.ops, enough=enough)
    return replace(verdict, smallest_visible=visible)
