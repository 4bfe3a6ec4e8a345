"""What is said of two sides before they are compared."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_samples import window

from pytest_gomem.base.errors import Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import RATIO, Quantity
from pytest_gomem.comparison.compare import comparable, without_regressions
from pytest_gomem.comparison.other_side import side_name, unlike
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Reading
from pytest_gomem.results.window_record import BuildRecord, MetricValue
from pytest_gomem.stats.decision import Status


def measured(source: str | None):
    result = Unavailable("no agent") if source is None else Reading(1.0, source)
    return window(metrics=(MetricValue("live_heap", "bytes", result),))


def test_sides_measured_in_different_ways_do_not_compare():
    """An agent on one side and an endpoint on the other see different heaps; what one side lacks is another matter."""
    words = unlike(measured("MemStats by the agent"), measured("MemStats by pprof"))
    assert words.endswith("live_heap from MemStats by the agent, and on the base side from MemStats by pprof")
    assert unlike(measured("MemStats by the agent"), measured("MemStats by the agent")) == ""
    assert unlike(measured("MemStats by the agent"), measured(None)) == ""
    assert unlike(*[window(conditions={"agent": "yes", "opening_heap_profile": "taken for a budget"})] * 2) == ""
    # Without any endpoint nothing tells the sides' heaps apart, and the agent is in the RSS of one of them.
    new, base = (window(conditions={"agent": word}) for word in ("yes", "no"))
    assert unlike(new, base).endswith("the agent is built into this side alone")
    assert unlike(base, new).endswith("the agent is built into the base side alone")
    new = window(conditions={"opening_heap_profile": "taken for a budget"})
    words = "a heap profile, which a budget asks for, could be taken at the window's opening on "
    assert unlike(new, window()).endswith(f"{words}this side alone")
    assert unlike(window(), new).endswith(f"{words}the base side alone")


@pytest.mark.parametrize(
    ("ref", "go", "name"),
    [
        ("main (1a2b)", "go1.27.0", "main (1a2b)"),
        ("main (1a2b)", "", "main (1a2b)"),
        ("main (1a2b)", "go1.26.8", "go1.26.8 (now go1.27.0), main (1a2b)"),
        ("go1.26.8", "go1.26.8", "go1.26.8 (now go1.27.0)"),
    ],
)
def test_another_go_is_said_first(ref, go, name):
    """A verdict names the base side; two Go releases come before anything else."""
    assert side_name(BuildRecord(ref, go), BuildRecord("working tree", "go1.27.0")) == name


def test_what_no_comparison_answers_keeps_its_verdict():
    """Functions without a profile stay unavailable; a metric of the window is the comparison's, measured or not."""
    lost = unmeasured("alloc_space", function="main.encode*"), unmeasured("rss_growth")
    answered = unmeasured("live_heap"), replace(unmeasured("alloc_space", function="main.f"), actual=1e6)
    record = window(metrics=measured(None).metrics, verdicts=(*lost, *answered))
    assert without_regressions(record) == lost
    assert comparable([v.budget for v in record.verdicts], record) == [v.budget for v in answered]


def unmeasured(name: str, function: str = "") -> Verdict:
    limit = Quantity(0.05, RATIO, "5%")
    budget = Budget(name, None, None, None, limit, function, "tests glob", Place())
    return Verdict(budget, limit, "regression", None, Status.UNAVAILABLE, None, None, "unavailable")
