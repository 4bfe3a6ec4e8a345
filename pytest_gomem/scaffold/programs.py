"""Finds the main packages of a repository, and the source of its own that each of them is made of."""

from __future__ import annotations

import os
import re
from collections import deque
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pytest_gomem.scaffold.go_text import GoText
from pytest_gomem.scaffold.repository import Module, Repository, go_files, read_text

MOST_FILES = 600  # of one program's source
MOST_PROGRAMS = 200
_PACKAGE_MAIN = re.compile(r"^package main\b", re.MULTILINE)
_MAIN = re.compile(r"^func main\(\)", re.MULTILINE)


@dataclass(frozen=True)
class Program:
    """A main package: its folder and module, and its files with those of the packages of its module that it imports.

    folder: as gomem.yaml names it, such as "./cmd/api". name: of the binary that Go would build.
    """

    folder: str
    name: str
    module: Module
    files: tuple[GoText, ...]

    @property
    def imports(self) -> frozenset[str]:
        """All that its source imports."""
        return frozenset().union(*(file.imports for file in self.files))


def find_programs(repository: Repository) -> tuple[Program, ...]:
    """The programs below the repository's root, in the order of their folders; the first of very many."""
    found = (_program(repository, folder) for folder in repository.folders if _may_hold_one(folder))
    return tuple(islice((program for program in found if program is not None), MOST_PROGRAMS))


def _may_hold_one(folder: Path) -> bool:
    """Whether a file says so: most folders are libraries, and need not be read in full."""
    return any(_PACKAGE_MAIN.search(read_text(path)) for path in folder.glob("*.go"))


def _program(repository: Repository, folder: Path) -> Program | None:
    files = tuple(file for file in go_files(folder, repository.root) if file.package == "main")
    module = repository.module_of(folder)
    if module is None or not any(_MAIN.search(file.text) for file in files):
        return None
    relative = os.path.relpath(folder, repository.root)
    return Program(
        folder="." if relative == "." else f"./{relative}",
        name=_name(folder, module),
        module=module,
        files=_with_packages(repository, files),
    )


def _name(folder: Path, module: Module) -> str:
    """As `go build` names the binary: the last part of the import path that is no version."""
    words = [folder.name] if folder != module.folder else module.path.split("/")
    words = [word for word in words if not re.fullmatch(r"v[0-9]+", word)] or [folder.name]
    return words[-1] or folder.name


def _with_packages(repository: Repository, files: tuple[GoText, ...]) -> tuple[GoText, ...]:
    """The files, and those of each package of the repository that they lead to; the nearest first."""
    found, seen = list(files), set[Path]()
    waiting = deque(path for file in files for path in sorted(file.imports))
    while waiting and len(found) < MOST_FILES:
        folder = _folder_of(repository, waiting.popleft())
        if folder is None or folder in seen:
            continue
        seen.add(folder)
        more = go_files(folder, repository.root)
        found += more
        waiting += [one for file in more for one in sorted(file.imports)]
    return tuple(found)


def _folder_of(repository: Repository, path: str) -> Path | None:
    for module in sorted(repository.modules, key=lambda module: -len(module.path)):
        if module.path and f"{path}/".startswith(f"{module.path}/"):
            return module.folder / path[len(module.path) :].lstrip("/")
    return None
