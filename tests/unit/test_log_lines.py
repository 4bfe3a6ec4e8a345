"""What messages show of a log."""

from __future__ import annotations

from pytest_gomem.launch.ending import both_ends, last_lines


def log_of(lines):
    return "".join(f"line {n}\n" for n in range(1, lines + 1))


def test_a_short_log_is_shown_whole():
    """Up to 41 lines: one left out would cost a line as well."""
    assert both_ends(log_of(41)) == log_of(41).rstrip()
    assert both_ends("") == ""


def test_a_long_log_is_cut_in_its_middle():
    """With how much is missing, and where."""
    shown = both_ends(log_of(100)).splitlines()
    assert shown[9:12] == ["line 10", "... 60 lines are left out here ...", "line 71"]
    assert (shown[0], shown[-1], len(shown)) == ("line 1", "line 100", 41)


def test_a_long_line_is_cut_in_its_middle():
    """A flood without a line's end fills no screen."""
    shown = both_ends("a" * 3000 + "z" * 3000)
    assert shown == "a" * 500 + " ... 5000 characters are left out here ... " + "z" * 500
    assert both_ends("x" * 1000) == "x" * 1000


def test_last_lines():
    """As many as are wanted, and no more than there are."""
    assert last_lines(log_of(3), 2) == "line 2\nline 3"
    assert last_lines(log_of(1), 5) == "line 1"
