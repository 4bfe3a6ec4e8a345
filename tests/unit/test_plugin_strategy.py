"""Which strategy a test gets: from its marker, the options and the baselines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_gomem.comparison.strategy import RECORDED, HeadAlone, InTurns, Looks, as_needed, fixed
from pytest_gomem.instruments.kept_heap import kept_heap
from pytest_gomem.launch.sides import Against
from pytest_gomem.plugin.items import Plan
from pytest_gomem.plugin.rounds import strategy_of
from pytest_gomem.plugin.settings import Settings

PLAIN = Settings()
AGAINST = Settings(against=Against(binary=Path("old")))


@dataclass(frozen=True)
class Kept:
    """A baseline of so many rounds."""

    rounds: int
    heap: bool = False

    def exists(self, nodeid: str) -> bool:
        return self.rounds > 0

    def can_fail(self, nodeid: str) -> bool:
        return self.rounds >= 3

    def has_heap(self, nodeid: str) -> bool:
        return self.heap


def strategy(settings=PLAIN, kept=None, marked=None, fixtures=("go_service",), hands_over=False):
    item = SimpleNamespace(nodeid="test_it.py::test_a", fixturenames=fixtures, iter_markers=lambda name: ())
    return strategy_of(item, Plan(None, None, (), marked), settings, kept, hands_over=hands_over)


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


def test_heap_profiles_are_kept_where_somebody_asks_for_them():
    """Not of a process whose heap depends on which tests have run."""
    shared = ("gomem", "gomem_session")
    for asked in ({"kept": Kept(8, heap=True)}, {"settings": Settings(update=True), "hands_over": True}):
        assert strategy(**asked).instruments is kept_heap
        assert strategy(**asked, fixtures=shared).instruments is not kept_heap
    assert strategy(kept=Kept(8)).instruments is not kept_heap
