"""Owns the order of a test's rounds: which side each one runs, and after which of them it may be over early."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Side = Literal["new", "base"]

# Fixed before the first figure is seen, so that the error of stopping early is bounded: see judge/compare.py.
LOOKS = (1, 3, 5, 8)
FEWEST = 3  # rounds of each side that can tell a change from scatter
RECORDED = 5  # of a run that records a baseline and does not say how many: eight degrees of freedom against as many


@dataclass(frozen=True)
class Schedule:
    """The rounds of one test, each by the side it runs: "new" is what is tested, "base" what it is compared with.

    looks: numbers of finished rounds after which the test may end, if all comparisons are decided; () = run them all.
    A base side differs in how its services are launched alone (`Gomem.side`); its windows are kept apart.
    """

    sides: tuple[Side, ...] = ("new",)
    looks: frozenset[int] = field(default_factory=frozenset)

    def __len__(self) -> int:
        return len(self.sides)

    def rounds_at_looks(self) -> tuple[int, ...]:
        """The rounds of each side at each look, and at the end."""
        kinds = set(self.sides)
        return tuple(min(map(self.sides[:end].count, kinds)) for end in sorted({*self.looks, len(self)}))

    def may_be_last(self, at: int) -> bool:
        """Whether round `at`, counted from 0, is the last of its side if the test ends after all, or after a look."""
        ends = (*self.looks, len(self))
        return any(at < end and self.sides[at] not in self.sides[at + 1 : end] for end in ends)


def fixed(rounds: int) -> Schedule:
    """So many rounds of the new side."""
    new: Side = "new"
    return Schedule((new,) * rounds)


def automatic(looks: tuple[int, ...] = LOOKS) -> Schedule:
    """As many rounds of the new side as the decision needs: it is looked for at `looks`, the last of which ends it."""
    new: Side = "new"
    return Schedule((new,) * looks[-1], frozenset(looks))


def paired(rounds: int, looks: tuple[int, ...] = ()) -> Schedule:
    """So many rounds of either side, as A B B A A B B A: a drift of the machine bears on both alike.

    The first is of the new side: a test that fails there fails as it does without a base.
    looks: in rounds of each side.
    """
    turns: tuple[tuple[Side, Side], ...] = (("new", "base"), ("base", "new"))
    sides = tuple(side for at in range(rounds) for side in turns[at % 2])
    return Schedule(sides, frozenset(2 * look for look in looks))
