"""Several rounds made one window."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_samples import metric, verdict, window

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.comparison.merged import merged
from pytest_gomem.judge.conditions import ATTACHED, VARIES
from pytest_gomem.measure.metric import Reading
from pytest_gomem.results.keys import keys
from pytest_gomem.session.judging import CHECK_SCOPE, Judging
from pytest_gomem.stats.decision import Status

JUDGING = Judging("test_it.py::test_a")


def budget(name: str, written: str):
    return verdict(name, written, 0.0).budget


def one(*values: float | str, **fields):
    """Rounds of one window, by the live heap that each measured."""
    return [[window(metrics=(metric("live_heap", value),), **fields)] for value in values]


def test_a_window_of_several_rounds_has_their_medians_and_keeps_each_round():
    """The median of an even number lies between the middle two; the spread stands in the note."""
    (record,) = merged(one(3e6, 1e6, 2e6, 9e6), JUDGING)
    result = record.metrics[0].result
    assert isinstance(result, Reading)
    assert (result.value, result.note) == (2.5e6, "median of 4 rounds, 1.00 MB to 9.00 MB")
    assert [each["live_heap"] for each in record.rounds] == [3e6, 1e6, 2e6, 9e6]


def test_bounds_of_rounds_have_medians_too():
    """A round with a figure bounds itself; one without either leaves no bounds."""
    known, bounded = metric("peak_rss", 30e6), metric("peak_rss", "it lies between 20 MB and 50 MB")
    bounded = replace(bounded, result=Unavailable("it lies between 20 MB and 50 MB", (20e6, 50e6)))
    for metrics, bounds in (
        ((known, bounded, bounded), (20e6, 50e6)),
        ((known, known, bounded), (30e6, 30e6)),
        ((known, bounded, metric("peak_rss", "it died")), None),
    ):
        (record,) = merged([[window(metrics=(one,))] for one in metrics], JUDGING)
        assert isinstance(record.metrics[0].result, Unavailable)
        assert record.metrics[0].result.bounds == bounds
        assert "peak_rss" not in record.rounds[2]


def test_budgets_are_judged_on_the_median():
    """One wild round of three breaks no budget, two do."""
    judging = Judging("test_it.py::test_a", ((budget("live_heap", "5MB"),),))
    for values, status in (((1e6, 9e6, 2e6), Status.PASS), ((9e6, 1e6, 8e6), Status.FAIL)):
        (record,) = merged(one(*values), judging)
        assert [v.status for v in record.verdicts] == [status]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ((1e6, "no endpoint", 1e6), "in round 2 of 3: no endpoint"),
        (("no endpoint",) * 3, "no endpoint"),
        (("port 1 is silent", "port 2 is silent"), "port 1 is silent"),
    ],
)
def test_what_one_round_could_not_measure_has_no_median(values, reason):
    """Unmeasured is not passed, and not left out of the count either."""
    judging = Judging("test_it.py::test_a", ((budget("live_heap", "5MB"),),))
    (record,) = merged(one(*values), judging)
    assert record.metrics[0].result == Unavailable(reason)
    assert [v.status for v in record.verdicts] == [Status.UNAVAILABLE]


def test_windows_are_told_apart_by_service_name_and_order():
    """Two windows of one name stay two; one that was not opened in each round says so."""
    steady, cold = window(name="steady"), window(name="cold")
    records = merged([[steady, steady, cold], [steady, steady]], JUDGING)
    assert [(r.name, len(r.rounds)) for r in records] == [("steady", 2), ("steady", 2), ("cold", 1)]
    assert records[2].notes == ("this window was opened in 1 of 2 rounds only",)


def test_a_setting_that_each_round_had_another_value_of_varies():
    """A service that tunes its collector is the same service in every round; nothing else may differ unseen."""
    rounds = [
        [window(conditions={"gogc": gogc, "go": "go1.26", "thp": thp})] for gogc, thp in (("90", "a"), ("110", "b"))
    ]
    (record,) = merged(rounds, JUDGING)
    assert record.conditions == {"gogc": VARIES, "go": "go1.26", "thp": "b"}
    (same,) = merged([rounds[0], rounds[0]], JUDGING)
    assert same.conditions == {"gogc": "90", "go": "go1.26", "thp": "a"}


def test_checks_by_hand_are_the_last_rounds_and_other_work_is_noted():
    """What m.check judged in a round is not judged again; rounds with other operations do not compare well."""
    checked = replace(budget("live_heap", "5MB"), scope=CHECK_SCOPE)
    by_hand = replace(verdict("live_heap", "5MB", 1e6), budget=checked)
    (record,) = merged([*one(1e6, ops=10, verdicts=(by_hand,)), *one(2e6, ops=20, verdicts=(by_hand,))], JUDGING)
    assert record.verdicts == (by_hand,)
    assert record.notes == ("the rounds did different work: 10, 20 operations",)


def test_notes_that_differ_in_their_numbers_alone_are_told_once():
    """By the last of them; in the order of their first appearance."""
    rounds = [[window(notes=(f"forced {number} cycles", "lost a port"))] for number in (1, 23)]
    assert merged(rounds, JUDGING)[0].notes == ("forced 23 cycles", "lost a port")


def test_a_process_that_is_not_ours_is_the_same_window_in_each_round():
    """Its name is an id of this time, or a URL with a port of this time."""
    attached = {"conditions": {"process": "attached"}}
    first = [window(service="pid 11", **attached), window(service="api"), window(service="pid 12", **attached)]
    second = [window(service="pid 21", **attached), window(service="api"), window(service="pid 22", **attached)]
    assert list(keys(first)) == list(keys(second)) == [(ATTACHED, "test", 0), ("api", "test", 0), (ATTACHED, "test", 1)]
    assert [(r.service, len(r.rounds)) for r in merged([first, second], JUDGING)] == [
        ("pid 21", 2), ("api", 2), ("pid 22", 2),
    ]  # fmt: skip
