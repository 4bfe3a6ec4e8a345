"""Globs and suggestions: only `*` and `?` are special, and the nearest name is offered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.names import did_you_mean, literal_prefix, matches, nearest

PATTERNS = st.text("ab[-].*?", max_size=10)
NAMES = st.text("ab[-].", max_size=14)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("tests/test_mem.py::test_upload*", "tests/test_mem.py::test_upload[a-1]", True),
        ("test[a-1]", "test[a-1]", True),
        ("test[a-1]", "testa", False),
        ("main.Map[...]", "main.Map[...]", True),
        ("main.Map[*]", "main.Map[go.shape.int]", True),
        ("main.?", "main.f", True),
        ("main.?", "main.", False),
        ("main", "main.f", False),
        ("*", "", True),
        ("", "", True),
        ("", "a", False),
        ("**.go", "a\nb.go", True),
        ("a*a", "a", False),
        ("{port}*", "{port}x", True),
    ],
)
def test_only_star_and_question_mark_are_special(pattern: str, name: str, expected: bool) -> None:
    """Brackets of parametrized ids and Go generics are plain characters; a glob covers the whole name."""
    assert matches(pattern, name) is expected


@given(PATTERNS, NAMES)
def test_matching_agrees_with_its_definition(pattern: str, name: str) -> None:
    """The compiled glob decides as the textbook recursion over both texts does."""
    assert matches(pattern, name) is _by_definition(pattern, name)


def _by_definition(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return _by_definition(pattern[1:], name) or (bool(name) and _by_definition(pattern, name[1:]))
    return bool(name) and pattern[0] in ("?", name[0]) and _by_definition(pattern[1:], name[1:])


@given(NAMES)
def test_a_literal_matches_only_itself(name: str) -> None:
    """A name without stars, taken as a glob, matches itself and nothing longer."""
    assert matches(name, name)
    assert not matches(name, name + "x")


@given(PATTERNS, NAMES)
def test_a_match_begins_with_the_literal_prefix(pattern: str, name: str) -> None:
    """The literal prefix is what every matching name begins with."""
    assert pattern.startswith(literal_prefix(pattern))
    assert not matches(pattern, name) or name.startswith(literal_prefix(pattern))


def test_a_glob_of_many_stars_ends() -> None:
    """A glob with thirty stars is refused without trying every way to place them."""
    assert not matches("*a" * 30 + "b", "a" * 300)


def test_the_nearest_name_is_offered() -> None:
    """A mistyped or wrongly capitalised name leads to the valid one, in its own spelling."""
    assert nearest("peak_rrs", ["peak_rss", "live_heap"]) == "peak_rss"
    assert nearest("DATABASEURL", ["Database_URL"]) == "Database_URL"
    assert did_you_mean("gomaxproc", ["gogc", "gomaxprocs"]) == "did you mean gomaxprocs?"


def test_all_names_are_offered_where_none_is_near() -> None:
    """A name that resembles nothing gets the full list, sorted."""
    assert nearest("zebra", ["http", "tcp"]) == ""
    assert did_you_mean("zebra", ["tcp", "http"]) == "allowed here: http, tcp"
