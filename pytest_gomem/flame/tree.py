"""The call tree of one profile, or of two under one root, and the layout of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pytest_gomem.pprof.aggregate import REVERSED_ID, shared_prefixes
from pytest_gomem.pprof.focus import select
from pytest_gomem.pprof.group import Frame, frames_of
from pytest_gomem.pprof.model import Profile, ProfileError, ValueType, location_ids

DEEPEST = 1024  # frames of a stack; Go records no more (GODEBUG profstackdepth), except for inlined calls
ROOT = Frame("all")


class Values(NamedTuple):
    """One sample type of one profile: each node's own value, its value with all below it, and the profile's total.

    The total is that of absolute values, of the whole profile, also of samples that are not selected.
    """

    flat: tuple[int, ...]
    cum: tuple[int, ...]
    total: int


class CallTree(NamedTuple):
    """Nodes as columns: node 0 is the root, and a parent comes before its children.

    `now[t]` and, for a tree of two profiles, `before[t]` hold the values of `sample_types[t]`. `cut` counts the
    distinct stacks deeper than DEEPEST, whose values stand where they were cut.
    """

    sample_types: tuple[ValueType, ...]
    default: int
    frames: tuple[Frame, ...]
    parents: tuple[int, ...]
    now: tuple[Values, ...]
    before: tuple[Values, ...]
    cut: int


def call_tree(
    new: Profile, base: Profile | None = None, by: str = "function", focus: str = "", ignore: str = ""
) -> CallTree:
    """The tree of `new`, with the values of `base` too if there is one.

    With a base, the sample types are those that both have. Raises ProfileError as `aggregate` does, and if the two have
    no sample type in common.
    """
    types = tuple(kind for kind in new.sample_types if base is None or kind in base.sample_types)
    if not types:
        raise ProfileError(f"the base has {_names(base)}, the profile {_names(new)}: no sample type in common")
    default = new.sample_types[new.sample_index()]
    builder = _Builder(by)
    pair = [new] if base is None else [new, base]
    for profile in pair:
        builder.add(select(profile, focus, ignore), types)
    parents = tuple(builder.parents)
    values = [
        tuple(_values(flat, parents, total) for flat, total in zip(columns, _totals(profile, types), strict=True))
        for columns, profile in zip(builder.columns(len(types)), pair, strict=True)
    ]
    return CallTree(
        types,
        types.index(default) if default in types else len(types) - 1,
        tuple(builder.frames),
        parents,
        values[0],
        values[1] if base is not None else (),
        builder.cut,
    )


def _names(profile: Profile | None) -> str:
    return ", ".join(f"{kind} ({unit})" for kind, unit in profile.sample_types) if profile else "nothing"


def _totals(profile: Profile, types: Sequence[ValueType]) -> list[int]:
    return [sum(map(abs, profile.values[profile.sample_types.index(kind)])) for kind in types]


def _values(flat: Sequence[int], parents: Sequence[int], total: int) -> Values:
    cum = list(flat)
    for node in range(len(flat) - 1, 0, -1):
        cum[parents[node]] += cum[node]
    return Values(tuple(flat), tuple(cum), total)


class _Builder:
    """Adds stacks in the order of a walk over the tree, so that it looks up only what differs from the last one."""

    def __init__(self, by: str) -> None:
        self._by = by
        self.frames: list[Frame] = [ROOT]
        self.parents = [-1]
        self.cut = 0
        self._children: dict[tuple[int, object], int] = {}
        self._sums: list[dict[int, list[int]]] = []  # for each profile: the values of nodes where stacks end

    def add(self, profile: Profile, types: Sequence[ValueType]) -> None:
        """Add a profile's stacks, with their values of these types."""
        sums = _sums(profile, [profile.sample_types.index(kind) for kind in types])
        ends: dict[int, list[int]] = {}
        keyed: dict[bytes, list[tuple[object, Frame]]] = {}
        path, offsets, depths = [0], [0], [0]
        stacks = sorted(sums)
        for stack, shared in zip(stacks, shared_prefixes(stacks), strict=True):
            for match in REVERSED_ID.finditer(stack, offsets[-1]):
                if match[0] not in keyed:
                    (number,) = location_ids(match[0][::-1])
                    keyed[match[0]] = frames_of(profile.location(number), self._by)[::-1]
                if depths[-1] >= DEEPEST:
                    self.cut += 1
                    break
                path.append(self._descend(path[-1], keyed[match[0]]))
                offsets.append(match.end())
                depths.append(depths[-1] + len(keyed[match[0]]))
            total = ends.setdefault(path[-1], [0] * len(types))
            for at, value in enumerate(sums[stack]):
                total[at] += value
            while offsets[-1] > shared:
                del path[-1], offsets[-1], depths[-1]
        self._sums.append(ends)

    def _descend(self, node: int, frames: Sequence[tuple[object, Frame]]) -> int:
        for key, frame in frames:
            child = self._children.setdefault((node, key), len(self.frames))
            if child == len(self.frames):
                self.frames.append(frame)
                self.parents.append(node)
            node = child
        return node

    def columns(self, types: int) -> list[list[list[int]]]:
        """For each profile and sample type the flat values of all nodes."""
        found = [[[0] * len(self.frames) for _ in range(types)] for _ in self._sums]
        for columns, ends in zip(found, self._sums, strict=True):
            for node, values in ends.items():
                for column, value in zip(columns, values, strict=True):
                    column[node] = value
        return found


def _sums(profile: Profile, indices: Sequence[int]) -> dict[bytes, list[int]]:
    """The values of each distinct stack, written from the root on; stacks that are all 0 are left out."""
    sums: dict[bytes, list[int]] = {}
    for stack, values in zip(profile.stacks, zip(*(profile.values[i] for i in indices), strict=True), strict=True):
        if any(values):
            held = sums.setdefault(stack, [0] * len(indices))
            for at, value in enumerate(values):
                held[at] += value
    return {stack[::-1]: held for stack, held in sums.items()}


class Box(NamedTuple):
    """A node to draw: `depth` 0 is the root; it covers [left, left + width) of the root's width."""

    node: int
    depth: int
    left: int
    width: int


class Layout(NamedTuple):
    """The boxes, a parent before its children, and what was left out.

    hidden: frames that are narrower than `smallest`; hidden_width: what the outermost of them would have covered.
    negative: the sum of the values below 0, which have no width (a delta of two heaps may have such).
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
    """Boxes for one column of flat values; children follow each other from the left, the widest first, then by name.

    A frame's width is its own value and all below it, with negative values as 0. Frames narrower than `hide_below` (a
    ratio) of the root are left out with all below them.
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
