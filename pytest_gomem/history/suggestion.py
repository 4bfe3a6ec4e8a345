"""The command that finds the commit between two runs, where a trend got worse."""

from __future__ import annotations

import shlex

from pytest_gomem.git.repository import short
from pytest_gomem.history.changes import Change
from pytest_gomem.history.trend import Trend
from pytest_gomem.measure.metric import Better
from pytest_gomem.measure.registry import builtin_metrics


def bisect_command(trend: Trend, change: Change) -> str:
    """`gomem bisect GOOD BAD TEST METRIC` for a change that is no improvement; "" if it cannot help.

    It cannot if a run's commit is unknown, if both ran on one, or if the later one had changes that nobody committed.
    """
    good, bad = trend.points[change.at - 1].revision, change.point.revision
    if not good.commit or not bad.commit or good.commit == bad.commit or bad.dirty or _is_better(trend.metric, change):
        return ""
    return shlex.join(["gomem", "bisect", short(good.commit), short(bad.commit), trend.nodeid, trend.metric])


def _is_better(name: str, change: Change) -> bool:
    """Whether it improved; of a metric of your own that is not known here."""
    metric = next((metric for metric in builtin_metrics() if metric.name == name), None)
    return metric is not None and (change.after < change.before) == (metric.better is Better.LOWER)
