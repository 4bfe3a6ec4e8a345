"""Owns where each frame of a flame graph lies: whole numbers in the sample type's unit, never a negative width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pytest_gomem.flame.tree import CallTree


class Box(NamedTuple):
    """A node to draw: `depth` 0 is the root; it covers [left, left + width) of the root's width."""

    node: int
    depth: int
    left: int
    width: int


class Layout(NamedTuple):
    """The boxes, a parent before its children, and what is not among them.

    hidden: frames that are narrower than `smallest`; hidden_width: what the outermost of them would have covered.
    negative: the size of the values below 0, which have no width (a delta of two heaps may hold such).
    """

    boxes: tuple[Box, ...]
    smallest: int
    hidden: int
    hidden_width: int
    negative: int

    @property
    def width(self) -> int:
        """The root's width."""
        return self.boxes[0].width


def lay_out(tree: CallTree, flat: Sequence[int], hide_below: float = 0.0) -> Layout:
    """Boxes for one column of flat values; children lie side by side from the left, the widest first, then by name.

    A frame is as wide as what ends at it and at all below it, values below 0 taken as 0. Frames narrower than
    `hide_below` (a ratio) of the root are left out with all below them.
    """
    widths = [max(value, 0) for value in flat]
    for node in range(len(widths) - 1, 0, -1):
        widths[tree.parents[node]] += widths[node]
    smallest = max(1, -int(-widths[0] * hide_below // 1))
    shown = [width >= smallest for width in widths]
    boxes = _boxes(tree, widths, shown)
    hidden = [node for node, width in enumerate(widths) if node and width and not shown[node]]
    return Layout(
        tuple(boxes),
        smallest,
        len(hidden),
        sum(widths[node] for node in hidden if shown[tree.parents[node]]),
        -sum(value for value in flat if value < 0),
    )


def _boxes(tree: CallTree, widths: Sequence[int], shown: Sequence[bool]) -> list[Box]:
    children: dict[int, list[int]] = {}
    for node in range(1, len(widths)):
        if shown[node]:
            children.setdefault(tree.parents[node], []).append(node)
    boxes = []
    waiting = [Box(0, 0, 0, widths[0])]
    while waiting:
        box = waiting.pop()
        boxes.append(box)
        left, placed = box.left, []
        for node in sorted(children.get(box.node, ()), key=lambda node: (-widths[node], str(tree.frames[node]))):
            placed.append(Box(node, box.depth + 1, left, widths[node]))
            left += widths[node]
        waiting += reversed(placed)
    return boxes
