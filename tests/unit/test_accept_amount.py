"""The amount that `gomem accept` writes when none is given."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from report_samples import window

from pytest_gomem.base.errors import Place
from pytest_gomem.base.units import BYTES, RATIO, Quantity
from pytest_gomem.commands.accept import _by_kind, _fresh, _widest
from pytest_gomem.config.accepted import Acceptance
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.report.accepted import Broken, broken_limits
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.stats.decision import Status


def broken(share, by, visible=0.0):
    return Broken("t.py::test_a", "live_heap", "max", share, by, BYTES, visible)


@pytest.mark.parametrize(
    ("limits", "written"),
    [
        ([broken(0.0421, 4.21e6)], "4.7%"),
        ([broken(0.0421, 4.21e6), broken(0.2, 20e6)], "22%"),
        ([broken(0.003, 3e5, visible=3e6)], "3.3%"),  # barely broken: the noise decides, not the tenth
        ([broken(28.44, 228e6)], "3200%"),
        ([broken(None, 1234.0)], "1400"),  # of a limit of 0 there is no share
        ([broken(None, 12.0), broken(0.1, 1000.0)], "1100"),
    ],
)
def test_the_excess_with_room_for_the_next_run(limits, written):
    """A tenth more or what is visible, rounded up to two digits, and never below what was broken."""
    found = _widest(limits)
    assert str(found) == written
    assert all(found.quantity.value > (limit.share if found.relative else limit.by) for limit in limits)


def test_an_entry_for_each_kind_that_broke():
    """Each as wide as its kind needs; what is in the file already is not added again, unless that was all."""
    asked = Acceptance("t.py::test_a", "live_heap", None, "r", "o", date(2027, 1, 31), Place())
    limits = [broken(0.02, 2e6), replace(broken(0.4, 40e6), kind="regression"), broken(0.04, 4e6)]
    entries = _by_kind(asked, limits)
    assert [(each.limit, str(each.amount)) for each in entries] == [("max", "4.4%"), ("regression", "44%")]
    assert _fresh(entries, entries[:1]) == entries[1:]
    assert _fresh(entries, entries) == entries
    assert _by_kind(asked, []) == [asked]


def test_what_functions_make_from_nothing_is_in_bytes():
    """There is no share of a base of 0, and no metric of the window to tell the unit."""
    limit = Quantity(0.05, RATIO, "5%")
    budget = Budget("alloc_space", None, None, None, limit, "main.encode*", "tests glob", Place())
    worse = Verdict(budget, limit, "regression", 12e6, Status.FAIL, None, None, "", baseline=0.0, change=12e6)
    (found,) = broken_limits((TestRecord("t.py::test_a", "failed", (window(verdicts=(worse,)),)),))
    assert (found.metric, found.share, found.by, found.unit) == ("alloc_space[main.encode*]", None, 12e6, BYTES)
