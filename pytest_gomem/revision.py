"""Owns what git says of a working tree: its commit, its branch, and whether it differs from the commit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_gomem.launch.git import GitError, git


@dataclass(frozen=True)
class Revision:
    """A commit's full hash, "" outside of a repository; branch "" where HEAD is on none; dirty None where unknown."""

    commit: str = ""
    branch: str = ""
    dirty: bool | None = None

    def short(self, digits: int) -> str:
        """The beginning of the hash, with a "+" where the tree has changes that are not committed."""
        return f"{self.commit[:digits]}{'+' if self.dirty else ''}"


def revision_of(folder: Path) -> Revision:
    """The revision that is checked out around a folder; never raises: without git nothing is known.

    Files that git does not know, such as what a run writes, make no tree dirty.
    """
    try:
        commit = git(folder, "rev-parse", "--verify", "HEAD").strip()
        dirty = bool(git(folder, "status", "--porcelain", "--untracked-files=no").strip())
    except GitError:
        return Revision()
    try:
        branch = git(folder, "symbolic-ref", "--short", "HEAD").strip()
    except GitError:
        branch = ""
    return Revision(commit, branch, dirty)
