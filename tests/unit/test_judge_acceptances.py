"""Acceptances: what is accepted, for how long, and what has nothing left to accept."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_samples import verdict

from pytest_gomem.base.errors import Place
from pytest_gomem.base.units import BYTES, RATIO, Quantity
from pytest_gomem.config.accepted import Acceptance, amount
from pytest_gomem.judge.acceptances import Judged, rivals, vanished, with_accepted
from pytest_gomem.judge.decide import failed
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.plugin.selection import gone
from pytest_gomem.stats.decision import Status

TEST = "tests/test_mem.py::test_upload"
TODAY = date(2026, 11, 24)


def entry(written="5%", test=TEST, metric="live_heap", days=30, limit=""):
    """An acceptance of so much (None: muted), that ends in so many days."""
    how_much = None if written is None else amount(written, BYTES, Place())
    expires = TODAY + timedelta(days=days)
    return Acceptance(test, metric, how_much, "the cache", "ann", expires, Place("accepted.yaml", 4), limit)


def broken(megabytes=104.0, reason="live_heap is over"):
    """live_heap against its limit of 100MB."""
    return verdict("live_heap", "100MB", megabytes * 1e6, reason=reason)


def regressed(ratio=0.04):
    """live_heap worse than its baseline of 100MB, which a limit of 1% on regressions does not allow."""
    limit = Quantity(0.01, RATIO, "1%")
    budget = replace(broken().budget, max=None, regression=limit)
    change = ratio * 100e6
    return Verdict(budget, limit, "regression", 100e6 + change, Status.FAIL, ratio, None, "worse", 100e6, change)


def status(verdicts):
    return [one.status for one in verdicts]


@pytest.mark.parametrize(
    ("written", "megabytes", "passes"),
    [
        ("5%", 104.0, True),
        ("5%", 105.0, True),  # equal is accepted
        ("5%", 105.001, False),
        ("4MB", 104.0, True),
        ("4MB", 104.001, False),
        ("0%", 100.001, False),
    ],
)
def test_up_to_the_amount(written, megabytes, passes):
    """A limit broken by no more than the amount warns and says who accepted it; by more it fails and says so too."""
    (judged,) = with_accepted([broken(megabytes)], TEST, [entry(written)], TODAY)
    assert bool(failed([judged])) != passes
    if passes:
        assert judged.status is Status.WARN
        assert (judged.accepted.owner, judged.accepted.reason, judged.accepted.amount) == ("ann", "the cache", written)
        assert judged.actual == megabytes * 1e6
    else:
        assert judged.accepted is None
        assert judged.reason == f"live_heap is over; more than the {written} accepted until 2026-12-24 (ann: the cache)"


@pytest.mark.parametrize(("written", "passes"), [("4%", True), ("3.9%", False), ("4MB", True), ("3.9MB", False)])
def test_regressions_are_accepted_by_their_whole_worsening(written, passes):
    """The amount is what it may be worse than the baseline, not what it may exceed the limit on regressions."""
    assert bool(failed(with_accepted([regressed()], TEST, [entry(written)], TODAY))) != passes


def test_an_entry_may_mean_one_limit():
    """With `limit` the other limits on the metric still fail."""
    both = with_accepted([broken(), regressed()], TEST, [entry(limit="regression")], TODAY)
    assert status(both) == [Status.FAIL, Status.WARN]


def test_the_entry_that_names_the_limit_counts():
    """Beside one for any limit, wherever it stands in the file."""
    narrow, wide = entry("1%", limit="regression"), entry("99%")
    for entries in ([narrow, wide], [wide, narrow]):
        assert status(with_accepted([broken(), regressed()], TEST, entries, TODAY)) == [Status.WARN, Status.FAIL]


def test_the_last_day_counts_and_the_next_does_not():
    """Expired is over: it fails, saying when it expired and whose it was."""
    assert status(with_accepted([broken()], TEST, [entry(days=0)], TODAY)) == [Status.WARN]
    (late,) = with_accepted([broken()], TEST, [entry(days=-1)], TODAY)
    assert late.status is Status.FAIL
    assert late.reason.endswith("it was accepted until 2026-11-23 (ann: the cache), and that date has passed")


def test_what_is_not_meant_stays():
    """Other tests, other metrics, kept limits and those without a value are as before."""
    others = [entry(test="tests/test_mem.py::test_other"), entry(metric="peak_rss")]
    assert with_accepted([broken()], TEST, others, TODAY) == (broken(),)
    kept = verdict("live_heap", "100MB", 99e6)
    unmeasured = verdict("live_heap", "100MB", None, reason="gone")
    assert with_accepted([kept, unmeasured], TEST, [entry()], TODAY) == (kept, unmeasured)


def test_muted_never_fails():
    """A flaky metric is judged and shown, whatever it is broken by, measured or not; when it expires it fails."""
    unmeasured = verdict("live_heap", "100MB", None, reason="gone")
    verdicts = with_accepted([broken(900), unmeasured], TEST, [entry(None)], TODAY)
    assert status(verdicts) == [Status.WARN, Status.WARN]
    assert [one.accepted.amount for one in verdicts] == ["", ""]
    assert failed(with_accepted([unmeasured], TEST, [entry(None, days=-1)], TODAY))


def test_the_closest_entry_counts():
    """An entry of one test goes before a glob's, as budgets do."""
    entries = [entry("50%", test="tests/*"), entry("1%")]
    assert failed(with_accepted([broken()], TEST, entries, TODAY))
    assert not failed(with_accepted([broken()], TEST, entries[:1], TODAY))


