"""The culprits of a failed window: which profiles are used, and what is said if they do not show what is worse."""

from __future__ import annotations

from dataclasses import replace

import pytest
from evidence_samples import Seen
from report_samples import verdict, window
from test_attribution_culprits import HANDLE, KIB, dropped, heap, retained

from pytest_gomem.base.units import RATIO, Quantity
from pytest_gomem.diagnosis.culprits import accusable
from pytest_gomem.diagnosis.evidence import kind_for
from pytest_gomem.diagnosis.explanation import ByProfiles
from pytest_gomem.instruments.peak_profile import PEAK
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.results.window_record import DiagnosisRecord
from pytest_gomem.session.capture import HEAP, OPENING
from pytest_gomem.stats.decision import Status

PARSE = ("main.parse", "/srv/app/parse.go", 31)
RATE = 4096


def seen(count: int, *, opening: int | None = None, peak: int | None = None, there: str = "", **stack) -> Seen:
    """Of a service whose line main.parse holds so many KiB at the close."""
    held = {HEAP: count, OPENING: opening, PEAK: peak}
    profiles = {
        kind: heap(retained(KIB, each, PARSE, HANDLE), retained(KIB, 500, HANDLE), rate=RATE)
        for kind, each in held.items()
        if each is not None
    }
    return Seen(profiles, profile_rate=RATE, there=there, **stack)


def worse(metric: str, change: float) -> Verdict:
    """A comparison that failed by so many bytes."""
    limit = Quantity(0.05, RATIO, "5%")
    budget = replace(verdict(metric, "1", 1.0).budget, max=None, regression=limit)
    return Verdict(budget, limit, REGRESSION, 9e6, Status.FAIL, None, None, f"{metric} is worse", change=change)


def explained(*verdicts: Verdict, head: Seen, base: Seen | None = None):
    return ByProfiles().explained(window(verdicts=verdicts), head, base)


def test_metrics_of_the_peak_have_a_profile_of_their_own():
    """A leak and a spike may be of two lines; of the metrics that one profile explains the first is asked."""
    metrics = ("live_heap", "peak_rss", "peak_heap", "end_rss")
    broken = (*(verdict(name, "1kB", 1e6) for name in metrics), verdict("goroutines", "1", 2.0))
    assert [one.budget.metric for one in accusable(broken)] == ["live_heap", "peak_rss"]


def test_a_peak_is_explained_by_its_profile_where_both_sides_have_one():
    """Else by those of the close, and the side that has none is named, with the reason."""
    head, base = seen(900, peak=2000), seen(100, peak=1000, there="on the base side")
    assert kind_for("peak_rss", base, head) == (PEAK, "")
    assert kind_for("live_heap", base, head) == (HEAP, "")
    without = Seen({HEAP: base.kinds[HEAP]}, there="in the baseline")
    assert kind_for("peak_rss", without, head) == (
        HEAP,
        "the profiles are of the close, because there is none of the peak in the baseline: there is no peak_profile",
    )
    assert kind_for("peak_heap", Seen({})) == (
        HEAP,
        "the profiles are of the close, because there is none of the peak: there is no peak_profile",
    )


def test_the_line_that_holds_more_than_on_the_base_side_is_named():
    """By the profiles of all rounds; the diagnosis says how many they were, how fine, and that it was there again."""
    head, base = seen(RATE, rounds=2), seen(100, there="on the base side")
    found = explained(worse("live_heap", 1e6), head=head, base=base)
    assert [(one.function, one.line, one.is_between) for one in found.culprits] == [("main.parse", 31, True)]
    assert found.diagnosis == DiagnosisRecord(2, RATE, reproduced=True)
    assert found.culprit_summaries["live_heap"].startswith("1 of 1 function")


def test_what_the_profiles_do_not_show_is_blamed_on_nobody():
    """The excess was there when it was measured, and not again: the test may be flaky."""
    found = explained(worse("live_heap", 500e6), head=seen(RATE), base=seen(100, there="on the base side"))
    assert found.culprits == ()
    assert found.culprit_summaries["live_heap"].startswith("nobody is named: the heap profiles show ")
    assert found.culprit_summaries["live_heap"].endswith(" of the 500 MB")
    assert found.diagnosis == DiagnosisRecord(1, RATE, reproduced=False)


