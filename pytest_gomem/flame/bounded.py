"""Makes call trees small enough to be kept in a record: the largest frames, each with the line that has most."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import compress
from typing import NamedTuple

from pytest_gomem.attribution.origin import Origins
from pytest_gomem.flame.frame import Held, Kind, held_kind_of, kind_of
from pytest_gomem.flame.picture import sampling_note
from pytest_gomem.flame.tree import CallTree, call_tree
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.pprof.group import Frame, package_of
from pytest_gomem.pprof.merge import merge
from pytest_gomem.pprof.model import Profile
from pytest_gomem.results.flame_record import FlameRecord
from pytest_gomem.retention.model import Holder
from pytest_gomem.retention.profile import holders_profile

LEAST = 0.002  # of the total now, of that before, or of all that grew: a smaller frame is left out
_MOST_CUT = 0.1  # of what a baseline holds
_CUT = "Not compared with the baseline, whose profile was too large to keep all callers."
MOST = 250  # frames of one tree; with their names some 15 to 25 kB of JSON


class Shown(NamedTuple):
    """One sample type of a tree, and its texts, see `FlameRecord`.

    is_change: what came since `before` alone. is_kept: `before` is of a baseline, which may lack the callers of lines.
    """

    sample_type: str
    shows: str
    against: str = ""
    is_change: bool = False
    is_kept: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LineTree:
    """The call tree of profiles by line; counts: of the profiles now and before, of which figures are the means."""

    tree: CallTree
    counts: tuple[int, int]
    origins: Origins | None = None
    module: GoModule = field(default_factory=GoModule)
    notes: tuple[str, ...] = ()

    def kind_of(self, frame: Frame, is_outermost: bool) -> Kind | Held:
        """Whose code a frame is, or whose type."""
        if self.origins is None:
            return held_kind_of(frame, is_outermost)
        package = package_of(frame.function or "")
        if self.module.path and self.module.is_own(package):
            return Kind.OWN
        return Kind.DEPENDENCY if self.module.third_party(package) else kind_of(frame)

    def file_of(self, frame: Frame) -> str:
        """The name of a frame's file without the folders of this machine, as culprits have it."""
        file = frame.file or ""
        return file if self.origins is None else self.origins.short(file, package_of(frame.function or ""))


def tree_of_profiles(now: Sequence[Profile], before: Sequence[Profile], module: GoModule) -> LineTree:
    """The tree of one or several rounds, without what the measuring itself allocates. module: the user's own.

    Raises ProfileError if the profiles do not go together.
    """
    origins = Origins(module, [*now, *before])
    sides = [_joined([_measured(one, origins) for one in side]) for side in (now, before) if side]
    several = (f"Mean of {len(now)} rounds.",) if len(now) > 1 else ()
    tree = call_tree(sides[0], sides[1] if before else None, by="line")
    return LineTree(tree, (len(now), len(before)), origins, module, (*several, *sampling_note(sides[0])))


def _joined(profiles: Sequence[Profile]) -> Profile:
    """Their sum; a merge of one would renumber all its places for nothing."""
    return profiles[0] if len(profiles) == 1 else merge(profiles)


def _measured(profile: Profile, origins: Origins) -> Profile:
    """The samples that are not of the measuring itself."""
    kept = [chain is not None for chain in origins.chains(profile)]
    return profile._replace(
        stacks=list(compress(profile.stacks, kept)),
        values=tuple(array("q", compress(column, kept)) for column in profile.values),
        labels=None,
    )


def tree_of_holders(now: Sequence[Holder], before: Sequence[Holder] | None) -> LineTree:
    """The tree of who holds what."""
    base = None if before is None else holders_profile(before)
    return LineTree(call_tree(holders_profile(now), base, by="line"), (1, 1))


class _Node:
    """A function called by a path of functions, with its values of all lines."""

    __slots__ = ("before", "frame", "grown", "line", "now", "of_line", "parent")

    def __init__(self, parent: int, frame: Frame) -> None:
        self.parent, self.frame = parent, frame
        self.now = self.before = self.grown = 0
        self.line, self.of_line = 0, 0


