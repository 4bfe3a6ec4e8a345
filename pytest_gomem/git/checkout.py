"""Checks a commit out into the cache, as a working tree that the user's repository does not list.

A linked working tree needs a folder of its own for HEAD and index, and in it the way to the repository's common folder
(gitrepository-layout: `commondir`). `git worktree add` puts that folder into the repository; here it stands in the
cache. So nothing is written to the user's repository, nothing is left there after kill -9, and shallow or partial
clones, filters and settings work as in the user's own tree.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_gomem.base.errors import GomemError
from pytest_gomem.base.files import cache_dir
from pytest_gomem.base.locks import locked_file, locked_if_free
from pytest_gomem.git.repository import GitError, Repository, git, short

KIND = "commits"
KEPT_FOR = 14 * 86400.0  # seconds after its last use
_LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"


@dataclass(frozen=True)
class Checkout:
    """The files of one commit, at `tree`. notes: what is missing, and why."""

    tree: Path
    commit: str
    notes: tuple[str, ...]


@contextlib.contextmanager
def checked_out(repository: Repository, commit: str, otherwise: Path) -> Iterator[Checkout]:
    """Check the commit out, once for all processes; the files stay there inside of the block.

    otherwise: where to put them when the user's cache cannot be written. Raises GitError.
    """
    folder = _folder(repository, commit, otherwise)
    lock = folder.with_suffix(".lock")
    with locked_file(lock, shared=True):
        found = _marked(folder, commit)
        if found is not None and _is_unchanged(folder):
            yield found
            return
    with locked_file(lock):
        if _marked(folder, commit) is None or not _is_unchanged(folder):
            _make(folder, repository, commit)
            _remove_old(folder.parents[1])
    with locked_file(lock, shared=True):
        # Made just now: to make it again would give the same.
        found = _marked(folder, commit)
        if found is None:
            raise GitError(f"the files of {short(commit)} did not stay in {folder}: something else removes them")
        yield found


def _folder(repository: Repository, commit: str, otherwise: Path) -> Path:
    key = hashlib.sha256(os.fsencode(repository.common_dir)).hexdigest()[:8]
    parent = cache_dir(KIND, otherwise) / f"{repository.top.name}-{key}"
    parent.mkdir(exist_ok=True)
    return parent / short(commit)


def _marked(folder: Path, commit: str) -> Checkout | None:
    """The checkout, if it is complete."""
    mark = folder / "whole.json"
    try:
        said = json.loads(mark.read_text("utf-8"))
        if said["commit"] != commit:
            return None
        os.utime(mark)
        return Checkout(folder / "tree", commit, tuple(said["notes"]))
    except (KeyError, OSError, TypeError, ValueError):
        return None


def _is_unchanged(folder: Path) -> bool:
    """Whether `git status` of a complete checkout is what it was when it was made.

    That can differ from empty: a file with CRLF, committed before a .gitattributes that normalises it, is modified in
    every fresh working tree.
    """
    try:
        said = json.loads((folder / "whole.json").read_text("utf-8"))
        return bool(_status(folder / "tree") == said.get("status", ""))
    except (OSError, ValueError, GomemError):
        return False


def _status(tree: Path) -> str:
    return git(tree, "status", "--porcelain")


def _make(folder: Path, repository: Repository, commit: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    tree, admin = folder / "tree", folder / "git"
    tree.mkdir(parents=True)
    admin.mkdir()
    for name, text in (("HEAD", commit), ("commondir", repository.common_dir), ("gitdir", tree / ".git")):
        (admin / name).write_text(f"{text}\n")
    (tree / ".git").write_text(f"gitdir: {admin}\n")
    try:
        git(tree, "read-tree", "-u", "--reset", "HEAD")
        made = {"commit": commit, "notes": [*_submodules(tree), *_lfs_pointers(tree)], "status": _status(tree)}
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    # Last: a checkout without a mark is incomplete, and is made anew.
    (folder / "whole.json").write_text(json.dumps(made), "utf-8")


def _submodules(tree: Path) -> Iterator[str]:
    entries = git(tree, "ls-files", "--stage", "-z").split("\0")
    paths = [entry.partition("\t")[2] for entry in entries if entry.startswith("160000 ")]
    if paths:
        yield f"submodules are not checked out for a comparison: {', '.join(paths)}"


def _lfs_pointers(tree: Path) -> Iterator[str]:
    """Files that Git LFS should have filled in, and did not."""
    try:
        paths = git(tree, "ls-files", "-z", "--", ":(attr:filter=lfs)").split("\0")
    except GitError:  # git before 2.13 knows no attributes in a pathspec
        return
    pointers = [path for path in paths if path and _begins_with(tree / path, _LFS_POINTER)]
    if pointers:
        yield f"Git LFS left {len(pointers)} files as pointers, {pointers[0]} among them"


def _begins_with(path: Path, start: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(start)) == start
    except OSError:
        return False


def _remove_old(cache: Path) -> None:
    """Remove checkouts of any repository that were not used for long and are not in use."""
    for folder in {path.with_suffix("") for path in cache.glob("*/*")}:
        lock = folder.with_suffix(".lock")
        with contextlib.suppress(OSError):
            # One without a mark is incomplete (kill -9), and may never be asked for again.
            used = next((path for path in (folder / "whole.json", folder) if path.exists()), lock)
            if time.time() - used.stat().st_mtime < KEPT_FOR:
                continue
            with locked_if_free(lock) as is_free:
                if is_free:
                    shutil.rmtree(folder, ignore_errors=True)
                    lock.unlink()
