"""Laying text out: widths, shortening, columns, percentages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.report.text import (
    clip,
    columns,
    display_width,
    pad,
    percent,
    short_name,
    short_names,
    value_text,
    wrapped,
)

NODEID = "tests/memory/test_mem.py::TestUpload::test_big[a/b::c]"
SHORTER = [
    NODEID,
    "test_mem.py::TestUpload::test_big[a/b::c]",
    "TestUpload::test_big[a/b::c]",
    "test_big[a/b::c]",
]


def test_names_lose_folders_then_file_then_class():
    """The parameters stay whole: a slash or colons in them part nothing."""
    assert list(short_names(NODEID)) == SHORTER


@pytest.mark.parametrize("name", SHORTER)
def test_the_longest_name_that_fits_is_taken(name):
    """Each spelling is taken at its own width, and the next shorter one a cell below."""
    assert short_name(SHORTER, len(name)) == name
    assert len(short_name(SHORTER, len(name) - 1)) < len(name)


def test_a_name_that_fits_nowhere_loses_its_middle():
    """Both ends of the shortest spelling stay."""
    assert short_name(SHORTER, 11) == "test...::c]"


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.0, "0%"), (0.0004, "<0.1%"), (0.0005, "0.1%"), (0.08, "8%"), (0.025, "2.5%"), (0.0994, "9.9%"),
        (0.0996, "10%"), (0.123, "12%"), (-0.5, "50%"), (2.5, "250%"),
    ],
)  # fmt: skip
def test_percent_has_few_digits(ratio, text):
    """Percentages have as few digits as tell something, and something is never 0%."""
    assert percent(ratio) == text


def test_a_number_and_its_unit_stay_in_one_line():
    """A line that begins with kB/op reads badly, and is what a search for the figure misses."""
    lines = ["- it was", "  67.2 kB/op,", "  and is 1", "  thing"]
    assert wrapped("it was 67.2 kB/op, and is 1 thing", 14, "- ") == lines


def test_units_unknown_here_are_printed_as_they_are():
    """A plugin's own unit does not break a report."""
    assert value_text(1234.5, "widgets") == "1234 widgets"
    assert value_text(1.58e9, "bytes") == "1.58 GB"
    assert value_text(float("nan"), "bytes") == "nan"


@given(st.text(), st.integers(0, 40))
def test_clipped_text_fits(text, width):
    """Clipped text takes at most the cells given; text that fits is not touched."""
    clipped = clip(text, width)
    assert display_width(clipped) <= width
    assert clipped == text or display_width(text) > width


def test_wide_characters_align():
    """East Asian characters take two cells and combining marks none."""
    assert display_width("日本") == 4
    assert display_width("e\u0301") == 1
    assert pad("日本", 6) == "日本  "
    assert columns([["日本", "1"], ["a", "10"]], right=[1]) == ["日本   1", "a     10"]
