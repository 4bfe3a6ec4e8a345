"""The program that reads heap dumps: its Go source comes with this package, and the Go at hand builds it once."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_gomem.base.errors import LockedError, ObserveError
from pytest_gomem.base.files import cache_dir
from pytest_gomem.base.locks import locked_file
from pytest_gomem.base.processes import output_within
from pytest_gomem.git.repository import environment_without_hook
from pytest_gomem.launch.toolchain import Toolchain, find_toolchain

SOURCE = Path(__file__).with_name("reader")
_KIND, _NAME = "heapreader", "heapreader"
_SECONDS = 600.0  # a minute on a busy machine that has compiled nothing of the standard library yet
# The reader is built for this machine by the Go that was found, whatever the user's own builds need.
_BUILD = {
    "GOTOOLCHAIN": "local",
    "GOFLAGS": "",
    "GOWORK": "off",
    "GO111MODULE": "on",
    "CGO_ENABLED": "0",
    "GOOS": "",
    "GOARCH": "",
    "GOEXPERIMENT": "",
}
_OF_OTHER_PROGRAMS = ("GOGC", "GOMEMLIMIT", "GODEBUG", "GOMAXPROCS", "GOTRACEBACK")


def reader_environment() -> dict[str, str]:
    """The environment without what tunes the user's own Go programs."""
    return {name: value for name, value in environment_without_hook().items() if name not in _OF_OTHER_PROGRAMS}


def reader_program(otherwise: Path, source: Path = SOURCE) -> Path:
    """The path of the reader, built once for each Go and each source, and kept in the user's cache.

    otherwise: where to put it if that cannot be written. Raises ToolchainError without a Go, ObserveError with Go's
    words if it does not build, or if there is no place for it.
    """
    toolchain = find_toolchain()
    try:
        folder = _our_own(cache_dir(_KIND, otherwise))
        program = folder / f"{toolchain.version}-{_mark(toolchain, source)}" / _NAME
        if not program.exists():
            program.parent.mkdir(exist_ok=True)
            with locked_file(program.parent / ".lock"):
                if not program.exists():
                    _build(toolchain, source, program)
    except LockedError:
        raise
    except OSError as error:
        raise ObserveError(f"there is no place for the reader of heap dumps: {error}") from None
    return program


def _our_own(folder: Path) -> Path:
    """The folder, whose program we run; beside a dump that lies in a folder of all users, another may have made it."""
    if folder.stat().st_uid != os.geteuid():
        raise ObserveError(f"the reader of heap dumps is not built in {folder}: it belongs to another user")
    return folder


def _mark(toolchain: Toolchain, source: Path) -> str:
    digest = hashlib.sha256(f"{toolchain.version} {toolchain.goos} {toolchain.goarch}\n".encode())
    for path in _files(source):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(source).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def _files(source: Path) -> Iterator[Path]:
    for path in sorted(source.rglob("*")):
        if path.name == "go.mod" or (path.suffix == ".go" and not path.stem.endswith("_test")):
            yield path


def _build(toolchain: Toolchain, source: Path, program: Path) -> None:
    """Build it, and move it into place when it is whole."""
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        made = Path(folder) / _NAME
        # Without a folder in its build, any installation of the same source makes the same program.
        command = [toolchain.go, "build", "-trimpath", "-buildvcs=false", "-o", str(made), "."]
        env: Mapping[str, str] = {**environment_without_hook(), **_BUILD, "GOTMPDIR": folder}
        try:
            status, out, err = output_within(_SECONDS, command, source, env)
        except OSError as error:  # TimeoutError is one
            raise ObserveError(f"the reader of heap dumps could not be built: {error}") from None
        if status or not os.access(made, os.X_OK):
            said = (err or out).strip() or f"`go build` ended with status {status}"
            raise ObserveError(f"the reader of heap dumps could not be built by {toolchain.version}: {said}")
        made.replace(program)
