"""Tells whether the code under test, and the test, are those of an earlier run."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pytest_gomem.git.repository import GitError, Repository, git

_SOURCES = frozenset({".go", ".mod", ".sum", ".py", ".yaml", ".yml", ".toml", ".ini", ".cfg"})
_PART = 1 << 20  # bytes read at a time


def source_of(folder: Path, program: str) -> str:
    """A hash over the commit, each source around the folder that differs from it, and a prebuilt program."""
    digest = hashlib.sha256()
    for path in [*_changed(folder, digest), *([Path(program)] if program else [])]:
        digest.update(str(path).encode(errors="surrogateescape"))
        try:
            with path.open("rb") as file:
                while part := file.read(_PART):
                    digest.update(part)
        except OSError:  # it was removed, which its name says
            continue
    return digest.hexdigest()


def _changed(folder: Path, digest: hashlib._Hash) -> list[Path]:
    try:
        repository = Repository.around(folder)
        digest.update(repository.commit("HEAD").encode())
        listed = git(repository.top, "diff", "--name-only", "-z", "HEAD")
        listed += git(repository.top, "ls-files", "-z", "--others", "--exclude-standard")
    except GitError:  # without git or a commit: what is usually edited
        return sorted(path for path in folder.glob("*") if path.suffix in _SOURCES)
    return [repository.top / name for name in sorted(set(listed.split("\0"))) if Path(name).suffix in _SOURCES]