def test_without_profiles_nobody_can_be_named():
    found = explained(worse("live_heap", 1e6), head=seen(RATE), base=Seen({}, there="in the baseline"))
    assert found.culprit_summaries == {"live_heap": f"nobody can be named: there is no {HEAP}"}
    assert found.diagnosis == DiagnosisRecord(1, RATE, reproduced=None)


def test_a_broken_limit_is_blamed_on_what_grew_in_the_window():
    limit = verdict("live_heap", "1MB", 2.2e6)
    found = explained(limit, head=seen(2000, opening=100))
    (culprit,) = found.culprits
    assert (culprit.function, culprit.is_between, culprit.before is None) == ("main.parse", False, False)
    assert found.diagnosis == DiagnosisRecord(1, RATE, reproduced=True)


def test_a_limit_that_was_broken_before_the_window_is_blamed_on_all_that_is_live():
    """What grew in the window does not come to the excess."""
    found = explained(verdict("live_heap", "1MB", 20e6), head=seen(20_000, opening=19_990))
    assert [(one.function, one.before) for one in found.culprits] == [("main.parse", None)]


@pytest.mark.parametrize("opening", [None, 10])
def test_a_limit_whose_excess_is_not_there_again_is_blamed_on_nobody(opening):
    found = explained(verdict("live_heap", "1MB", 900e6), head=seen(20, opening=opening))
    assert found.culprits == ()
    assert found.culprit_summaries["live_heap"].startswith("nobody is named: the heap profiles show ")
    assert found.diagnosis == DiagnosisRecord(1, RATE, reproduced=False)


@pytest.mark.parametrize("metric", ["peak_heap", "peak_rss"])
def test_a_peak_of_garbage_is_blamed_on_who_allocated_it(metric):
    """Its live heap does not come to the excess; with two sides, on who allocated more."""
    churn = {HEAP: heap(dropped(KIB, 90_000, PARSE, HANDLE), rate=RATE), PEAK: heap(retained(KIB, 20), rate=RATE)}
    found = explained(verdict(metric, "1MB", 40e6), head=Seen(churn))
    (culprit,) = found.culprits
    assert (culprit.function, culprit.metric, culprit.counted) == ("main.parse", metric, "alloc_space")
    assert found.culprit_summaries[metric].startswith("the live heap does not explain this peak, which is garbage")
    calm = {HEAP: heap(dropped(KIB, 9_000, PARSE, HANDLE), rate=RATE), PEAK: churn[PEAK]}
    found = explained(worse(metric, 39e6), head=Seen(churn), base=Seen(calm, there="on the base side"))
    assert [(one.function, one.is_between, one.counted) for one in found.culprits] == [
        ("main.parse", True, "alloc_space")
    ]
    found = explained(worse(metric, 3900e6), head=Seen(churn), base=Seen(calm, there="on the base side"))
    assert found.culprits == ()


def test_a_limit_and_a_comparison_of_one_metric_have_their_own_culprits():
    found = explained(
        verdict("live_heap", "1MB", 2.2e6), worse("live_heap", 1e6), head=seen(2000, opening=100), base=seen(100)
    )
    assert [one.is_between for one in found.culprits] == [False, True]
    assert found.culprit_summaries["live_heap"].count("; compared with the base: ") == 1


def test_a_phase_has_no_profile_of_its_own():
    limit = replace(verdict("live_heap", "1MB", 2.2e6).budget, phase="fill")
    broken = replace(verdict("live_heap", "1MB", 2.2e6), budget=limit)
    found = explained(broken, head=seen(2000, opening=100))
    assert found.culprits == ()
    assert found.culprit_summaries == {
        "live_heap": "nobody is named for phase 'fill': the profiles are of the whole window"
    }
    assert found.diagnosis == DiagnosisRecord(1, RATE, reproduced=None)
