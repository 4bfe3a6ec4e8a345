"""Flat and cumulative values, and their differences, against the plainest way to compute them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pprof_profiles import BINARY, HEAP, function, location, profile, profiles

from pytest_gomem.pprof.aggregate import aggregate, diff, sort_rows
from pytest_gomem.pprof.group import GRANULARITIES, frames_of, package_of
from pytest_gomem.pprof.model import Line, Location, ProfileError, ValueType, location_ids

SIGNED = st.integers(-(2**40), 2**40)


def one_by_one(made, index, by):
    """Flat and cum by key, each frame of each sample looked at."""
    flat, cum = Counter(), Counter()
    for stack, value in zip(made.stacks, made.values[index], strict=True):
        keys = [key for number in location_ids(stack) for key, _ in frames_of(made.location(number), by)]
        if keys:
            flat[keys[0]] += value
        for key in set(keys):
            cum[key] += value
    return {key: (flat[key], cum[key]) for key in cum if flat[key] or cum[key]}


def by_key(table, by):
    return {row.frame.function if by == "function" else row.frame: (row.flat, row.cum) for row in table.rows}


@given(profiles(values=SIGNED), st.sampled_from(range(4)), st.sampled_from(GRANULARITIES))
def test_aggregating_equals_looking_at_every_frame(made, index, by):
    """The walk over the call tree gives what a loop over samples and frames gives, recursion and inlining included."""
    table = aggregate(made, HEAP[index].type, by)
    assert by_key(table, by) == one_by_one(made, index, by)
    assert table.total == sum(map(abs, made.values[index]))


def test_stacks_that_share_more_than_is_compared():
    """Two stacks with thousands of frames in common are summed as any other."""
    common = [3] * 5000
    places = {1: location("main.a"), 2: location("main.b"), 3: location("main.r"), 2**20: location("main.c")}
    made = profile([([1, *common], (1,)), ([2, *common], (2,)), ([2**20, *common[:4097]], (4,)), ([1], (8,))], places)
    assert by_key(aggregate(made), "function") == one_by_one(made, 0, "function")
    assert by_key(aggregate(made), "function")["main.r"] == (0, 7)


@given(profiles(), profiles(), st.sampled_from(GRANULARITIES))
def test_a_difference_is_that_of_the_two_tables(base, new, by):
    """Each row of the difference is the new value less the old one; equal rows are left out."""
    table = diff(base, new, "inuse_space", by)
    before, after = one_by_one(base, 3, by), one_by_one(new, 3, by)
    change = {}
    for key in before.keys() | after.keys():
        (flat, cum), (old_flat, old_cum) = after.get(key, (0, 0)), before.get(key, (0, 0))
        if flat != old_flat or cum != old_cum:
            change[key] = (flat - old_flat, cum - old_cum)
    assert by_key(table, by) == change


@given(profiles())
def test_a_profile_does_not_differ_from_itself(made):
    """Nothing has changed where nothing has."""
    assert diff(made, made).rows == ()


def test_recursion_counts_once():
    """A function that calls itself holds its memory once, not once a frame."""
    made = profile([([1, 2, 1, 2], (10,)), ([2], (1,))], {1: location("main.even"), 2: location("main.odd")})
    assert by_key(aggregate(made), "function") == {"main.even": (10, 10), "main.odd": (1, 11)}


def test_an_inlined_leaf_has_the_flat_value():
    """Of calls inlined into one location the innermost is the leaf, and all share the cumulative value."""
    made = profile([([1], (8,))], {1: location("main.inner", "main.outer")})
    assert by_key(aggregate(made), "function") == {"main.inner": (8, 8), "main.outer": (0, 8)}


def test_a_stack_within_another_is_its_own():
    """A sample whose stack is the upper part of another's has its own leaf."""
    places = {1: location("main.main"), 2: location("main.leaf"), 300: location("main.far")}
    made = profile([([1], (1,)), ([2, 1], (2,)), ([300, 1], (4,)), ([2, 300, 1], (8,))], places)
    assert by_key(aggregate(made), "function") == {"main.main": (1, 15), "main.leaf": (10, 10), "main.far": (4, 12)}


