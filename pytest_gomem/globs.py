"""Owns globs over test ids and function names, where only `*` and `?` are special, and nearest-name suggestions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache

from pytest_gomem.printable import printable


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    # fnmatch would read "[a-1]" in a parametrized test id, or "[...]" in a Go generic, as a character class.
    first, *rest = ("".join("." if c == "?" else re.escape(c) for c in piece) for piece in pattern.split("*"))
    if not rest:
        return re.compile(first, re.DOTALL)
    # The nearest place for each inner piece is always good enough. A lookahead never tries another one, which keeps
    # a glob of many stars from taking exponential time.
    inner = "".join(f"(?=(?P<g{n}>.*?{piece}))(?P=g{n})" for n, piece in enumerate(rest[:-1]) if piece)
    return re.compile(f"{first}{inner}.*{rest[-1]}", re.DOTALL)


def matches(pattern: str, name: str) -> bool:
    """Whether the whole of `name` matches `pattern`; `*` is any run of characters, `?` exactly one."""
    return _compiled(pattern).fullmatch(name) is not None


def means_test(glob: str, nodeid: str) -> bool:
    """Whether a glob means this test: it matches the whole id, or the id without its parameters.

    So "t.py::test_a" means every combination of a parametrized test_a, and "t.py::test_a[x-1]" that one alone.
    """
    return matches(glob, nodeid) or matches(glob, _unparametrized(nodeid))


def _unparametrized(nodeid: str) -> str:
    # A folder may have a "[" in its name, parameters may have "::" and "[" in theirs; test names have neither.
    path, separator, name = nodeid.partition("::")
    return path + separator + name.partition("[")[0]


def literal_prefix(pattern: str) -> str:
    """What stands before the first `*` or `?`; the longer it is, the more specific the glob."""
    return re.split(r"[*?]", pattern, maxsplit=1)[0]


def nearest(name: str, allowed: Iterable[str]) -> str:
    """The valid name that `name` most likely meant, "" when none is near."""
    names = {valid.lower(): valid for valid in sorted(allowed)}
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    return names[near[0]] if near else ""


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """A hint that names the nearest valid name, or all of them when none is near."""
    names = sorted(allowed)
    near = nearest(name, names)
    return printable(f"did you mean {near}?" if near else f"allowed here: {', '.join(names)}")
