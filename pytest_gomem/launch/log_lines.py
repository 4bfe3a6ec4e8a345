"""Owns the part of a service's log that messages show."""

from __future__ import annotations

_FIRST, _LAST = 10, 30
_LONGEST_LINE = 1000


def last_lines(log: str, lines: int = _FIRST + _LAST) -> str:
    """The end of a log."""
    return "\n".join(log.splitlines()[-lines:])


def both_ends(log: str) -> str:
    """The first 10 and the last 30 lines, long ones without their middle: what a start fails of often stands first."""
    lines = [_without_middle(line) for line in log.splitlines()]
    left_out = len(lines) - _FIRST - _LAST
    if left_out > 1:
        lines[_FIRST:-_LAST] = [f"... {left_out} lines are left out here ..."]
    return "\n".join(lines)


def _without_middle(line: str) -> str:
    half = _LONGEST_LINE // 2
    if len(line) <= _LONGEST_LINE:
        return line
    return f"{line[:half]} ... {len(line) - 2 * half} characters are left out here ... {line[-half:]}"
