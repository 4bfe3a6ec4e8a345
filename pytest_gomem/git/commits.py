"""The commits between two others, with their parents, subjects, authors and dates."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pytest_gomem.git.repository import GitError, Repository, git, short

_FORMAT = "%x00".join(("%H", "%P", "%s", "%an", "%aI"))
MOST = 20_000  # commits of a range: each knows which others it stands on


@dataclass(frozen=True)
class Commit:
    """A commit; date: of its author, as ISO 8601 writes it."""

    hash: str
    parents: tuple[str, ...]
    subject: str
    author: str
    date: str

    @property
    def text(self) -> str:
        """Its short hash and its subject."""
        return f"{short(self.hash)} {self.subject}"


def commits_between(repository: Repository, good: str, bad: str, *, first_parent: bool = False) -> tuple[Commit, ...]:
    """The commits that are in `bad` and not in `good` (full hashes), oldest first; raises GitError.

    first_parent: those of merged branches are left out, and a commit has its first parent alone.
    """
    _check_ancestor(repository, good, bad)
    words = ["log", "-z", "--topo-order", "--reverse", f"--format={_FORMAT}", f"--max-count={MOST + 1}"]
    words += ["--first-parent"] if first_parent else []
    fields = git(repository.top, *words, bad, f"^{good}").rstrip("\0").split("\0")
    found = tuple(_commit(*fields[at : at + 5]) for at in range(0, len(fields) - 4, 5))
    if len(found) > MOST:
        hint = "name a GOOD that is nearer to BAD, or say --first-parent"
        raise GitError(f"there are more than {MOST} commits from {short(good)} to {short(bad)}", hint=hint)
    return tuple(replace(one, parents=one.parents[:1]) for one in found) if first_parent else found


def _commit(hash_: str, parents: str, subject: str, author: str, date: str) -> Commit:
    return Commit(hash_, tuple(parents.split()), subject, author, date)


def _check_ancestor(repository: Repository, good: str, bad: str) -> None:
    if good == bad:
        raise GitError(f"both ends are the commit {short(good)}: there is nothing between them")
    try:
        common = git(repository.top, "merge-base", good, bad).strip()
    except GitError:
        common = ""
    if common == good:
        return
    if common == bad:
        hint = "swap them, or name an older commit as GOOD"
        raise GitError(f"{short(bad)} comes before {short(good)}: GOOD must be the older one", hint=hint)
    hint = f"their last common commit is {short(common)}: name it as GOOD" if common else _without_common(repository)
    raise GitError(f"{short(good)} is no ancestor of {short(bad)}", hint=hint)


def _without_common(repository: Repository) -> str:
    is_shallow = git(repository.top, "rev-parse", "--is-shallow-repository").strip() == "true"
    return "the clone is shallow: git fetch --unshallow brings the rest" if is_shallow else "they share no commit"