def flame_record(lines: LineTree, shown: Shown, most: int = MOST) -> FlameRecord:
    """The largest frames of one sample type, at most so many."""
    nodes = _folded(lines, shown)
    if shown.is_kept and _is_cut(nodes):
        return flame_record(lines, shown._replace(against="", is_kept=False, notes=(*shown.notes, _CUT)), most)
    kept, dropped = _kept(nodes, most)
    places = {node: at for at, node in enumerate(kept)}
    functions: dict[str, int] = {}
    frames: list[tuple[Frame, bool]] = []
    for node in kept[1:]:
        frame = nodes[node].frame
        if functions.setdefault(str(frame.function), len(functions)) == len(frames):
            frames.append((frame, nodes[node].parent == 0))
    kinds = [lines.kind_of(frame, is_outermost) for frame, is_outermost in frames]
    legend: list[Enum] = list(Held if lines.origins is None else Kind)
    files = [lines.file_of(frame) for frame, _ in frames]
    numbers = {file: at for at, file in enumerate(dict.fromkeys(filter(None, files)))}
    return FlameRecord(
        shows=shown.shows,
        unit=next(kind.unit for kind in lines.tree.sample_types if kind.type == shown.sample_type),
        against="" if shown.is_change else shown.against,
        legend=tuple(str(kind.value) for kind in legend),
        functions=tuple(functions),
        file=tuple(numbers.get(file, -1) for file in files),
        whose=tuple(map(legend.index, kinds)),
        files=tuple(numbers),
        parent=tuple(places.get(nodes[node].parent, -1) for node in kept),
        function=(-1, *(functions[str(nodes[node].frame.function)] for node in kept[1:])),
        line=tuple(nodes[node].line for node in kept),
        value=tuple(nodes[node].now for node in kept),
        before=tuple(nodes[node].before for node in kept) if shown.against and not shown.is_change else (),
        dropped=dropped,
        notes=(*shown.notes, *lines.notes),
    )


def _flat(lines: LineTree, shown: Shown) -> Iterator[tuple[int, int]]:
    """The values now and before of each frame alone; what is negative, as of a difference of two estimates, is 0."""
    tree, (of_now, of_before) = lines.tree, lines.counts
    at = next(at for at, kind in enumerate(tree.sample_types) if kind.type == shown.sample_type)
    now = tree.now[at].flat
    before = tree.before[at].flat if tree.before else (0,) * len(now)
    for new, old in zip(now, before, strict=True):
        mean, earlier = new // of_now, old // (of_before or 1)
        if shown.is_change:
            yield max(mean - earlier, 0), 0
        else:
            yield max(mean, 0), max(earlier, 0) if shown.against else 0


def _folded(lines: LineTree, shown: Shown) -> list[_Node]:
    """The tree by function: lines of one function with the same callers are one node."""
    tree = lines.tree
    nodes = [_Node(-1, tree.frames[0])]
    places = [0]
    known: dict[tuple[int, str | None], int] = {}
    for frame, parent in zip(tree.frames[1:], tree.parents[1:], strict=True):
        above = places[parent]
        place = known.setdefault((above, frame.function), len(nodes))
        if place == len(nodes):
            nodes.append(_Node(above, frame))
        places.append(place)
    _add_up(lines, shown, nodes, places)
    return nodes


def _add_up(lines: LineTree, shown: Shown, nodes: Sequence[_Node], places: Sequence[int]) -> None:
    """Give each node its values with all that it calls, and the line that has most of them."""
    tree = lines.tree
    of_lines = [list(pair) for pair in _flat(lines, shown)]
    for at, (now, before) in enumerate(of_lines):
        node = nodes[places[at]]
        node.now += now
        node.before += before
    for node in nodes:
        node.grown = max(node.now - node.before, 0)
    for at in range(len(nodes) - 1, 0, -1):
        node, above = nodes[at], nodes[nodes[at].parent]
        above.now += node.now
        above.before += node.before
        above.grown += node.grown
    for at in range(len(of_lines) - 1, 0, -1):
        now, before = of_lines[at]
        of_lines[tree.parents[at]][0] += now
        of_lines[tree.parents[at]][1] += before
        node, line = nodes[places[at]], tree.frames[at].line or 0
        if now > node.of_line:
            node.line, node.of_line = line, now


def _is_cut(nodes: Sequence[_Node]) -> bool:
    """Whether much of what was before has outermost callers that nothing has now."""
    lost = sum(node.before for node in nodes[1:] if node.parent == 0 and not node.now)
    return lost > _MOST_CUT * nodes[0].before


def _kept(nodes: Sequence[_Node], most: int) -> tuple[list[int], int]:
    """The root and the largest nodes, in order, and how many others have any value.

    A caller is as large as what it calls, so that no node lacks its own.
    """
    root = nodes[0]

    def share(node: _Node) -> float:
        parts = ((node.now, root.now), (node.before, root.before), (node.grown, root.grown))
        return max((part / whole for part, whole in parts if whole), default=0.0)

    shares = [1.0, *map(share, nodes[1:])]
    ranked = sorted((at for at, one in enumerate(shares) if one >= LEAST), key=lambda at: (-shares[at], at))
    kept = sorted(ranked[:most])
    return kept, sum(one > 0 for one in shares) - len(kept)
