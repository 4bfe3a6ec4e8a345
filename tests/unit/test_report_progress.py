"""The words of the live line: what they say, and how they fit into a terminal of any width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.report.progress import Progress, progress_line

WHOLE = Progress("test_logs", "round 3 of 8 (base)", 7.9, rss=12_100_000, heap=4_200_000)


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (80, "test_logs  round 3 of 8 (base)  rss 12.1 MB  heap 4 MB  0:07"),
        (59, "test_l..  round 3 of 8 (base)  rss 12.1 MB  heap 4 MB  0:07"),
        (57, "round 3 of 8 (base)  rss 12.1 MB  heap 4 MB  0:07"),
        (48, "test_l..  round 3 of 8 (base)  rss 12.1 MB  0:07"),
        (20, "rss 12.1 MB  0:07"),
        (13, "0:07"),
        (3, ""),
        (-5, ""),
    ],
)
def test_fits(columns, line):
    """The heap goes first, then the round; the name fills what is left."""
    found = progress_line(WHOLE, columns)
    assert len(found) <= max(columns, 0)
    assert found == line


def test_says_what_is_known():
    """One round has no number, and an unknown figure no place."""
    assert progress_line(Progress("test_a", "", 3725.0), 80) == "test_a  1:02:05"
    assert progress_line(Progress("", "", 61.0, rss=999), 80) == "rss 999 B  1:01"
    assert progress_line(Progress("", "", 0.0, rss=10**9, heap=0), 80) == "rss 1.00 GB  heap <1 MB  0:00"
    assert progress_line(Progress("", "", 0.0, heap=734_003_200), 80) == "heap 734 MB  0:00"


@given(st.text(max_size=60), st.integers(-3, 120), st.booleans())
def test_harmless(name, columns, has_heap):
    """Any name is printed on one line, within the columns even if each of its letters takes two."""
    line = progress_line(Progress(name, "round 1 of 3", 1.0, 10**7, 10**6 if has_heap else None), columns)
    assert line.isprintable()
    assert sum(1 if letter.isascii() else 2 for letter in line) <= max(columns, 0)
