"""Which commit to measure next, and which may be the first bad one: a search over commits and their parents.

A commit is a candidate if every bad commit stands on it and no good one does. The next one is chosen so that either
answer leaves about half of the candidates, as `git bisect` does it. Those that tell nothing are skipped. The more of
them there are, the further away from them the next one lies, because what breaks one build often breaks the next.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Known:
    """What is known of commits so far, by their names."""

    good: Collection[str] = ()
    bad: Collection[str] = ()
    skipped: Collection[str] = ()


class Search:
    """The commits after a good one up to a bad one, which comes last.

    parents: of each commit, in an order in which parents come first; a parent that is not among them is good.
    """

    def __init__(self, parents: Mapping[str, Sequence[str]]) -> None:
        self._names = tuple(parents)
        self._at = {name: at for at, name in enumerate(self._names)}
        self._below: list[int] = []  # of each commit, a bit for itself and for each commit that it stands on
        for at, name in enumerate(self._names):
            bits = 1 << at
            for parent in parents[name]:
                if parent in self._at:
                    bits |= self._below[self._at[parent]]
            self._below.append(bits)

    def candidates(self, known: Known) -> tuple[str, ...]:
        """The commits that may be the first bad one, oldest first."""
        return tuple(self._names[at] for at in _bits(self._candidates(known)))

    def next(self, known: Known) -> str | None:
        """The commit to measure next; None if no answer would tell more."""
        left = self._candidates(known)
        total = left.bit_count()
        skipped = [self._at[name] for name in known.skipped if left >> self._at[name] & 1]
        ranks = [self._rank(at, left) for at in skipped]
        best, choice = 0, None
        for at in _bits(left):
            if at in skipped:
                continue
            # 0 for one that all candidates are below, as for a bad one: it would tell nothing.
            rank = self._rank(at, left)
            away = min((abs(rank - other) or 1 for other in ranks), default=1)
            score = min(rank, total - rank) * min(away, max(len(skipped), 1))
            if score > best:
                best, choice = score, at
        return None if choice is None else self._names[choice]

    def steps(self, known: Known) -> int:
        """How many more commits it takes, if none of them must be skipped."""
        return math.ceil(math.log2(max(self._candidates(known).bit_count(), 1)))

    def _candidates(self, known: Known) -> int:
        left = self._below[-1]
        for name in known.bad:
            left &= self._below[self._at[name]]
        for name in known.good:
            left &= ~self._below[self._at[name]]
        return left

    def _rank(self, at: int, left: int) -> int:
        """How many of the candidates it stands on, itself included."""
        return (self._below[at] & left).bit_count()


def _bits(bits: int) -> Iterator[int]:
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest
