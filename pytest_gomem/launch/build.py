"""Owns building a service's binary, once per run, and reading what a binary says of its own making."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_gomem.config.services import BuildSpec
from pytest_gomem.errors import BuildError, ToolchainError
from pytest_gomem.launch.toolchain import find_toolchain


@dataclass(frozen=True)
class BinaryInfo:
    """What `go version -m` prints of a binary; empty where it is not a Go binary or no Go command is there to ask."""

    go_version: str = ""
    module: str = ""
    revision: str = ""
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """Build settings that bear on memory and speed, as `-tags=prod` or `CGO_ENABLED=1`."""
        return tuple(f"{key}={value}" for key, value in self.settings if not key.startswith("vcs"))


def build_once(service: str, spec: BuildSpec, base_dir: Path, out_dir: Path) -> Path:
    """Path of the built binary; whoever comes first in this run builds, in whichever process, the others wait.

    Raises BuildError with the compiler's own words (to every process that asks), or ToolchainError without a Go.
    """
    cwd, package = locate(spec.package, base_dir)
    tags = [f"-tags={','.join(spec.tags)}"] if spec.tags else []
    options = [*tags, *spec.flags]
    env = spec.env or {}
    key = json.dumps([package, str(cwd), options, sorted(env.items())])
    binary = out_dir / f"{service}-{hashlib.sha256(key.encode()).hexdigest()[:12]}" / Path(service).name
    failure = binary.with_suffix(".failed")
    command = [find_toolchain().go, "build", "-o", str(binary), *options, package]
    binary.parent.mkdir(parents=True, exist_ok=True)
    with _locked(binary.parent / "lock"):
        if not binary.exists() and not failure.exists():
            _build(command, cwd, env, failure)
        if failure.exists():
            raise BuildError(service, command, str(cwd), failure.read_text())
    return binary


def locate(package: str, base_dir: Path) -> tuple[Path, str]:
    """Where to run `go build` and how to name the package there: from its nearest go.mod, as in a monorepo.

    An import path ("example.com/api/cmd/api") is built from the config's own folder.
    """
    if not package.startswith((".", "/")):
        return base_dir, package
    folder = (base_dir / package).resolve()
    for module in (folder, *folder.parents):
        if (module / "go.mod").is_file():
            return module, f"./{folder.relative_to(module)}"
    return base_dir, package


def _build(command: list[str], cwd: Path, env: Mapping[str, str], failure: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=cwd, env={**os.environ, **env}, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    except OSError as error:
        failure.write_text(str(error))
        return
    if done.returncode:
        failure.write_text(done.stderr + done.stdout)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def binary_info(binary: Path) -> BinaryInfo:
    """Build info embedded in a Go binary (Go 1.18 and later write it)."""
    try:
        go = find_toolchain().go
        answer = subprocess.run([go, "version", "-m", str(binary)], capture_output=True, text=True, timeout=60)
    except (ToolchainError, OSError, subprocess.TimeoutExpired):
        return BinaryInfo()
    if answer.returncode or not answer.stdout:
        return BinaryInfo()
    first, *rest = answer.stdout.splitlines()
    rows = [line.strip().split("\t") for line in rest]
    settings = tuple((k, v) for row in rows if row[0] == "build" for k, _, v in [row[1].partition("=")])
    return BinaryInfo(
        go_version=first.rsplit(": ", 1)[-1],
        module=next((row[1] for row in rows if row[0] == "mod"), ""),
        revision=dict(settings).get("vcs.revision", ""),
        settings=settings,
    )
