"""The search for the first bad commit: over lines and merges, with commits that tell nothing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.bisect.search import Known, Search


def line(count: int) -> dict[str, tuple[str, ...]]:
    """Commits "0" to "count - 1", each on the one before; "good" is that of the first."""
    return {str(at): (str(at - 1) if at else "good",) for at in range(count)}


@st.composite
def histories(draw: st.DrawFn) -> dict[str, tuple[str, ...]]:
    """Up to 40 commits with merges; the last one stands on all others."""
    count = draw(st.integers(1, 40))
    parents: dict[str, tuple[str, ...]] = {}
    for at in range(count):
        some = draw(st.lists(st.integers(-1, at - 1), min_size=1, max_size=2, unique=True))
        parents[str(at)] = tuple("good" if one < 0 else str(one) for one in some)
    heads = set(parents) - {one for some in parents.values() for one in some}
    parents["tip"] = tuple(sorted(heads))
    return parents


def below(parents: dict[str, tuple[str, ...]], name: str) -> set[str]:
    """A commit and all that it stands on."""
    found, left = set(), [name]
    while left:
        one = left.pop()
        if one in parents and one not in found:
            found.add(one)
            left += parents[one]
    return found


def searched(parents, culprit: str, untold=frozenset()) -> tuple[tuple[str, ...], int]:
    """What is left when nothing more can be asked, and after how many questions."""
    search, good, bad, skipped = Search(parents), set(), set(), set()
    while True:
        known = Known(good, bad, skipped)
        name = search.next(known)
        if name is None:
            return search.candidates(known), len(good | bad | skipped)
        assert name not in good | bad | skipped
        assert name in search.candidates(known)
        (skipped if name in untold else bad if culprit in below(parents, name) else good).add(name)


@given(histories(), st.data())
def test_finds_the_culprit_among_merges(parents, data):
    """A commit is bad if it stands on the culprit; the culprit alone is left."""
    culprit = data.draw(st.sampled_from(sorted(parents)))
    left, _ = searched(parents, culprit)
    assert left == (culprit,)


@given(histories(), st.data())
def test_what_tells_nothing_hides_no_culprit(parents, data):
    """All that is left beside the culprit could not be asked, or is what the search began with."""
    names = sorted(parents)
    culprit, untold = data.draw(st.sampled_from(names)), data.draw(st.sets(st.sampled_from(names)))
    left, _ = searched(parents, culprit, untold)
    assert culprit in left
    others = [name for name in left if name not in untold | {"tip"} and culprit not in below(parents, name)]
    assert others == []


@given(st.integers(1, 300), st.data())
def test_takes_the_steps_of_a_binary_search(count, data):
    """On a line, no more than it says beforehand."""
    parents = line(count)
    culprit = str(data.draw(st.integers(0, count - 1)))
    left, steps = searched(parents, culprit)
    assert left == (culprit,)
    assert steps <= math.ceil(math.log2(count)) == Search(parents).steps(Known())


@pytest.mark.parametrize("culprit", [0, 9, 10, 30, 31, 49])
def test_leaves_a_stretch_that_does_not_build(culprit):
    """20 of 50 in the middle: they are not tried one after the other."""
    untold = {str(at) for at in range(10, 30)}
    left, steps = searched(line(50), str(culprit), untold)
    assert str(culprit) in left
    is_at_the_stretch = culprit in range(10, 31)
    assert len(left) == (21 if is_at_the_stretch else 1)
    # Beside such a stretch only the last of them can be ruled out by asking them all.
    assert is_at_the_stretch or steps <= 12


def test_a_neighbour_follows_a_commit_that_is_skipped():
    """As `git bisect skip` does it; the further one looks, the more are skipped."""
    search = Search(line(40))
    first = search.next(Known())
    second = search.next(Known(skipped=[first]))
    assert abs(int(first) - int(second)) == 1
    third = search.next(Known(skipped=[first, second]))
    assert abs(int(third) - int(first)) > 1


def test_an_answer_that_is_taken_back_widens_the_search():
    """What a wrong one had left out is among the candidates again."""
    search = Search(line(8))
    assert "6" not in search.candidates(Known(bad=["3"]))
    assert "6" in search.candidates(Known(good=["1"], skipped=["3"]))
