"""The verdict on a peak above a simulated memory limit: what a kernel would have done."""

from __future__ import annotations

import pytest

from pytest_gomem.judge.over_limit import OVER_LIMIT
from pytest_gomem.report.terminal import standing
from pytest_gomem.report.text import limit_text
from pytest_gomem.results.window_record import GcRecord
from pytest_gomem.session.judging import Judging
from pytest_gomem.stats.decision import Status
from pytest_gomem.testing import fake_window_record

LIMIT = GcRecord({}, {"memory_limit": "256MiB, simulated"})


def of(headroom):
    return fake_window_record({"memory_headroom": headroom}, gc=LIMIT)


def test_a_peak_above_the_limit_fails_in_words():
    """No budget asks for it, as none asks for an OOM kill."""
    (found,) = Judging("t.py::test_a").unasked(of(-3.2e6))
    assert (found.kind, found.budget.metric, found.status) == (OVER_LIMIT, "memory_headroom", Status.FAIL)
    assert found.reason == (
        "the peak was 3.20 MB above the simulated memory limit of 256MiB, between two looks at it: a kernel would have "
        "killed the service"
    )
    assert (limit_text(found), standing(found)) == (">= 0 B", "short by 3.20 MB")


@pytest.mark.parametrize("headroom", [0.0, 20e6, "it ran without a memory limit"])
def test_what_stayed_below_is_no_verdict(headroom):
    """And what is not known is none either."""
    assert Judging("t.py::test_a").unasked(of(headroom)) == ()


def test_one_round_above_is_enough():
    """The worst is told: a kernel kills once."""
    rounds = [of(20e6), of(-1e6), of(-3.2e6), of(19e6)]
    (found,) = Judging("t.py::test_a").unasked(of(19e6), rounds)
    assert found.actual == -3.2e6
