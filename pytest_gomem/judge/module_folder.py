"""Owns which folder the user's module was built in, as the functions and files of profiles tell it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.pprof.group import Frame, frames_of, package_of
from pytest_gomem.pprof.model import Profile

# A closure of an inlined call bears the name of who calls, as main.run.Handle.func2, and lies in Handle's folder.
_CLOSURE = re.compile(r"\.(func|gowrap|deferwrap)\d|-range\d|-fm$")


class _Clue(NamedTuple):
    """A folder that may be the module's; the surest sort first: package main, of which a binary has one, tells it best.

    is_doubtful: told by a closure of package main, which may be one of another package.
    """

    is_doubtful: bool
    is_named: bool
    folder: str


_NONE = _Clue(False, False, "")


def module_folder(module: GoModule, profiles: Iterable[Profile]) -> str:
    """Its full name; "" where nothing tells it, or nothing but closures of package main that differ about it."""
    locations = (location for profile in profiles for location in profile.locations.values())
    clues = {clue for place in locations for _, frame in frames_of(place, "line") for clue in _clues(module, frame)}
    surest = min(clues, default=_NONE)
    return "" if surest.is_doubtful and len(clues) > 1 else surest.folder


def _clues(module: GoModule, frame: Frame) -> Iterator[_Clue]:
    """What a package of a known import path tells, where its file has a full name that ends as the path does."""
    function, folder = frame.function or "", posixpath.dirname(frame.file or "")
    package, is_closure = package_of(function), _CLOSURE.search(function) is not None
    below = module.below(package)
    if below is None or (is_closure and not below):
        return
    if folder.startswith("/") and folder.endswith(below):
        is_named = package != "main"
        yield _Clue(is_closure and not is_named, is_named, folder[: len(folder) - len(below)])
