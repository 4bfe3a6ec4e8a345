"""Why the culprits of a failed window allocate: compiler notes and commits, within a time limit."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_gomem.attribution.causes import Cause, Notes, explain, parse_notes
from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.attribution.origin import Site
from pytest_gomem.base.errors import GomemError, ObserveError
from pytest_gomem.diagnosis.compiler_notes import compiler_notes, package_folder
from pytest_gomem.git.repository import line_change
from pytest_gomem.launch.build import locate
from pytest_gomem.launch.launched import Built
from pytest_gomem.launch.sides import says
from pytest_gomem.pprof.group import package_of

SECONDS = 20.0  # for all culprits of a window; a package compiles in some tenths of a second


class Reasons:
    """The reasons of one run: each package of each binary is compiled for notes at most once, even if it fails."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._notes: dict[tuple[Path, str], Notes | str] = {}

    def explained(
        self, culprits: Iterable[Culprit], head: Built, base: Built | None = None
    ) -> tuple[tuple[Culprit, ...], tuple[str, ...]]:
        """The culprits with their causes, and notes on what is unknown.

        base: the other side of a comparison; if its sources are still there, the reason names what is new.
        """
        asked = _Asked(self, head, base, time.monotonic() + self._seconds)
        found = tuple(replace(one, causes=(*one.causes, *asked.causes(one))) for one in culprits)
        return found, tuple(dict.fromkeys(asked.troubles))

    def notes(self, built: Built, package: str, seconds: float) -> Notes | str:
        """The notes on a package, or why there are none."""
        key = built.binary, package
        if key in self._notes:
            return self._notes[key]
        try:
            found: Notes | str = parse_notes(compiler_notes(built.source, package, seconds))
        except GomemError as error:
            found = str(error)
            if isinstance(error.__cause__, TimeoutError):  # a later window has its own time limit
                return found
        self._notes[key] = found
        return found


@dataclass
class _Asked:
    """Finds the causes of one window before a deadline."""

    reasons: Reasons
    head: Built
    base: Built | None
    deadline: float

    def __post_init__(self) -> None:
        self.troubles: list[str] = []
        self._known: dict[tuple[Site, bool], tuple[Cause, ...]] = {}

    def causes(self, culprit: Culprit) -> tuple[Cause, ...]:
        """What is known about the culprit's line; the compiler's notes only if the line itself allocates."""
        site, is_leaf = Site(culprit.function, culprit.file, culprit.line), not culprit.leaf
        if (site, is_leaf) not in self._known:
            self._known[site, is_leaf] = (*(self._compiler(site) if is_leaf else ()), *self._git(site))
        return self._known[site, is_leaf]

    def _compiler(self, site: Site) -> Iterator[Cause]:
        if self.head.source.build is None:
            return
        package = package_of(site.function)
        notes = self.reasons.notes(self.head, package, self._left())
        before = self.reasons.notes(self.base, package, self._left()) if self.base and self._has_sources() else None
        self.troubles += [trouble for trouble in (notes, before) if isinstance(trouble, str)]
        if isinstance(notes, Notes):
            yield from explain(site, notes, before if isinstance(before, Notes) else None)

    def _has_sources(self) -> bool:
        """Whether the other side's sources are still there: a checkout may have been removed."""
        return self.base is not None and self.base.source.build is not None and self.base.source.base_dir.is_dir()

    def _git(self, site: Site) -> Iterator[Cause]:
        file = self._file(site)
        if file is None or not site.line:
            return
        try:
            change = line_change(file, site.line, self._left())
        except ObserveError:  # git is optional: without it only commits are missing
            return
        if change:
            yield Cause("git", change)

    def _file(self, site: Site) -> Path | None:
        """The source file of a line: relative to the module, or for package main to its folder."""
        build = self.head.source.build
        if build is None or not site.file:
            return None
        cwd, main = locate(build.package, self.head.source.base_dir)
        candidates = (cwd / site.file, cwd / main / site.file)
        found = next((path for path in candidates if path.is_file()), None)
        package = package_of(site.function)
        if found is None and (says(build.flags) or self.head.info.module.third_party(package)):
            # A file of another module is named by path and version: only Go knows its folder.
            folder = package_folder(self.head.source, package, self._left())
            found = folder / posixpath.basename(site.file) if folder is not None else None
        return found if found is not None and found.is_file() else None

    def _left(self) -> float:
        return self.deadline - time.monotonic()
