"""Owns what of a window's record is shown otherwise: texts in which values of a service's settings may stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pytest_gomem.measure.metric import Unavailable
from pytest_gomem.results.window_record import MetricValue, WindowRecord


def with_shown_texts(window: WindowRecord, shown: Callable[[str], str]) -> WindowRecord:
    """The window with its reasons, notes and log as `shown` makes of them; names, places and figures stay."""
    return replace(
        window,
        metrics=_metrics(window.metrics, shown),
        phases=tuple(replace(phase, metrics=_metrics(phase.metrics, shown)) for phase in window.phases),
        verdicts=tuple(replace(verdict, reason=shown(verdict.reason)) for verdict in window.verdicts),
        culprit_summaries={metric: shown(words) for metric, words in window.culprit_summaries.items()},
        notes=tuple(map(shown, window.notes)),
        log_tail=shown(window.log_tail),
        no_base=shown(window.no_base),
    )


def _metrics(metrics: tuple[MetricValue, ...], shown: Callable[[str], str]) -> tuple[MetricValue, ...]:
    return tuple(
        replace(metric, result=replace(metric.result, reason=shown(metric.result.reason)))
        if isinstance(metric.result, Unavailable)
        else metric
        for metric in metrics
    )
