"""Where the go.mod of a build lies in its repository: the files of culprits are relative to that folder."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from pytest_gomem.config.services import BuildSpec
from pytest_gomem.launch.build import locate

_MODULE = re.compile(r'^module\s+"?([^\s"]+)', re.MULTILINE)


@lru_cache
def top_of_repository(folder: Path) -> Path | None:
    """The nearest folder around it that holds a `.git`: a folder, or a file in a linked or checked-out tree."""
    return next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), None)


def module_in_repository(spec: BuildSpec | None, base_dir: Path, module: str) -> str | None:
    """The folder of the go.mod relative to the top of the repository, "" if it is the top; None if that is unknown.

    spec: None for what is not built here. module: the path of the binary's module, which the go.mod must name: an
    import path may be of a module that lies elsewhere.
    """
    if spec is None or not module:
        return None
    start = locate(spec.package, base_dir)[0].resolve()
    folder = next((parent for parent in (start, *start.parents) if (parent / "go.mod").is_file()), None)
    top = top_of_repository(folder) if folder else None
    if folder is None or top is None or _named(folder / "go.mod") != module:
        return None
    inside = folder.relative_to(top).as_posix()
    return "" if inside == "." else inside


def _named(go_mod: Path) -> str:
    try:
        found = _MODULE.search(go_mod.read_text("utf-8", errors="replace"))
    except OSError:
        return ""
    return found[1] if found else ""
