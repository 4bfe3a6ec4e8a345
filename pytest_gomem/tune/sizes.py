"""The sizes that a search tries: round numbers of MiB, 2 to 4 percent apart, as one would write them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cache

MIB = 1 << 20
SMALLEST = 4 * MIB  # of a memory limit
_LARGEST = 1 << 42
_STEPS = 24  # a step is at most so many parts of its size


@cache
def _ladder() -> tuple[int, ...]:
    sizes = [SMALLEST]
    while sizes[-1] < _LARGEST:
        parts = sizes[-1] // MIB // _STEPS
        sizes.append(sizes[-1] + (MIB << max(parts.bit_length() - 1, 0)))
    return tuple(sizes)


def at_least(size: float) -> int:
    """The smallest of the sizes that holds so many bytes."""
    ladder = _ladder()
    return ladder[min(bisect_left(ladder, size), len(ladder) - 1)]


def at_most(size: float) -> int:
    """The largest of the sizes that so many bytes hold; the smallest one for fewer."""
    ladder = _ladder()
    return ladder[max(bisect_right(ladder, size) - 1, 0)]


def shifted(size: int, steps: int) -> int:
    """The size so many steps above, or below if negative."""
    ladder = _ladder()
    return ladder[min(max(bisect_left(ladder, size) + steps, 0), len(ladder) - 1)]


def steps_between(low: int, high: int) -> int:
    """How many steps lead from one size to another."""
    return bisect_left(_ladder(), high) - bisect_left(_ladder(), low)


def between(low: int, high: int) -> int | None:
    """The size half-way between two, by their ratio; None if they are neighbours."""
    if steps_between(low, high) <= 1:
        return None
    half = at_most((max(low, 1) * high) ** 0.5)
    return min(max(half, shifted(low, 1)), shifted(high, -1))


def downwards(high: int, low: int) -> tuple[int, ...]:
    """All sizes from the high one down to the low one, both included."""
    ladder = _ladder()
    return ladder[bisect_left(ladder, low) : bisect_right(ladder, high)][::-1]


def whole_mib(size: float) -> int:
    """Bytes, cut to whole MiB; at least one."""
    return max(int(size // MIB), 1) * MIB
