"""Strategies: which round of a test comes next, given what the rounds so far have shown."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Protocol

from pytest_gomem.instruments.kept_heap import kept_heap
from pytest_gomem.session.instrument import Choice, no_instruments
from pytest_gomem.session.plan import RoundPlan, Side
from pytest_gomem.stats.decision import ENOUGH, FEWEST

# Fixed before the first figure is seen. After an early look a test can only pass: what fails has run them all.
LOOKS = (1, 3, 5, ENOUGH)
RECORDED = ENOUGH  # of a run that records a baseline and does not say how many


class Results(Protocol):
    """What the rounds so far have shown."""

    @property
    def base_lost(self) -> str:
        """Why the base side came to nothing, "" where it did not."""

    def count(self, side: Side) -> int:
        """How many measured rounds of a side there were."""

    def is_decided(self, looks: Looks) -> bool:
        """Whether all the rounds that are left could change no comparison, or would only confirm what is fine."""


class Strategy(Protocol):
    """Plans the rounds of one test."""

    @property
    def note(self) -> str:
        """What a reader should know of their number."""

    def next(self, results: Results) -> RoundPlan | None:
        """The next round; None where the test is over."""

    def expected(self, at: int) -> int:
        """How many rounds are run in all if the next look ends the test, seen from round `at`, counted from 1."""


@dataclass(frozen=True)
class Looks:
    """After how many rounds of a side a test is over.

    most: it is, whatever they show. early: it is, if all comparisons are decided.
    confirms_only: the rounds after the first look are run for what seems worse there, and not for what is unclear.
    """

    most: int
    early: Set[int] = frozenset()
    confirms_only: bool = False

    def end(self, rounds: int, results: Results) -> bool:
        """Whether the test is over after so many rounds of each side that it runs."""
        return rounds >= self.most or (rounds in self.early and results.is_decided(self))

    def next(self, at: int) -> int:
        """The next number of rounds after which the test may be over; `at` itself may be it."""
        return min((look for look in self.early if look >= at), default=self.most)


def fixed(rounds: int, enough: int = ENOUGH) -> Looks:
    """So many rounds, and up to `enough` where these make a metric seem worse than its base."""
    if not FEWEST <= rounds < enough:
        return Looks(rounds)
    return Looks(enough, _between(rounds, enough) | {rounds}, confirms_only=True)


def as_needed(enough: int = ENOUGH, *, first: int = 1) -> Looks:
    """As many rounds as the decision needs, `first` at the least and up to `enough`."""
    return Looks(enough, _between(first, enough))


def _between(first: int, most: int) -> set[int]:
    return {look for look in LOOKS if first <= look < most}


@dataclass(frozen=True)
class HeadAlone:
    """Rounds of the head: so many, or until its comparison with the kept baseline is decided.

    instruments: of all rounds alike, so that all measure the same.
    """

    looks: Looks
    note: str = ""
    instruments: Choice = no_instruments

    def next(self, results: Results) -> RoundPlan | None:
        """One more, until a look ends the test."""
        is_over = self.looks.end(results.count(Side.HEAD), results)
        return None if is_over else RoundPlan(Side.HEAD, instruments=self.instruments)

    def expected(self, at: int) -> int:
        """The number of rounds at the next look."""
        return self.looks.next(at)


@dataclass(frozen=True)
class InTurns:
    """Rounds of head and base as A B B A A B B A: a drift of the machine bears on both alike.

    The first is of the head: a test that fails there fails as it does without a base.
    instruments: of all rounds; those that may be the last of their side keep their heap profiles in any case.
    """

    looks: Looks
    note: str = ""
    instruments: Choice = no_instruments

    def next(self, results: Results) -> RoundPlan | None:
        """After equally many rounds of both a look may end the test; a base that is lost gets no further round."""
        head, base = results.count(Side.HEAD), results.count(Side.BASE)
        is_turn_over = base <= head if results.base_lost else base == head
        if is_turn_over and self.looks.end(head, results):
            return None
        side = Side.HEAD if results.base_lost or (head + base) % 4 in (0, 3) else Side.BASE
        ran = results.count(side) + 1
        may_be_last = ran == self.looks.next(ran)  # its processes end before the sides are compared
        return RoundPlan(side, instruments=kept_heap if may_be_last else self.instruments)

    def expected(self, at: int) -> int:
        """The number of rounds of both sides at the next look."""
        return 2 * self.looks.next((at + 1) // 2)
