"""The smallest worsening of a metric that a comparison can see, shown with each limit of a window."""

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
    """How a limit relates to what can be seen."""

    TIGHT = "tighter than the noise"
    GOOD = "fits"
    LOOSE = "looser than ten times the noise"


def smallest_visible(
    metric: Metric,
    values: Sequence[float],
    *,
    ops: int | None = None,
    enough: int = ENOUGH,
    tolerance: float = 0.0,
) -> float | None:
    """The worsening, in the metric's unit, that `enough` rounds like these of each side find 19 times in 20.

    tolerance: the least worsening that counts, a ratio. With fewer than three rounds the metric's prior replaces their
    scatter. None for a metric without a prior: only ranks show its changes.
    """
    if metric.noise is Noise.NOISY or not values:
        return None
    rounds = tuple(values) if len(values) >= FEWEST else (values[-1],) * FEWEST
    return compare(metric, rounds, rounds, tolerance, ops=ops, decisions=len(PRIMARY), enough=enough).smallest_visible


def fit(room: float, threshold: float, visible: float) -> Fit:
    """How a limit fits: with less room than the scatter it fails by chance; with much more it hides real changes.

    threshold: what a change must exceed not to be scatter. visible: the smallest change that can be seen.
    """
    if room < threshold:
        return Fit.TIGHT
    return Fit.LOOSE if room > LOOSE * visible else Fit.GOOD


def with_visible(window: WindowRecord, metrics: Mapping[str, Metric], enough: int = ENOUGH) -> WindowRecord:
    """The window with the smallest visible change in its verdicts; that of a comparison stays as it is.

    enough: rounds of each side before a comparison can fail.
    """
    return replace(window, verdicts=tuple(_with_visible(v, window, metrics, enough) for v in window.verdicts))


def _with_visible(verdict: Verdict, window: WindowRecord, metrics: Mapping[str, Metric], enough: int) -> Verdict:
    metric = metrics.get(verdict.budget.metric)
    budget = verdict.budget
    if verdict.smallest_visible is not None or verdict.actual is None or metric is None:
        return verdict
    if budget.glob or budget.phase:  # rounds are of the whole window
        return verdict
    rounds = [one[metric.name] for one in window.rounds if metric.name in one]
    visible = smallest_visible(metric, rounds or [verdict.actual], ops=window.ops, enough=enough)
    return replace(verdict, smallest_visible=visible)
