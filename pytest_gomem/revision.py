"""Owns what git says of a working tree: its commit, its branch, and whether it differs from the commit."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_PATIENCE = 10.0  # seconds; a repository on a slow disk costs a run no more than this


@dataclass(frozen=True)
class Revision:
    """A commit's full hash, "" outside of a repository; branch "" where HEAD is on none; dirty None where unknown."""

    commit: str = ""
    branch: str = ""
    dirty: bool | None = None


def revision_of(folder: Path) -> Revision:
    """The revision that is checked out around a folder; never raises: without git nothing is known."""
    commit = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return Revision()
    status = _git(folder, "status", "--porcelain", "--untracked-files=no")
    branch = _git(folder, "symbolic-ref", "--short", "--quiet", "HEAD")
    return Revision(commit, branch or "", None if status is None else bool(status))


def _git(folder: Path, *args: str) -> str | None:
    """The answer of a git command, None when it fails."""
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