def test_rows_without_symbols_bear_the_binary():
    """Unknown code is shown as its binary, or as unknown, and not lost."""
    bare = Location(BINARY, 0x1234, (), False)
    nameless = Location(BINARY, 0x1235, (Line(function(""), 3, 0),), False)
    made = profile([([1], (1,)), ([2], (2,)), ([3], (4,))], {1: bare, 2: bare._replace(binary=None), 3: nameless})
    assert {str(row.frame): row.flat for row in aggregate(made).rows} == {"[app]": 5, "<unknown>": 2}


def test_a_sample_without_a_stack_counts_in_the_total_alone():
    """Nothing can be said of a sample without frames but how much it is."""
    table = aggregate(profile([([], (5,))], {}))
    assert (table.total, table.rows) == (5, ())


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("main.main", "main"),
        ("go/types.(*Checker).expr", "go/types"),
        ("gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml.v3"),
        ("github.com/a/b.Map[go.shape.int,github.com/c/d.E].Get", "github.com/a/b"),
        ("main.Map[...].func1", "main"),
        ("net/http.(*conn).serve.func1", "net/http"),
        ("malloc", "malloc"),
        ("[libc.so.6]", "[libc.so.6]"),
        ("", ""),
    ],
)
def test_the_package_of_a_go_symbol(name, package):
    """The import path ends at the first dot after its last slash; type arguments are no part of it."""
    assert package_of(name) == package


@pytest.mark.parametrize(
    ("asked", "default", "index"),
    [("", "", 3), ("", "alloc_space", 1), ("", "nonsense", 3), ("alloc_objects", "", 0), ("space", "", 3)],
)
def test_the_sample_type_is_chosen_as_go_does(asked, default, index):
    """By name; without one the profile's default, or else the last."""
    assert profile([], {}, HEAP, default_sample_type=default).sample_index(asked) == index


def test_short_names_are_known_both_ways():
    """ "inuse_space" finds "space" in an old profile."""
    assert (
        profile([], {}, (ValueType("space", "bytes"), ValueType("objects", "count"))).sample_index("inuse_space") == 0
    )


def test_an_unknown_sample_type_is_refused_with_those_there_are():
    """The error lists what may be asked for."""
    with pytest.raises(ProfileError, match="it has alloc_objects, alloc_space, inuse_objects, inuse_space"):
        aggregate(profile([], {}, HEAP), "peak")


def test_profiles_of_other_units_are_not_compared():
    """Bytes are not taken for objects, nor for kilobytes."""
    with pytest.raises(ProfileError, match=r"the base has no space \(bytes\)"):
        diff(profile([], {}, (ValueType("space", "kilobytes"),)), profile([], {}))


def test_an_unknown_granularity_is_refused():
    """The error lists what there is."""
    with pytest.raises(ProfileError, match="function, line, file, package"):
        aggregate(profile([([1], (1,))], {1: location("f")}), by="module")


@given(profiles(values=SIGNED))
def test_rows_are_sorted_by_size_and_then_by_name(made):
    """The order is the same on every run, whatever the order of the samples."""
    table = aggregate(made)
    backwards = made._replace(stacks=made.stacks[::-1], values=tuple(column[::-1] for column in made.values))
    assert [(row.flat, row.cum) for row in table.rows] == [(row.flat, row.cum) for row in aggregate(backwards).rows]
    assert [abs(row.flat) for row in table.rows] == sorted((abs(row.flat) for row in table.rows), reverse=True)
    cums = [abs(row.cum) for row in sort_rows(table.rows, cum=True)]
    assert cums == sorted(cums, reverse=True)
