"""Strategies: the plans that they make, given what the rounds so far have shown."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from pytest_gomem.comparison.strategy import RECORDED, HeadAlone, InTurns, Looks, Strategy, as_needed, fixed
from pytest_gomem.instruments.kept_heap import kept_heap
from pytest_gomem.session.instrument import no_instruments
from pytest_gomem.session.plan import Role, RoundPlan, Side

NEVER = 99


@dataclass
class Shown:
    """All is decided from so many rounds of the head on; the base side comes to nothing in round `lost`."""

    decided: int
    lost: int = NEVER
    plans: list[RoundPlan] = field(default_factory=list)

    @property
    def base_lost(self) -> str:
        return "it does not start" if len(self.plans) >= self.lost else ""

    def count(self, side: Side) -> int:
        return sum(plan.side is side for plan in self.plans)

    def is_decided(self, looks: Looks) -> bool:
        return self.count(Side.HEAD) >= self.decided or bool(self.base_lost)


def plans(strategy: Strategy, decided: int = NEVER, lost: int = NEVER) -> list[RoundPlan]:
    """Those of a whole test."""
    shown = Shown(decided, lost)
    while (plan := strategy.next(shown)) is not None:
        shown.plans.append(plan)
    return shown.plans


def sides(strategy: Strategy, decided: int = NEVER, lost: int = NEVER) -> str:
    """The sides of a whole test by their first letters."""
    return "".join(plan.side.value[0] for plan in plans(strategy, decided, lost))


def test_so_many_rounds_ask_nobody():
    """Whatever they show."""
    assert plans(HeadAlone(Looks(3)), decided=1) == [RoundPlan(Side.HEAD, Role.MEASURED)] * 3
    assert [sides(InTurns(fixed(rounds)), decided=1) for rounds in (1, 2)] == ["hb", "hbbh"]


@pytest.mark.parametrize(
    ("looks", "ends"),
    [
        (as_needed(), {0: 1, 1: 1, 2: 3, 4: 5, 6: 8, NEVER: 8}),
        (as_needed(3), {1: 1, 2: 3, NEVER: 3}),
        (as_needed(12), {6: 8, 9: 12}),
        (fixed(3), {0: 3, 4: 5, 6: 8}),
        (fixed(6), {0: 6, 7: 8}),
        (fixed(8), {0: 8}),
        (fixed(20), {0: 20}),
        (fixed(5, 3), {0: 5}),
        (Looks(RECORDED, {1}), {0: 1, 2: 8}),
    ],
)
def test_until_all_is_decided_at_a_look(looks, ends):
    """The looks are fixed beforehand; a number of rounds that was asked for grows only to confirm what seems worse."""
    assert {at: len(plans(HeadAlone(looks), at)) for at in ends} == ends
    assert looks.confirms_only == (looks in (fixed(3), fixed(6)))


@pytest.mark.parametrize(
    ("looks", "decided", "ran"),
    [
        (as_needed(first=3), 0, "hbbhhb"),
        (as_needed(first=3), 4, "hbbhhbbhhb"),
        (as_needed(4, first=3), 4, "hbbhhbbh"),
        (fixed(3), 0, "hbbhhb"),
        (fixed(3), NEVER, "hbbh" * 4),
        (fixed(8), 0, "hbbh" * 4),
    ],
)
def test_two_sides_take_turns(looks, decided, ran):
    """A steady drift bears on both alike, and they end after equally many rounds."""
    assert sides(InTurns(looks), decided) == ran
    assert abs(sum(at if side == "h" else -at for at, side in enumerate(ran))) <= 1 or len(ran) % 4


def test_a_base_that_is_lost_gets_no_further_round():
    """The head goes on alone to the next look."""
    assert sides(InTurns(fixed(3)), lost=2) == "hbhh"
    assert sides(InTurns(fixed(3)), lost=6) == "hbbhhb"
    assert sides(InTurns(as_needed(first=3)), decided=4, lost=7) == "hbbhhbbhh"


def test_all_rounds_have_the_same_instruments():
    """So that all measure the same."""
    for strategy in (HeadAlone(as_needed(), instruments=kept_heap), InTurns(Looks(3), instruments=kept_heap)):
        assert all(plan.instruments is kept_heap for plan in plans(strategy))
    assert all(plan.instruments is no_instruments for plan in plans(InTurns(as_needed(first=3))))


def test_so_many_rounds_are_expected():
    """If the next look ends the test."""
    assert [HeadAlone(fixed(3)).expected(at) for at in (1, 3, 4, 6)] == [3, 3, 5, 8]
    assert [InTurns(fixed(3)).expected(at) for at in (6, 7, 11)] == [6, 10, 16]
    firsts = HeadAlone(as_needed()), InTurns(as_needed(first=3)), HeadAlone(Looks(3))
    assert [strategy.expected(1) for strategy in firsts] == [1, 6, 3]
