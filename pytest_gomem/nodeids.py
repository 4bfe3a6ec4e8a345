"""Owns finding the tests that a user means by an id, the end of one, or a glob."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pytest_gomem.errors import ConfigError
from pytest_gomem.globs import means_test

_SHOWN = 5


class SeveralTests(ConfigError):
    """What was to be the end of one test's id is that of several."""


def find_tests(wanted: str, known: Iterable[str]) -> tuple[str, ...]:
    """The ids that `wanted` means, in alphabetical order: itself, those of a glob, or the only one that ends so.

    An id without its parameters means all combinations. Raises ConfigError with the nearest ids when none matches, and
    with all of them when an end is not that of one test alone.
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
            f"'{wanted}' is the end of {len(functions)} tests: {_listed(ending)}", hint="say more of one"
        )
    raise ConfigError(f"no test '{wanted}'", hint=_nearest(wanted, ids))


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
