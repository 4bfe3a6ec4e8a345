"""Strategies: which round of a test comes next, given what the rounds so far have shown."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Protocol

from pytest_gomem.session.instrument import Choice, no_instruments
from pytest_gomem.session.plan import RoundPlan, Side
from pytest_gomem.stats.decision import ENOUGH, FEWEST

# Fixed before the first figure is seen. After an early look a test can only pass: a failing test runs them all.
LOOKS = (1, 3, 5, ENOUGH)
RECORDED = ENOUGH  # when recording a baseline, if you do not say how many


class Results(Protocol):
    """What the rounds so far have shown."""

    @property
    def base_lost(self) -> str:
        """Why the base side failed, "" if it did not."""

    def count(self, side: Side) -> int:
        """How many rounds of a side there were, of those that are planned."""

    def is_decided(self, looks: Looks) -> bool:
        """Whether the remaining rounds can change no comparison, or would only confirm what is fine."""


class Strategy(Protocol):
    """Plans the rounds of one test."""

    @property
    def note(self) -> str:
        """A remark for readers on the number of rounds."""

    def next(self, results: Results) -> RoundPlan | None:
        """The next round; None if the test is over."""

    def expected(self, at: int) -> int:
        """How many rounds run in total if the next look ends the test; `at`: the current round, from 1."""


@dataclass(frozen=True)
class Looks:
    """After how many rounds of a side a test may end.

    most: it ends in any case. early: it ends if all comparisons are decided.
    confirms_only: rounds after the first look run for what seems worse, not for what is unclear.
    """

    most: int
    early: Set[int] = frozenset()
    confirms_only: bool = False

    def end(self, rounds: int, results: Results) -> bool:
        """Whether the test is over after so many rounds of each of its sides."""
        return rounds >= self.most or (rounds in self.early and results.is_decided(self))

    def next(self, at: int) -> int:
        """The next number of rounds after which the test may end, possibly `at` itself."""
        return min((look for look in self.early if look >= at), default=self.most)


def fixed(rounds: int, enough: int = ENOUGH) -> Looks:
    """A fixed number of rounds, and up to `enough` if a metric then seems worse than its base."""
    if not FEWEST <= rounds < enough:
        return Looks(rounds)
    return Looks(enough, _between(rounds, enough) | {rounds}, confirms_only=True)


def as_needed(enough: int = ENOUGH, *, first: int = 1) -> Looks:
    """As many rounds as the decision needs, from `first` up to `enough`."""
    return Looks(enough, _between(first, enough))


def _between(first: int, most: int) -> set[int]:
    return {look for look in LOOKS if first <= look < most}


@dataclass(frozen=True)
class HeadAlone:
    """Rounds of the head: a fixed number, or until its comparison with the kept baseline is decided.

    instruments: the same in all rounds, so that all measure the same.
    """

    looks: Looks
    note: str = ""
    instruments: Choice = no_instruments

    def next(self, results: Results) -> RoundPlan | None:
        """One more round, until a look ends the test."""
        is_over = self.looks.end(results.count(Side.HEAD), results)
        return None if is_over else RoundPlan(Side.HEAD, instruments=self.instruments)

    def expected(self, at: int) -> int:
        """The number of rounds at the next look."""
        return self.looks.next(at)


@dataclass(frozen=True)
class InTurns:
    """Rounds of head and base as A B B A A B B A: drift of the machine affects both alike.

    The head comes first: a test that fails there fails as without a base. instruments: the same in all rounds.
    """

    looks: Looks
    note: str = ""
    instruments: Choice = no_instruments

    def next(self, results: Results) -> RoundPlan | None:
        """A look may end the test after an equal number of rounds; a lost base gets no further round."""
        head, base = results.count(Side.HEAD), results.count(Side.BASE)
        is_turn_over = base <= head if results.base_lost else base == head
        if is_turn_over and self.looks.end(head, results):
            return None
        side = Side.HEAD if results.base_lost or (head + base) % 4 in (0, 3) else Side.BASE
        return RoundPlan(side, instruments=self.instruments)

    def expected(self, at: int) -> int:
        """The number of rounds of both sides at the next look."""
        return 2 * self.looks.next((at + 1) // 2)
