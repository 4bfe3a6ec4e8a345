"""The call tree, and where its frames lie: sums, bounds and order, whatever the profile."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pprof_profiles import HEAP, location, profile, profiles

from pytest_gomem.flame.tree import DEEPEST, call_tree, lay_out
from pytest_gomem.pprof.aggregate import aggregate
from pytest_gomem.pprof.focus import select
from pytest_gomem.pprof.group import GRANULARITIES, frames_of
from pytest_gomem.pprof.model import ProfileError, ValueType, location_ids

SIGNED = st.integers(-(2**40), 2**40)
PLACES = {1: location("main.leaf"), 2: location("main.main"), 3: location("net/http.serve"), 4: location("b", "a")}


def path(tree, node):
    names = []
    while node > 0:
        names.insert(0, str(tree.frames[node]).replace(";", ":"))
        node = tree.parents[node]
    return ";".join(names)


@given(profiles(values=SIGNED), st.sampled_from(range(4)), st.sampled_from(GRANULARITIES))
def test_the_tree_holds_the_folded_stacks(made, index, by):
    """Each path of frames is there once, with the value of the stacks that end there."""
    tree = call_tree(made, by=by)
    flat = Counter()
    for node, value in enumerate(tree.now[index].flat):
        flat[path(tree, node)] += value
    folded = Counter()
    for stack, value in zip(made.stacks, made.values[index], strict=True):
        frames = [frame for number in location_ids(stack) for _, frame in frames_of(made.location(number), by)]
        folded[";".join(str(frame).replace(";", ":") for frame in reversed(frames))] += value
    assert {name: value for name, value in flat.items() if value} == {n: value for n, value in folded.items() if value}


@given(profiles(), st.sampled_from(range(4)))
def test_the_tree_has_the_sums_of_the_table(made, index):
    """Flat by function, added up over the tree, and the total, are those of `gomem top`."""
    table, tree = aggregate(made, HEAP[index].type), call_tree(made)
    flat = Counter()
    for frame, value in zip(tree.frames, tree.now[index].flat, strict=True):
        flat[frame.function] += value
    assert {row.frame.function: row.flat for row in table.rows if row.flat} == {
        name: value for name, value in flat.items() if value and name != "all"
    }
    assert tree.now[index].total == table.total


@given(profiles(values=SIGNED), st.sampled_from(range(4)), st.sampled_from([0.0, 0.001, 0.3]))
def test_boxes_lie_within_their_parents(made, index, hide_below):
    """No width is negative or below the limit, siblings do not overlap, and a child lies one row below its parent."""
    tree = call_tree(made)
    layout = lay_out(tree, tree.now[index].flat, hide_below)
    at = {box.node: box for box in layout.boxes}
    assert next(iter(at)) == 0
    end_of_last: dict[int, int] = {}
    for box in layout.boxes[1:]:
        parent = at[tree.parents[box.node]]
        assert box.width >= layout.smallest >= 1
        assert box.depth == parent.depth + 1
        assert box.left >= end_of_last.get(parent.node, parent.left)
        end_of_last[parent.node] = box.left + box.width
        assert end_of_last[parent.node] <= parent.left + parent.width
    assert lay_out(tree, tree.now[index].flat, hide_below) == layout


@given(profiles(values=SIGNED), st.sampled_from(range(4)))
def test_widths_add_up(made, index):
    """A frame is as wide as its children and what ends at it; without values below 0 that is its cumulative value."""
    tree, flat = call_tree(made), call_tree(made).now[index].flat
    layout = lay_out(tree, flat)
    below = Counter()
    for box in layout.boxes[1:]:
        below[tree.parents[box.node]] += box.width
    for box in layout.boxes:
        assert box.width == below[box.node] + max(flat[box.node], 0)
    assert layout.width == sum(value for value in flat if value > 0)
    assert layout.negative == -sum(value for value in flat if value < 0)
    if not layout.negative:
        assert {box.node: box.width for box in layout.boxes if box.width} == {
            node: value for node, value in enumerate(tree.now[index].cum) if value
        }


@given(profiles(), st.sampled_from(range(4)), st.sampled_from([0.05, 0.5]))
def test_what_is_hidden_is_counted(made, index, hide_below):
    """Drawn and hidden frames are together all that have a width, and the hidden width is missing from the drawing."""
    tree = call_tree(made)
    whole, part = (lay_out(tree, tree.now[index].flat, share) for share in (0, hide_below))
    assert len(part.boxes) + part.hidden == len(whole.boxes)
    widths = {box.node: box.width for box in whole.boxes}
    outermost = {
        n for n in widths.keys() - {b.node for b in part.boxes} if tree.parents[n] in {b.node for b in part.boxes}
    }
    assert part.hidden_width == sum(widths[node] for node in outermost)
    assert all(box in whole.boxes for box in part.boxes)


@given(profiles(values=SIGNED), profiles(values=SIGNED))
def test_a_tree_of_two_holds_both(base, new):
    """Each side's values are those of its own tree, whatever the other has."""
    both = call_tree(new, base)
    for index in range(4):
        for side, alone in ((both.now, new), (both.before, base)):
            one = call_tree(alone)
            values = {path(one, node): value for node, value in enumerate(one.now[index].cum) if value}
            assert {path(both, node): value for node, value in enumerate(side[index].cum) if value} == values


def test_the_widest_child_comes_first_and_then_the_name():
    """The order does not depend on the profile's."""
    made = profile([([1, 2], (1,)), ([3, 2], (5,)), ([4, 2], (1,))], PLACES)
    tree = call_tree(made)
    names = [str(tree.frames[box.node]) for box in lay_out(tree, tree.now[0].flat).boxes]
    assert names == ["all", "main.main", "net/http.serve", "a", "b", "main.leaf"]
    turned = profile([([4, 2], (1,)), ([1, 2], (1,)), ([3, 2], (5,))], PLACES)
    again = call_tree(turned)
    assert names == [str(again.frames[box.node]) for box in lay_out(again, again.now[0].flat).boxes]


def test_focus_chooses_stacks_and_leaves_the_total():
    """Shares stay those of the whole profile."""
    made = profile([([1, 2], (1,)), ([3, 2], (5,))], PLACES)
    tree = call_tree(made, focus="leaf")
    assert (tree.now[0].total, tree.now[0].cum[0]) == (6, 1)
    assert call_tree(select(made, "leaf")).frames == tree.frames


def test_endless_recursion_is_cut():
    """A stack of a million frames neither takes a million rows nor loses its value."""
    made = profile([([1] * 1_000_000, (7,)), ([2], (1,))], PLACES)
    tree = call_tree(made)
    assert (len(tree.frames), tree.cut) == (DEEPEST + 2, 1)
    assert tree.now[0].cum[0] == 8


def test_profiles_without_a_type_in_common_are_refused():
    """The error says what each has; a type that only one has is left out."""
    delays = profile([], {}, (ValueType("delay", "nanoseconds"),))
    with pytest.raises(ProfileError, match=r"the base has delay.*, the profile space"):
        call_tree(profile([], {}), delays)
    two = profile([], {}, HEAP[2:])
    assert call_tree(profile([], {}, HEAP), two).sample_types == HEAP[2:]
    assert call_tree(two, profile([], {}, HEAP)).default == 1
