"""Asks git about the user's repository, its working tree and its lines; nothing here writes to them."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from pytest_gomem.base.errors import ConfigError, ObserveError
from pytest_gomem.base.processes import output_within

_GIT_SECONDS = 600.0  # a checkout of a large repository takes some
_FACT_SECONDS = 60.0  # each run asks for its revision at its end, and none is worth a longer wait
SHOWN = 12  # hexadecimal digits of a commit in a text
# Inside of a hook git sets these for the repository of the hook (git rev-parse --local-env-vars lists them). Not among
# them is GIT_CONFIG_COUNT, which only users set: containers say by it that a mounted repository is a safe.directory.
_OF_A_HOOK = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)


class GitError(ConfigError):
    """git is missing, failed, or knows no such commit."""


def environment_without_hook() -> dict[str, str]:
    """This process's environment without what a git hook (pre-push, say) sets for its own repository."""
    return {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}


def git(folder: Path, *words: str, seconds: float = _GIT_SECONDS) -> str:
    """What a git command prints; raises GitError with git's message, also if it takes longer."""
    status, out, err = _ran(folder, words, seconds)
    if status:
        said = (err or out).strip() or f"it ended with status {status}"
        raise GitError(f"`git {' '.join(words[:2])}` in {folder} failed: {said}")
    return out


def _ran(folder: Path, words: tuple[str, ...], seconds: float = _GIT_SECONDS) -> tuple[int, str, str]:
    executable = shutil.which("git")
    if executable is None:
        raise GitError("git is not on PATH: a comparison with another commit needs it")
    # `git status` must not write the user's index, and their hooks must not run.
    command = [executable, "--no-optional-locks", "-c", f"core.hooksPath={os.devnull}", *words]
    # We show its messages and look for words in them: they must be English.
    environment = {**environment_without_hook(), "LC_ALL": "C"}
    try:
        return output_within(seconds, command, folder, environment, errors="surrogateescape")
    except OSError as error:  # TimeoutError is one
        raise GitError(f"`git {' '.join(words[:2])}` in {folder} failed: {error}") from None


@dataclass(frozen=True)
class Repository:
    """A git repository with a working tree: its top folder, and where its objects and references are."""

    top: Path
    common_dir: Path

    @classmethod
    def around(cls, folder: Path) -> Repository:
        """The repository around a folder, or around its nearest parent that exists; raises GitError."""
        there = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
        try:
            top, common = git(there, "rev-parse", "--show-toplevel", "--git-common-dir").splitlines()
        except GitError as error:
            if "not a git repository" not in error.message:
                raise
            raise GitError(f"{folder} is not in a git repository: there is no commit to compare with") from None
        return cls(Path(top), (there / common).resolve())

    def commit(self, ref: str) -> str:
        """The hash of the commit that a branch, tag or expression names; raises GitError with what to do."""
        if ref.startswith("-") or not ref.strip():
            raise GitError(f"'{ref}' is not the name of a commit")
        status, out, _ = _ran(self.top, ("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}"))
        if status:
            raise GitError(f"git knows no commit '{ref}' in {self.top}", hint=self._advice(ref))
        return out.strip()

    def _advice(self, ref: str) -> str:
        if git(self.top, "rev-parse", "--is-shallow-repository").strip() == "true":
            more = "git fetch --deepen=100  (or --unshallow) brings more"
            return f"the clone is shallow: {more}; for actions/checkout say  fetch-depth: 0"
        remote, slash, branch = ref.partition("/")
        if slash and remote in git(self.top, "remote").split():
            return f"git fetch {remote} {branch}"
        return "git branch --all  and  git tag  list the names; git fetch brings those of the remote"

    def changes(self) -> int:
        """How many files of the working tree differ from HEAD, with untracked ones."""
        return len(git(self.top, "status", "--porcelain").splitlines())

    def working_tree(self) -> str:
        """The working tree in words: "working tree at 1a2b3c4d5e6f with 2 changes"."""
        changes = self.changes()
        more = "" if not changes else f" with {changes} change{'s' * (changes > 1)}"
        return f"working tree at {short(self.commit('HEAD'))}{more}"


def short(commit: str) -> str:
    """The beginning of a commit's hash, as texts show it."""
    return commit[:SHOWN]


@dataclass(frozen=True)
class Revision:
    """A commit's full hash, "" outside of a repository; branch "" where HEAD is on none; dirty None where unknown."""

    commit: str = ""
    branch: str = ""
    dirty: bool | None = None

    def short(self, digits: int) -> str:
        """The beginning of the hash, with a "+" where the tree has changes that are not committed."""
        return f"{self.commit[:digits]}{'+' if self.dirty else ''}"

    def __str__(self) -> str:
        """The whole hash, with "-dirty" where the tree has such changes."""
        return f"{self.commit}{'-dirty' if self.dirty else ''}"


def revision_of(folder: Path) -> Revision:
    """The revision that is checked out around a folder; empty without git, never raises.

    Untracked files, such as those that a run writes, don't count as changes, nor does what git cannot tell in time.
    """

    def fact(*words: str) -> str:
        try:
            return git(folder, *words, seconds=_FACT_SECONDS).strip()
        except GitError:
            return ""

    commit = fact("rev-parse", "--verify", "HEAD")
    if not commit:
        return Revision()
    dirty = bool(fact("status", "--porcelain", "--untracked-files=no"))
    return Revision(commit, fact("symbolic-ref", "--short", "HEAD"), dirty)


def place_in_repository(folder: Path) -> str:
    """A folder relative to the top of its repository; "" for the top and without git, never raises."""
    try:
        return git(folder, "rev-parse", "--show-prefix", seconds=_FACT_SECONDS).removesuffix("\n").removesuffix("/")
    except GitError:
        return ""


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
