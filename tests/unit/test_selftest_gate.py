"""Whether a gate was tested, and by the decision that a real run makes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gomem_windows import MIB, read
from gomem_windows import window as measured
from report_samples import window

from pytest_gomem.base.errors import Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import RATIO, Quantity
from pytest_gomem.config.budgets import Budget
from pytest_gomem.instruments.injected_load import NOTE
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.registry import builtin_metrics
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import MetricValue
from pytest_gomem.selftest.gate import GateResult, NotTested, gate_results
from pytest_gomem.stats.decision import Status, compare

METRICS = {metric.name: metric for metric in builtin_metrics()}
FIGURES = {"live_heap": 60e6, "alloc_bytes_per_op": 1e6, "allocs_per_op": 1e4, "peak_rss": 80e6, "goroutines": 5.0}


def record(rounds, *notes):
    last = tuple(
        MetricValue(name, METRICS[name].unit, Reading(value, "a source")) for name, value in rounds[-1].items()
    )
    one = window(metrics=last, rounds=rounds, notes=notes)
    return TestRecord(nodeid="test_it.py::test_a", outcome="passed", windows=(one,))


def rounds_of(*live, count=3, **others):
    return tuple({**FIGURES, **others, "live_heap": value} for value in (live or (60e6,) * count))


def proved(plain, loaded):
    return list(gate_results([plain], [loaded], METRICS, 0.05))


def test_a_gate_rings_only_where_that_of_a_run_would():
    """What fails when judged alone, and not when its error is shared among five metrics, is silent."""
    base, new = (60.0e6, 60.05e6, 60.1e6), (61.15e6, 61.2e6, 61.25e6)
    live = METRICS["live_heap"]
    assert compare(live, base, new, 0.005).status is Status.FAIL
    assert compare(live, base, new, 0.005, decisions=5).status is Status.NOISY
    (found,) = (p for p in proved(record(rounds_of(*base)), record(rounds_of(*new), NOTE)) if p.metric is live)
    assert isinstance(found, GateResult)
    assert found.is_silent
    assert found.why == "the change does not stand out of the scatter of these rounds: run more of them (--rounds)"


@pytest.mark.parametrize(
    ("plain", "loaded", "why"),
    [
        (rounds_of(count=1), rounds_of(count=1), "measured in 1 round, "),
        (({"peak_rss": 8e7},) * 3, rounds_of(), "live heap was not measured"),
        (rounds_of(), rounds_of(), "no agent"),
    ],
)
def test_what_was_not_made_worse_is_not_tested(plain, loaded, why):
    """Windows without an injected load are named, and never count as gates that rang."""
    (found,) = proved(record(plain), record(loaded))
    assert isinstance(found, NotTested)
    assert why in found.why


def test_of_a_program_that_ends_it_is_said_that_nothing_can_be_added():
    """It may have the agent, so its build is not to blame."""
    gone = Unavailable("the program has ended")
    peak = read("peak_rss", measured(start=gone, end=gone, peak_reset=False, lifetime_peak=50 * MIB))
    job = window(metrics=(MetricValue("peak_rss", METRICS["peak_rss"].unit, peak),), rounds=rounds_of())
    test = TestRecord("test_it.py::test_job", "passed", (job,))
    (found,) = proved(test, test)
    assert found.why == "a program that ends by itself cannot be made worse; name tests of services"


def test_functions_that_a_run_judges_share_the_error_of_a_gate():
    """With them among the judged a run sees a little less, and the selftest says so."""
    limit = Quantity(0.05, RATIO, "5%")
    budget = Budget("alloc_space", None, None, None, limit, "main.encode*", "tests glob", Place())
    judged = Verdict(budget, limit, "regression", 1e6, Status.NO_BASELINE, None, None, "")
    plain, loaded = record(rounds_of(60.0e6, 60.5e6, 61.0e6)), record(rounds_of(66.0e6, 66.5e6, 67.0e6), NOTE)

    def visible(*verdicts):
        test = replace(plain, windows=(replace(plain.windows[0], verdicts=verdicts),))
        (found,) = (p for p in proved(test, loaded) if p.metric.name == "live_heap")
        return found.visible

    assert visible(judged) > visible()
