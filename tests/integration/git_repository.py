"""A git repository with a tiny Go program in it, for comparisons between commits."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

GO_MOD = "module example.com/app\n\ngo 1.21\n"
MAIN = 'package main\n\nfunc main() {{ println("{}") }}\n'


@dataclass(frozen=True)
class GitRepository:
    """A repository in a folder; `git` runs in it."""

    folder: Path

    @classmethod
    def made(cls, folder: Path) -> GitRepository:
        folder.mkdir(parents=True, exist_ok=True)
        repository = cls(folder)
        repository.git("init", "--quiet", "--initial-branch=main")
        return repository

    def git(self, *words: str) -> str:
        # A status that refreshes the index would be a change.
        me = {"GIT_OPTIONAL_LOCKS": "0"} | {
            f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        done = subprocess.run(
            ["git", *words], cwd=self.folder, env={**os.environ, **me}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Write files ("cmd/api/main.go" -> text), commit all, and give the hash."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "a change")
        return self.git("rev-parse", "HEAD")

    def state(self) -> tuple[str, ...]:
        """All that a comparison must not change."""
        asked = (("worktree", "list"), ("status", "--porcelain"), ("for-each-ref",), ("rev-parse", "HEAD"))
        index = (self.folder / ".git" / "index").read_bytes()
        files = sorted(str(path) for path in (self.folder / ".git").rglob("*"))
        return (*(self.git(*words) for words in asked), repr(index), *files)
