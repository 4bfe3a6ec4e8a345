"""What of a window's record is shown otherwise, and what stays as it is."""

from __future__ import annotations

from report_samples import metric, window

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.results.window_record import MetricValue
from pytest_gomem.session.recording import with_shown_texts


def test_a_reason_is_shown_and_its_bounds_stay():
    """A peak that is only bounded keeps its bounds: a table shows the upper one."""
    bounded = MetricValue("peak_rss", "bytes", Unavailable("s3cret-value", (10e6, 45e6)), 2)
    shown = with_shown_texts(
        window(metrics=(bounded, metric("fds", 9))), lambda text: text.replace("s3cret-value", "X")
    )
    assert shown.metrics == (MetricValue("peak_rss", "bytes", Unavailable("X", (10e6, 45e6)), 2), metric("fds", 9))
