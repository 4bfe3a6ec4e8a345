"""Owns what a differential flame graph says of a frame: how much it changed, and which frames have vanished."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from pytest_gomem.flame.tree import CallTree, Values


class Change(Enum):
    """Steps of change, whose values are the words of the legend."""

    GONE_MOSTLY = "less than half"
    SHRUNK = "10% to 50% less"
    SHRUNK_LITTLE = "1% to 10% less"
    SAME = "within 1%"
    GROWN_LITTLE = "1% to 11% more"
    GROWN = "11% to 100% more"
    GROWN_MUCH = "more than doubled, or new"


# Of the larger of the two values: a tenth of it less is 10% less, and as a step up, from nine tenths, 11% more.
_STEPS = (
    (0.01, Change.SAME, Change.SAME),
    (0.1, Change.SHRUNK_LITTLE, Change.GROWN_LITTLE),
    (0.5, Change.SHRUNK, Change.GROWN),
)


def change(before: int, now: int) -> Change:
    """The step between two cumulative values, the same number of steps there and back."""
    size = max(abs(before), abs(now))
    ratio = abs(now - before) / size if size else 0.0
    for limit, shrunk, grown in _STEPS:
        if ratio <= limit:
            return grown if now > before else shrunk
    return Change.GROWN_MUCH if now > before else Change.GONE_MOSTLY


class Vanished(NamedTuple):
    """A frame that held or made something before, and no more: nothing of it can be drawn."""

    node: int
    before: int


def vanished(tree: CallTree, before: Values, now: Values) -> tuple[Vanished, ...]:
    """The outermost vanished frames of each path, what held most first, then by name."""
    gone = [old > 0 and new <= 0 for old, new in zip(before.cum, now.cum, strict=True)]
    outermost = [node for node, is_gone in enumerate(gone) if is_gone and not (node and gone[tree.parents[node]])]
    found = (Vanished(node, before.cum[node]) for node in outermost)
    return tuple(sorted(found, key=lambda one: (-one.before, str(tree.frames[one.node]), one.node)))


def path(tree: CallTree, node: int) -> Sequence[int]:
    """The nodes from the root to this one, both included."""
    nodes = [node]
    while tree.parents[nodes[-1]] >= 0:
        nodes.append(tree.parents[nodes[-1]])
    return nodes[::-1]
