"""Owns a bound on what a regular expression of a file may take to match: Go's never backtracks, Python's does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_gomem.pprof.errors import ProfileError

_LONGEST = 1 << 14  # characters; those that pprof writes itself have some 2000
_MOST_STEPS = 10**8  # about a second
_TOKEN = re.compile(
    r"(?P<open>\((?:\?(?:P<\w+>|P=\w+|<[=!]|[=!#]|[a-zA-Z-]*:|[a-zA-Z-]*(?=\))))?)|(?P<close>\))|(?P<bar>\|)"
    r"|(?P<repeat>(?:[*+]|\{\d*,?\d*\})[?+]?)|(?P<maybe>\?[?+]?)|(?P<one>\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.)",
    re.DOTALL,
)


@dataclass(frozen=True)
class _Ways:
    """At most `factor * length ** degree` ways to match a text of that length."""

    factor: int = 1
    degree: int = 0

    def then(self, other: _Ways) -> _Ways:
        return _Ways(self.factor * other.factor, self.degree + other.degree)

    def instead(self, other: _Ways) -> _Ways:
        return _Ways(self.factor + other.factor, max(self.degree, other.degree))


_ONE = _Ways()


class _Group:
    """A group that is being read: its branches so far, the current branch up to its last item, and that item."""

    def __init__(self) -> None:
        self.branches: _Ways | None = None
        self.before, self.last = _ONE, _ONE

    def add(self, item: _Ways) -> None:
        self.before, self.last = self.before.then(self.last), item

    def end_branch(self) -> None:
        branch = self.before.then(self.last)
        self.branches = branch if self.branches is None else self.branches.instead(branch)
        self.before, self.last = _ONE, _ONE

    def whole(self) -> _Ways:
        self.end_branch()
        assert self.branches is not None
        return self.branches


def refuse_slow(pattern: str, texts: Iterable[str]) -> None:
    """Raise ProfileError where matching the pattern against these texts might take more than about a second."""
    if len(pattern) > _LONGEST:
        raise ProfileError(f"a regular expression of {len(pattern)} characters is refused: the most is {_LONGEST}")
    ways = _ways(pattern)
    if sum(ways.factor * len(text) ** ways.degree for text in texts) > _MOST_STEPS:
        raise ProfileError(f"'{pattern:.60}' is refused: to match it might take very long")


def _ways(pattern: str) -> _Ways:
    groups = [_Group()]
    for token in _TOKEN.finditer(pattern):
        group = groups[-1]
        match token.lastgroup:
            case "open":
                groups.append(_Group())
            case "close" if len(groups) > 1:
                groups.pop()
                groups[-1].add(group.whole())
            case "bar":
                group.end_branch()
            case "repeat" if group.last != _ONE:
                raise ProfileError(f"'{pattern:.60}' is refused: it repeats what repeats or has alternatives")
            case "repeat":
                group.last = _Ways(degree=1)
            case "maybe":
                group.last = group.last.instead(_ONE)
            case _:
                group.add(_ONE)
    return groups[0].whole()
