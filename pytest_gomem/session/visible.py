"""Owns saying beside each limit of a window how small a change of its metric could be told from noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.judge.visible import smallest_visible
from pytest_gomem.measure.metric import Metric
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import ENOUGH


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
