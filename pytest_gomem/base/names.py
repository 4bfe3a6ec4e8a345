"""The names that users write: globs, test ids, and the nearest name to a mistyped one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.base.printable import printable

if TYPE_CHECKING:
    from pathlib import Path


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
    """The part before the first `*` or `?`; the longer it is, the more specific the glob."""
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


_SHOWN = 5


class SeveralTests(ConfigError):
    """Several tests' ids end as the one that was asked for."""


def find_tests(wanted: str, known: Iterable[str]) -> tuple[str, ...]:
    """The ids that `wanted` means, sorted: the id itself, all that a glob matches, or the only one with that end.

    An id without its parameters means all combinations. Raises ConfigError, with the nearest ids when none matches, or
    with all that match when several end so.
    """
    ids = sorted(set(known))
    if wanted in ids:
        return (wanted,)
    found = tuple(nodeid for nodeid in ids if means_test(wanted, nodeid))
    if found or not wanted:
        return found
    ending = [nodeid for nodeid in ids if _ends_with(nodeid, wanted)]
    functions = {nodeid.partition("[")[0] for nodeid in ending}
    if len(functions) == 1:
        return tuple(ending)
    if ending:
        raise SeveralTests(
            f"'{wanted}' is the end of {len(functions)} tests: {_listed(ending)}", hint="give more of its id"
        )
    raise ConfigError(f"no test '{wanted}'", hint=_nearest(wanted, ids))


def may_mean(wanted: str, nodeid: str) -> bool:
    """Whether `find_tests` finds this test among some others: what it finds among all is such a test."""
    return wanted == nodeid or means_test(wanted, nodeid) or _ends_with(nodeid, wanted)


def _ends_with(nodeid: str, wanted: str) -> bool:
    """Whether an id, with or without its parameters, ends with this whole part of a path or name."""
    spellings = (nodeid, nodeid.partition("[")[0])
    return any(spelling.endswith((f"/{wanted}", f"::{wanted}")) for spelling in spellings)


def _nearest(wanted: str, ids: list[str]) -> str:
    if not ids:
        return "there are no tests"
    names = {nodeid.rpartition("::")[2]: nodeid for nodeid in reversed(ids)}
    near = difflib.get_close_matches(wanted, ids, n=_SHOWN, cutoff=0.6)
    near += [names[name] for name in difflib.get_close_matches(wanted.rpartition("::")[2], names, n=_SHOWN, cutoff=0.6)]
    return f"nearest: {_listed(list(dict.fromkeys(near)))}" if near else f"there are: {_listed(ids)}"


def _listed(ids: list[str]) -> str:
    more = f", and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more


def was_looked_for(test: str, root: Path, looked_into: Collection[str]) -> bool:
    """Whether pytest would have collected a test, or those of a glob, if they existed.

    Not if testpaths, collect_ignore, a plugin or the command line left out a module that exists. root: the rootdir.
    looked_into: the ids of the modules and folders that were collected.
    """
    path = test.partition("::")[0]
    prefix = literal_prefix(path)
    if prefix == path:
        return path in looked_into or not (root / path).exists()
    folder = prefix.rpartition("/")[0]
    looked_below = any(module.startswith(f"{folder}/") for module in looked_into)
    return not folder or looked_below or not (root / folder).exists()