def test_an_id_counts_before_a_glob_with_as_much_text():
    """Wherever they stand in the file."""
    wide, narrow = entry("50%", test=f"{TEST}*"), entry("1%")
    for entries in ([wide, narrow], [narrow, wide]):
        assert failed(with_accepted([broken()], TEST, entries, TODAY))
        assert rivals(entries, TEST) == ()


def test_neither_of_two_equals_counts():
    """Globs with as much text before their first star, both of this test: an error that names both lines."""
    one, other = entry("1%", test="tests/*upload"), entry("50%", test="tests/*test_*")
    (error,) = rivals([one, replace(other, place=Place("accepted.yaml", 9))], TEST)
    assert str(error).startswith(
        "accepted.yaml:4: live_heap of 'tests/*upload' and of 'tests/*test_*' (line 9) are of equal"
    )
    assert rivals([one, other], "tests/test_mem.py::test_other") == ()
    assert rivals([one, replace(other, metric="peak_rss")], TEST) == ()
    assert rivals([one, replace(other, limit="max")], TEST) == ()  # the one that names the kind counts


def test_a_share_of_nothing_says_so():
    """Of a limit of 0 every share is 0: more of it would not help."""
    one = verdict("goroutines", "0", 3.0, reason="over")
    (judged,) = with_accepted([one], TEST, [entry(metric="goroutines")], TODAY)
    assert judged.status is Status.FAIL
    assert judged.reason == "over; the 5% accepted until 2026-12-24 (ann: the cache) is a share, but the limit is 0"


@given(st.floats(0, 2), st.floats(0, 2), st.integers(-3, 3))
def test_nothing_else_is_let_through(over, accepted, days):
    """Whatever the figures: a broken limit passes exactly when it is within the amount and the day is not over."""
    one = replace(broken(), over=over, status=Status.FAIL)
    passes = not failed(with_accepted([one], TEST, [entry(f"{accepted * 100:.9f}%", days=days)], TODAY))
    assert passes == (over <= accepted * (1 + 1e-6) + 1e-9 and days >= 0) or abs(over - accepted) < 1e-6


# What is to be removed


def judged(*verdicts, nodeid=TEST, complete=True):
    return Judged(nodeid, complete, verdicts)


KEPT = verdict("live_heap", "100MB", 99e6)
WARNED = verdict("live_heap", "90MB", 99e6, "warn")


@pytest.mark.parametrize(
    ("acceptance", "tests", "whole", "why"),
    [
        (entry(), [judged(KEPT)], False, "live_heap is within its limits again"),
        (entry(days=-9), [judged(KEPT)], False, "live_heap is within its limits again"),
        (entry(), [judged(verdict("peak_rss", "1GB", 1e9))], True, None),  # not judged here: nothing to compare with
        (entry(limit="regression"), [judged(KEPT)], True, None),
        (entry(limit="max"), [judged(KEPT, regressed())], True, "live_heap is within its limits again"),
        (entry(), [judged(KEPT, WARNED)], True, "live_heap is within its limits again"),  # no limit that could break
        (entry(), [judged(WARNED)], True, None),
        (entry(None), [judged(KEPT)], True, None),  # flaky: once proves nothing
        (entry(None, days=-1), [judged(KEPT)], True, "what was accepted of live_heap until 2026-11-23 is over"),
        (entry(days=-1), [judged()], True, "what was accepted of live_heap until 2026-11-23 is over"),
        (entry(days=0), [judged()], True, None),
        (entry(None, days=-1), [judged(broken())], True, None),  # its failure says that it is over
        (entry(None, test="tests/*", days=-1), [judged(KEPT)], False, None),
        (entry(), [judged(*with_accepted([broken()], TEST, [entry()], TODAY))], True, None),
        (entry(), [judged(broken())], True, None),
        (entry(), [judged(KEPT, complete=False)], True, None),
        (entry(), [], True, None),  # did not run: skipped, deselected
        (entry(test="tests/*"), [judged(KEPT)], False, None),  # the others of the glob were not asked for
        (entry(test="tests/*"), [judged(KEPT)], True, "live_heap is within its limits again"),
        (entry(test="tests/*"), [judged(KEPT), judged(broken(), nodeid="tests/b.py::test_b")], True, None),
    ],
)
def test_vanished(acceptance, tests, whole, why):
    """An acceptance is to be removed when all it means ran to its end and none of it needs it any more."""
    assert vanished([acceptance], tests, TODAY, whole=whole) == (((acceptance, why),) if why else ())


def test_gone():
    """An acceptance of no test at all; an id without its parameters means its combinations."""
    assert gone([entry(), entry(test="t.py::test_*")], ["t.py::test_a", f"{TEST}[x-1]"]) == ()
    assert gone([entry()], ["t.py::test_a"]) == (entry(),)
