"""Charges a stack to a line of Go, with its callers and the third-party code between the line and the allocation."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.launch.overlay import AGENT_FILES
from pytest_gomem.pprof.group import Frame, frames_of, package_of
from pytest_gomem.pprof.model import Location, Profile, location_ids

# A closure of an inlined call has its caller's name, as main.run.Handle.func2, but lies in Handle's folder.
_CLOSURE = re.compile(r"\.(func|gowrap|deferwrap)\d|-range\d|-fm$")


class _Clue(NamedTuple):
    """A folder that may be the module's. The surest sorts first: package main, which is unique in a binary.

    is_doubtful: from a closure of package main, which may belong to another package.
    """

    is_doubtful: bool
    is_named: bool
    folder: str


_NONE = _Clue(False, False, "")


def module_folder(module: GoModule, profiles: Iterable[Profile]) -> str:
    """The module's full path; "" if unknown, or if only closures of package main show it and they differ."""
    locations = (location for profile in profiles for location in profile.locations.values())
    clues = {clue for place in locations for _, frame in frames_of(place, "line") for clue in _clues(module, frame)}
    surest = min(clues, default=_NONE)
    return "" if surest.is_doubtful and len(clues) > 1 else surest.folder


def _clues(module: GoModule, frame: Frame) -> Iterator[_Clue]:
    """The folder that a known import path shows, if the file's full name ends like it."""
    function, folder = frame.function or "", posixpath.dirname(frame.file or "")
    package, is_closure = package_of(function), _CLOSURE.search(function) is not None
    below = module.below(package)
    if below is None or (is_closure and not below):
        return
    if folder.startswith("/") and folder.endswith(below):
        is_named = package != "main"
        yield _Clue(is_closure and not is_named, is_named, folder[: len(folder) - len(below)])


MOST_CALLERS = 3
_CACHED = "/pkg/mod/"  # where Go keeps the sources of modules
_ESCAPED = re.compile(r"!([a-z])")  # a capital letter in its folders
_RUNTIME = re.compile(r"(internal/)?runtime(/|$)|internal/bytealg$")
_ENDPOINT = "net/http/pprof"
_PROFILERS = ("runtime/pprof", _ENDPOINT)


_ALLOCATOR = re.compile(r"runtime\.(mallocgc|newobject|newarray|makeslice|growslice)")


class Site(NamedTuple):
    """A line of Go; `file` is relative to the user's module if that is known; `line` is 0 if unknown."""

    function: str
    file: str
    line: int


class Through(NamedTuple):
    """A line of a third-party module; `module` is its path, or the package's if that is unknown."""

    function: str
    file: str
    line: int
    module: str


class Chain(NamedTuple):
    """The line to charge, then its nearest callers in the user's own module, and the leaf of the stack.

    through: the third-party line nearest to the leaf, if another line is charged. modules: the third-party modules from
    the leaf to the line that is charged, each once.
    """

    sites: tuple[Site, ...]
    leaf: Site
    through: Through | None = None
    modules: tuple[str, ...] = ()


UNKNOWN = Site("<unknown>", "", 0)


class _Place(NamedTuple):
    site: Site
    is_own: bool
    module: str  # the third-party one; "" for the user's own and for the standard library
    is_runtime: bool
    is_profiler: bool
    is_endpoint: bool
    is_agent: bool


class Origins:
    """Charges the stacks of profiles to lines; lines of equal name and place are the same in all profiles.

    module: the user's own; without it, package main alone counts as the user's.
    """

    def __init__(self, module: GoModule, profiles: Iterable[Profile]) -> None:
        self._module = module
        self._root = module_folder(module, profiles)

    def chains(self, profile: Profile) -> Iterator[Chain | None]:
        """For each sample the line to charge and its callers; None for allocations of the measuring itself.

        That is the user's own line nearest to the allocation. Without one it is the nearest third-party line, else the
        nearest one outside of the runtime, else what called the runtime's allocator, as runtime.malg for a goroutine.
        """
        places: dict[int, tuple[_Place, ...]] = {}
        known: dict[bytes, Chain | None] = {}
        for stack in profile.stacks:
            if stack not in known:
                known[stack] = self._chain(self._walk(stack, profile, places))
            yield known[stack]

    def _walk(self, stack: bytes, profile: Profile, places: dict[int, tuple[_Place, ...]]) -> Iterator[_Place]:
        for number in location_ids(stack):
            if number not in places:
                places[number] = tuple(self._places(profile.location(number)))
            yield from places[number]

    def _chain(self, places: Iterable[_Place]) -> Chain | None:
        own: list[Site] = []
        others: list[_Place] = []
        leaf = std = caller = None
        is_profiling = False
        for place in places:
            leaf = leaf or place.site
            if place.module and not own:
                others.append(place)
            elif not place.is_runtime:
                std = std or place.site
            if not _ALLOCATOR.match(place.site.function):
                caller = caller or place.site
            is_profiling = is_profiling or place.is_profiler
            # The endpoint answers our own requests, even through middleware of the user's.
            if place.is_agent or (place.is_endpoint and not own):
                return None
            if place.is_own and place.site not in own:  # a recursive function is listed once
                own.append(place.site)
            if len(own) > MOST_CALLERS:
                break
        leaf = leaf or UNKNOWN
        if own:
            through = Through(*others[0].site, others[0].module) if others else None
            return Chain(tuple(own), leaf, through, tuple(dict.fromkeys(place.module for place in others)))
        if is_profiling:
            return None
        if others:
            return Chain((others[0].site,), leaf, modules=(others[0].module,))
        return Chain((std or caller or leaf,), leaf)

    def _places(self, location: Location) -> Iterator[_Place]:
        for _, frame in frames_of(location, "line"):
            function, file = frame.function or "", frame.file or ""
            package = package_of(function)
            site = Site(function, self.short(file, package), frame.line or 0)
            is_agent = posixpath.basename(file) in AGENT_FILES
            yield _Place(
                site,
                self._module.is_own(package),
                self._module.third_party(package),
                _RUNTIME.match(package) is not None,
                package in _PROFILERS,
                package == _ENDPOINT,
                is_agent,
            )

    def short(self, file: str, package: str) -> str:
        """The file relative to the module, or to the standard library's sources; else as it stands.

        Without a known folder, a file of package main keeps its bare name, which is clear: a binary has one main. One
        of a third-party module begins with the module's path and version, or only with its package.
        """
        for root in (self._root, self._module.path):  # -trimpath writes the module's path instead of its folder
            if root and file.startswith(f"{root}/"):
                return file[len(root) + 1 :]
        folder, name = posixpath.split(file)
        if package in ("main", self._module.path):
            return name
        # The runtime writes functions of other packages itself (go:linkname), such as internal/bytealg.MakeNoZero.
        homes = (home for home in (package, "runtime") if folder.endswith(f"/src/{home}"))
        if home := next(homes, ""):
            return f"{home}/{name}"
        module = self._module.third_party(package)
        return _third_party(file, package, module) if module and file.startswith("/") else file


def _third_party(file: str, package: str, module: str) -> str:
    """The name of a third-party file without the folders of this machine."""
    plain = _ESCAPED.sub(lambda letter: letter[1].upper(), file)
    at = plain.find(f"/{module}@") + 1
    if at:
        return plain[at:]
    return plain.partition(_CACHED)[2] or f"{package}/{posixpath.basename(file)}"
