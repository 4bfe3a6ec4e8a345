"""Merging, scaling and selecting."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pprof_profiles import BINARY, HEAP, location, profile, profiles

from pytest_gomem.pprof.aggregate import aggregate, diff
from pytest_gomem.pprof.focus import select
from pytest_gomem.pprof.merge import merge, scale
from pytest_gomem.pprof.model import ProfileError, ValueType, validate
from pytest_gomem.pprof.read import parse_profile
from pytest_gomem.pprof.write import encode


def flat_and_cum(table):
    return {row.frame.function: (row.flat, row.cum) for row in table.rows}


@given(profiles(), profiles())
def test_a_merged_profile_holds_the_sum(one, two):
    """Merging adds up, function by function, and the result can be written and read."""
    merged = parse_profile(encode(merge([one, two])))
    both = Counter(), Counter()
    for each in (one, two):
        for name, values in flat_and_cum(aggregate(each, "alloc_space")).items():
            for counter, value in zip(both, values, strict=True):
                counter[name] += value
    assert flat_and_cum(aggregate(merged, "alloc_space")) == {name: (both[0][name], both[1][name]) for name in both[1]}


@given(profiles(), profiles())
def test_merging_with_the_negative_is_the_difference(base, new):
    """new + (-1) x base, which is how `go tool pprof` compares, equals our difference."""
    merged = merge([new, scale(base, -1)])
    assert flat_and_cum(aggregate(merged, "inuse_space")) == flat_and_cum(diff(base, new, "inuse_space"))


@given(profiles())
def test_merging_twice_changes_nothing(made):
    """A merged profile is as compact as it gets."""
    once = merge([made])
    assert merge([once]) == once


def test_samples_merge_by_stack_and_labels():
    """Samples of one stack join unless their labels differ; a binary loaded elsewhere is the same one."""
    moved = BINARY._replace(start=BINARY.start + 0x1000, limit=BINARY.limit + 0x1000)
    one = profile([([1], (1,)), ([1], (2,))], {1: location("f")})
    two = profile([([9], (4,))], {9: location("f", address=0x402000, binary=moved)})
    merged = merge([one, two])
    assert list(merged.values[0]) == [7]
    assert merged.binaries == (BINARY,)


def test_headers_of_a_merged_profile():
    """The earliest known time, the longest period, the sum of durations, each comment once."""
    one = profile([], {}, time_nanos=0, duration_nanos=5, period=1, comments=("a", "b"))
    two = profile([], {}, time_nanos=9, duration_nanos=6, period=3, comments=("b", "c"))
    merged = merge([one, two])
    assert (merged.time_nanos, merged.duration_nanos, merged.period) == (9, 11, 3)
    assert merged.comments == ("a", "b", "c")


def test_profiles_of_other_types_do_not_merge():
    """The error says which types met; and nothing to merge is an error too."""
    with pytest.raises(ProfileError, match=r"space \(bytes\).* and of .*delay"):
        merge([profile([], {}), profile([], {}, (ValueType("delay", "nanoseconds"),))])
    with pytest.raises(ProfileError, match="no profiles"):
        merge([])


@given(profiles(values=st.integers(-(2**62), 2**62)))
def test_whole_factors_are_exact(made):
    """Scaling by 1 and -1 loses no bit of a 64-bit value."""
    assert scale(made, 1) == made
    assert scale(scale(made, -1.0), -1.0) == made


def test_each_sample_type_may_have_its_factor():
    """One factor for all, or one for each; fractions are cut off; another number of factors is an error."""
    made = profile([([1], (3, 5))], {1: location("f")}, HEAP[:2])
    assert [list(column) for column in scale(made, 0.5).values] == [[1], [2]]
    assert [list(column) for column in scale(made, 1, 2).values] == [[3], [10]]
    with pytest.raises(ProfileError, match="3 factors for 2"):
        scale(made, 1, 2, 3)


@pytest.mark.parametrize(
    "verb", [lambda made: merge([made, made]), lambda made: scale(made, 2), lambda made: scale(made, float("inf"))]
)
def test_values_beyond_the_format_are_refused(verb):
    """A sum or product of more than 64 bits is an error of ours, not Python's."""
    with pytest.raises(ProfileError, match=r"64 bits|cannot scale by inf"):
        verb(profile([([1], (2**62,))], {1: location("f")}))


@given(profiles())
def test_what_reading_accepts_is_valid(made):
    """Every profile of these tests passes as it is, and as it comes back from bytes."""
    validate(made)
    validate(parse_profile(encode(made)))


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"stacks": [b"\x07"]}, "location 7"),
        ({"stacks": [b"\x81"]}, "middle of a number"),
        ({"stacks": []}, "1 values of space for 0 samples"),
        ({"values": ()}, "0 columns of values for 1"),
        ({"labels": []}, "labels of 0 samples, of 1"),
    ],
)
def test_a_profile_that_contradicts_itself_is_invalid(broken, says):
    """Each part that does not fit the others is named."""
    with pytest.raises(ProfileError, match=says):
        validate(profile([([1], (1,))], {1: location("f")})._replace(**broken))


PLACES = {1: location("main.leaf"), 2: location("main.main"), 3: location("net/http.serve"), 4: location("a;b")}


@pytest.mark.parametrize(
    ("focus", "ignore", "kept"),
    [
        ("", "", [1, 2, 4]),
        ("leaf", "", [1, 2]),
        ("", "http", [1]),
        ("main", "http|a;b", [1]),
        ("/srv/app", "", [1, 2, 4]),
    ],
)
def test_focus_and_ignore_choose_samples(focus, ignore, kept):
    """A sample stays when focus matches one of its frames, or its binary, and ignore none."""
    made = profile([([1, 2], (1,)), ([1, 3], (2,)), ([4, 3], (4,))], PLACES)
    chosen = select(made, focus, ignore)
    assert list(chosen.values[0]) == kept
    assert len(chosen.stacks) == len(chosen.labels) == len(kept)


def test_an_odd_expression_warns_nobody():
    """What Python may read differently one day is taken as it reads it now."""
    made = profile([([1, 2], (1,))], PLACES)
    assert list(select(made, focus="[[m]ain").values[0]) == [1]


def test_an_expression_that_is_none_is_refused():
    """The error shows it."""
    with pytest.raises(ProfileError, match=r"'\(' is not a regular expression"):
        select(profile([], {}), focus="(")
