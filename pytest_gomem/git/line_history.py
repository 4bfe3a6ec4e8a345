"""Finds the last commit of this branch that changed a line of source."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from pytest_gomem.base.commands import output_within
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.git.repository import environment_without_hook, short

_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
_NOT_COMMITTED = "0" * 40


class _Git:
    """Git commands that only read, in one folder, all within one time limit."""

    def __init__(self, folder: Path, seconds: float) -> None:
        executable = shutil.which("git")
        if executable is None:
            raise ObserveError("git is not on PATH")
        self._git, self._folder, self._deadline = executable, folder, time.monotonic() + seconds

    def ask(self, *words: str) -> str | None:
        """What git prints; None where it fails."""
        command = [self._git, "--no-optional-locks", *words]
        try:
            left = self._deadline - time.monotonic()
            status, out, _ = output_within(left, command, self._folder, environment_without_hook())
        except OSError as error:  # TimeoutError is one
            raise ObserveError(f"git gave no answer: {error}") from None
        return out if status == 0 else None


def line_change(file: Path, line: int, seconds: float) -> str:
    """What changed a line since this branch left the default one: "changed by 1a2b3c4 (Grow the buffer) on branch x".

    "" if nothing did, or if that cannot be known: no repository, an untracked file, a shallow clone, no default branch,
    or HEAD is on it. Raises ObserveError if git is missing or takes longer than `seconds`.
    """
    git = _Git(file.parent, seconds)
    if (git.ask("rev-parse", "--is-shallow-repository") or "true").strip() == "true":
        return ""
    base = next((base for name in _BRANCHES if (base := git.ask("merge-base", "HEAD", name))), None)
    blamed = git.ask("blame", "--porcelain", "-L", f"{line},{line}", "--", file.name)
    if base is None or not blamed:
        return ""
    commit = blamed.split(maxsplit=1)[0]
    if commit == _NOT_COMMITTED:
        return "it is changed in the working tree, and not committed"
    if git.ask("merge-base", "--is-ancestor", commit, base.strip()) is not None:
        return ""
    summary = next((row.partition(" ")[2] for row in blamed.splitlines() if row.startswith("summary ")), "")
    branch = (git.ask("rev-parse", "--abbrev-ref", "HEAD") or "").strip()
    where = f" on branch {branch}" if branch not in ("", "HEAD") else " since the default branch"
    return f"it was changed by {short(commit)} ({summary}){where}"
