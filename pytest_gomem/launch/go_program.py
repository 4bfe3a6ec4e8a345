"""Go programs of ours: their source comes with this package, the Go at hand builds each once, and it runs in limits."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pytest_gomem.base.errors import LockedError, ObserveError
from pytest_gomem.base.files import cache_dir
from pytest_gomem.base.locks import locked_file
from pytest_gomem.base.processes import output_within
from pytest_gomem.git.repository import environment_without_hook
from pytest_gomem.launch.toolchain import Toolchain, find_toolchain

T = TypeVar("T")

# Characters; of a heap dump with 10 000 types it has some 1 MB, of a hostile trace 6 MB.
_MOST_OUTPUT = 32 << 20
_SECONDS = 600.0  # a minute on a busy machine that has compiled nothing of the standard library yet
# It is built for this machine by the Go that was found, whatever the user's own builds need.
_BUILD = {"GOWORK": "off", "GO111MODULE": "on", "CGO_ENABLED": "0", "GOOS": "", "GOARCH": "", "GOEXPERIMENT": ""}
_KEPT_FLAG = "-modcacherw"  # of the user's GOFLAGS: it is about files that stay
_RELEASE = re.compile(r"go1\.\d+(\.\d+|rc\d+|beta\d+)?")
_OF_OTHER_PROGRAMS = ("GOGC", "GOMEMLIMIT", "GODEBUG", "GOMAXPROCS", "GOTRACEBACK")
_failed: dict[Path, str] = {}  # the message for each program that did not build
_CRASH = re.compile(r"^(panic|fatal error|runtime): .*", re.MULTILINE)


@dataclass(frozen=True)
class GoProgram:
    """A program of ours.

    name: of the command, and of its folder in the cache. called: as messages call it, "the reader of heap dumps".
    source: the folder of its module. module: texts of the go.mod and go.sum that it is built with, None for those of
    the source. tags: of its build. hint: a line to follow Go's words where it does not build.
    """

    name: str
    called: str
    source: Path
    module: tuple[str, str] | None = None
    tags: str = ""
    hint: str = ""


def program_environment() -> dict[str, str]:
    """The environment without what tunes the user's own Go programs."""
    return {name: value for name, value in environment_without_hook().items() if name not in _OF_OTHER_PROGRAMS}


def go_program(program: GoProgram, otherwise: Path, toolchain: Toolchain | None = None) -> Path:
    """The path of the program, built once for each Go and each source, and kept in the user's cache.

    otherwise: where to put it if that cannot be written. toolchain: that builds it, if it is not the one that is found.
    Raises ToolchainError without a Go, ObserveError with Go's words if it does not build, or if it has no place.
    """
    toolchain = toolchain or find_toolchain()
    try:
        folder = _our_own(cache_dir(program.name, otherwise), program)
        path = folder / f"{toolchain.version}-{_mark(toolchain, program)}" / program.name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            with locked_file(path.parent / ".lock"):
                if not path.exists():
                    _build_or_say(toolchain, program, path)
    except LockedError:
        raise
    except OSError as error:
        raise ObserveError(f"there is no place for {program.called}: {error}") from None
    return path


def json_answer(
    program: GoProgram, command: Sequence[str], seconds: float, understood: Callable[[Any], T], *, of: str
) -> T:
    """What `understood` makes of the JSON that the built program prints within its time.

    of: what the program reads, "the heap dump". Raises ObserveError with the program's own line, of a crash with its
    first words and without its stacks.
    """
    try:
        status, out, err = output_within(seconds, command, Path("/"), program_environment())
    except OSError as error:  # TimeoutError is one
        raise ObserveError(f"{of} was not read: {error}") from None
    if status:
        raise ObserveError(_why(program, status, err))
    if len(out) > _MOST_OUTPUT:
        raise ObserveError(f"{program.called} answered {len(out)} characters, more than {_MOST_OUTPUT}")
    try:
        return understood(json.loads(out))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise ObserveError(f"{program.called} gave an answer that is not understood ({what})") from None


def _why(program: GoProgram, status: int, err: str) -> str:
    if crash := _CRASH.search(err):
        return f"{program.called} crashed: {crash[0]}"
    if status < 0:
        return f"{program.called} was ended by signal {-status}"
    lines = err.strip().splitlines()
    return lines[0] if lines else f"{program.called} ended with status {status} and said nothing"


def _our_own(folder: Path, program: GoProgram) -> Path:
    """The folder, whose program we run; beside a file that lies in a folder of all users, another may have made it."""
    if folder.stat().st_uid != os.geteuid():
        raise ObserveError(f"{program.called} is not built in {folder}: it belongs to another user")
    return folder


def _mark(toolchain: Toolchain, program: GoProgram) -> str:
    digest = hashlib.sha256(f"{toolchain.version} {toolchain.goos} {toolchain.goarch}\n".encode())
    for path in _files(program.source):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(program.source).as_posix()} {len(content)}\n".encode() + content)
    digest.update(f"{program.module or ''} {program.tags}".encode())
    return digest.hexdigest()[:16]


def _files(source: Path) -> Iterator[Path]:
    for path in sorted(source.rglob("*")):
        if path.name == "go.mod" or (path.suffix == ".go" and not path.stem.endswith("_test")):
            yield path


def _build_or_say(toolchain: Toolchain, program: GoProgram, path: Path) -> None:
    """Build it; what did not build is not tried again by this process: a network that is not there takes its time."""
    if path not in _failed:
        try:
            return _build(toolchain, program, path)
        except ObserveError as error:
            _failed[path] = error.args[0]
    raise ObserveError(_failed[path])


def _build(toolchain: Toolchain, program: GoProgram, path: Path) -> None:
    """Build it, and move it into place when it is whole."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / program.name
        # Without a folder in its build, any installation of the same source makes the same program.
        command = [toolchain.go, "build", "-trimpath", "-buildvcs=false", "-tags", program.tags, "-o", str(made)]
        if program.module is not None:
            for suffix, text in zip((".mod", ".sum"), program.module, strict=True):
                (Path(folder) / f"go{suffix}").write_text(text)
            command.append(f"-modfile={folder}/go.mod")
        try:
            status, out, err = output_within(
                _SECONDS, [*command, "."], program.source, _build_environment(toolchain, Path(folder))
            )
        except OSError as error:  # TimeoutError is one
            raise ObserveError(f"{program.called} could not be built: {error}") from None
        if status or not os.access(made, os.X_OK):
            said = (err or out).strip() or f"`go build` ended with status {status}"
            hint = f"\n  {program.hint}" if program.hint else ""
            raise ObserveError(f"{program.called} could not be built by {toolchain.version}: {said}{hint}")
        made.replace(path)


def _build_environment(toolchain: Toolchain, folder: Path) -> Mapping[str, str]:
    """The user's own, whose proxy and cache of modules hold here too, without what is about the user's builds."""
    env = {**environment_without_hook(), **_BUILD, "GOTMPDIR": str(folder)}
    env["GOFLAGS"] = _KEPT_FLAG if _KEPT_FLAG in os.environ.get("GOFLAGS", "").split() else ""
    # Where the folder of the tests made `go` switch to another release, that one builds: it is the one that was found.
    env["GOTOOLCHAIN"] = toolchain.version if _RELEASE.fullmatch(toolchain.version) else "local"
    return {**env, **toolchain.env}
