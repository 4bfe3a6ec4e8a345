"""What lies in a folder: modules, workspaces, Dockerfiles and folders of Go; bounded, and links are not followed."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pytest_gomem.scaffold.go_text import GoText

_PASSED_BY = {"vendor", "testdata", "node_modules", "third_party"}
MOST_ENTRIES = 200_000
MOST_SECONDS = 20.0
_LARGEST = 1 << 20  # bytes of a file: larger ones are generated
_MODULE = re.compile(r'^\s*module\s+"?([^\s"]+)"?', re.MULTILINE)
_USE = re.compile(r"^\s*use\s*(?:\(([^)]*)\)|(\S+))", re.MULTILINE)


@dataclass(frozen=True)
class Module:
    """A Go module: its folder and its path, "" where go.mod names none."""

    folder: Path
    path: str


@dataclass(frozen=True)
class Repository:
    """What was found below `root`. outer: the module that `root` itself lies in, if its go.mod is above.

    is_cut: the folder is so large that not all of it was looked at.
    """

    root: Path
    modules: tuple[Module, ...] = ()
    workspace: Path | None = None
    used: frozenset[Path] = frozenset()
    dockerfiles: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = field(default=(), repr=False)
    is_cut: bool = False

    def module_of(self, folder: Path) -> Module | None:
        """The module that a folder belongs to: the nearest go.mod."""
        by_folder = {module.folder: module for module in self.modules}
        return next((by_folder[one] for one in (folder, *folder.parents) if one in by_folder), None)

    def is_outside_workspace(self, module: Module) -> bool:
        """Whether Go refuses to build the module because go.work does not name it."""
        return self.workspace is not None and module.folder not in self.used


def read_repository(root: Path) -> Repository:
    """Look through a folder; raises OSError if it cannot be read."""
    modules, dockerfiles, folders = list[Module](), list[Path](), list[Path]()
    seen = _Seen()
    for folder, names in _walk(root, seen):
        if "go.mod" in names:
            modules.append(_module(folder))
        dockerfiles += [folder / name for name in sorted(names) if _is_dockerfile(name)]
        if any(name.endswith(".go") for name in names):
            folders.append(folder)
    modules += _outer(root) if not any(module.folder == root for module in modules) else ()
    workspace = next((one / "go.work" for one in (root, *root.parents) if (one / "go.work").is_file()), None)
    if os.environ.get("GOWORK", "") not in ("", "auto"):
        workspace = None
    used = frozenset(_used(workspace)) if workspace else frozenset[Path]()
    return Repository(root, tuple(modules), workspace, used, tuple(dockerfiles), tuple(folders), seen.is_cut)


class _Seen:
    """How much was looked at so far."""

    def __init__(self) -> None:
        self.is_cut = False
        self._entries = 0
        self._until = time.monotonic() + MOST_SECONDS

    def add(self, entries: int) -> bool:
        """Whether the search may go on."""
        self._entries += entries
        self.is_cut = self._entries > MOST_ENTRIES or time.monotonic() > self._until
        return not self.is_cut


def _walk(root: Path, seen: _Seen) -> Iterator[tuple[Path, set[str]]]:
    for folder, below, names in os.walk(root):  # it follows no links
        below[:] = sorted(name for name in below if name not in _PASSED_BY and not name.startswith((".", "_")))
        yield Path(folder), {name for name in names if not os.path.islink(os.path.join(folder, name))}  # noqa: PTH114, PTH118 - of many files
        if not seen.add(len(names) + len(below)):
            return


def _is_dockerfile(name: str) -> bool:
    return name in ("Dockerfile", "Containerfile") or name.startswith("Dockerfile.") or name.endswith(".Dockerfile")


def _outer(root: Path) -> list[Module]:
    """The module above, which the folder is part of."""
    above = next((one for one in root.parents if (one / "go.mod").is_file()), None)
    return [_module(above)] if above else []


def _module(folder: Path) -> Module:
    found = _MODULE.search(read_text(folder / "go.mod"))
    return Module(folder, found[1] if found else "")


def _used(workspace: Path) -> Iterator[Path]:
    for found in _USE.finditer(re.sub(r"//[^\n]*", "", read_text(workspace))):
        for named in (found[1] or found[2]).split():
            yield Path(os.path.normpath(workspace.parent / named.strip('"')))


def read_text(path: Path) -> str:
    """The text of a file that people write; "" for one that cannot be read or is too large."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return ""
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""


@lru_cache(maxsize=8192)
def go_files(folder: Path, root: Path) -> tuple[GoText, ...]:
    """The files of a folder that a build here takes."""
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".go")
    except OSError:
        return ()
    files = (GoText.of(os.path.relpath(path, root), read_text(path)) for path in paths)
    return tuple(file for file in files if file.text and file.is_built)
