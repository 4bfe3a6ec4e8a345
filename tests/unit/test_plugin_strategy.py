"""Which strategy a test gets: from its marker, the options and the baselines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_gomem.comparison.observation import Purpose
from pytest_gomem.comparison.strategy import RECORDED, HeadAlone, InTurns, Looks, as_needed, fixed
from pytest_gomem.instruments.kept_heap import kept_heap
from pytest_gomem.launch.sides import Against
from pytest_gomem.plugin.items import Plan
from pytest_gomem.plugin.rounds import purpose_of, strategy_of
from pytest_gomem.plugin.settings import Settings
from pytest_gomem.session.instrument import no_instruments

PLAIN = Settings()
AGAINST = Settings(against=Against(binary=Path("old")))
ONCE = HeadAlone(Looks(1))


@dataclass(frozen=True)
class Kept:
    """A baseline of so many rounds."""

    rounds: int

    def exists(self, nodeid: str) -> bool:
        return self.rounds > 0

    def can_fail(self, nodeid: str) -> bool:
        return self.rounds >= 3


def asked(fixtures=("go_service",), marked=None, diagnose=True):
    """A test that asks for these fixtures, and what its marker says."""
    item = SimpleNamespace(nodeid="test_it.py::test_a", fixturenames=fixtures, iter_markers=lambda name: ())
    return item, Plan(None, None, (), marked, diagnose)


def strategy(settings=PLAIN, kept=None, **test):
    return strategy_of(*asked(**test), settings, kept)


def purpose(settings=PLAIN, found=ONCE, **test):
    return purpose_of(*asked(**test), settings, found, refusal)


def refusal(seconds):
    return ""


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (strategy(), HeadAlone(Looks(1))),
        (strategy(marked=5), HeadAlone(Looks(5))),
        (strategy(marked="auto"), HeadAlone(as_needed())),
        (strategy(Settings(rounds=4)), HeadAlone(Looks(4))),
        (strategy(Settings(rounds=4), marked=2), HeadAlone(Looks(2))),
        (strategy(kept=Kept(8)), HeadAlone(as_needed())),
        (strategy(kept=Kept(8), marked=5), HeadAlone(fixed(5))),
        (strategy(kept=Kept(2), marked=2), HeadAlone(Looks(2))),
        (strategy(Settings(confirm=3), Kept(8)), HeadAlone(as_needed(3))),
        (strategy(AGAINST), InTurns(as_needed(first=3))),
        (strategy(AGAINST, marked=5), InTurns(fixed(5))),
        (strategy(replace(AGAINST, no_compare=True)), HeadAlone(Looks(1))),
        (strategy(Settings(update=True)), HeadAlone(Looks(RECORDED, {1}))),
        (strategy(Settings(update=True, rounds=3)), HeadAlone(Looks(3))),
        (strategy(replace(AGAINST, update=True)), InTurns(fixed(RECORDED))),
        (strategy(Settings(no_measure=True), marked=5), HeadAlone(Looks(1))),
        (strategy(AGAINST, fixtures=("go_service_session", "gomem_session")), HeadAlone(Looks(1))),
    ],
)
def test_who_says_how_many_rounds(found, wanted):
    """The marker before the option; what is compared or recorded says by itself where nobody does."""
    assert found == wanted


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (strategy(kept=Kept(8), marked=2), HeadAlone(fixed(3))),
        (strategy(AGAINST, marked=1), InTurns(fixed(3))),
    ],
)
def test_too_few_rounds_of_a_marker_are_raised(found, wanted):
    """To as many as can fail a comparison."""
    assert replace(found, note="") == wanted
    assert found.note.endswith("of its marker could fail no comparison: it was raised to 3")


@pytest.mark.parametrize(("settings", "kept"), [(PLAIN, Kept(8)), (AGAINST, None)])
def test_a_test_that_must_not_run_again_is_profiled_where_it_is_compared(settings, kept):
    """At the close of its windows: no observed round can answer for them."""
    assert strategy(settings, kept, diagnose=False).instruments is kept_heap
    assert strategy(settings, kept).instruments is no_instruments
    assert strategy(diagnose=False).instruments is no_instruments


def test_what_a_test_is_observed_for():
    """Its budgets on functions by the rounds that measure it; when baselines are recorded, by as many as those had."""
    assert purpose() == Purpose(ONCE, refusal)
    assert purpose(AGAINST, InTurns(fixed(5))) == Purpose(InTurns(fixed(5)), refusal)
    update = Settings(update=True)
    recorded = Purpose(HeadAlone(Looks(RECORDED)), refusal, keeps_profile=True)
    assert purpose(update, HeadAlone(Looks(RECORDED, {1}))) == recorded
    without = replace(recorded, keeps_profile=False)
    assert purpose(replace(update, baseline_profiles="off"), strategy(update)) == without
    assert purpose(update, strategy(update), fixtures=("gomem", "gomem_session")) == without


@pytest.mark.parametrize(
    "found",
    [
        purpose(Settings(no_measure=True)),
        purpose(diagnose=False),
        purpose(fixtures=("go_service_session", "gomem_session")),
    ],
)
def test_what_must_not_run_again_is_observed_for_nothing(found):
    assert found is None
