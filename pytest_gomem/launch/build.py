"""Builds a service's binary once per run, and reads the build info of binaries."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_gomem.base.errors import BuildError, ToolchainError
from pytest_gomem.base.locks import locked_file
from pytest_gomem.base.processes import WhenSlow, output_within
from pytest_gomem.config.services import BuildSpec
from pytest_gomem.git.repository import environment_without_hook
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.launch.overlay import NotInjected, deciding, overlay_for
from pytest_gomem.launch.toolchain import Toolchain, ask_go, find_toolchain

_SECONDS = 10.0
_MOST = 8
# Messages, of Go and of ours, about a folder without a program.
_NO_PROGRAM = re.compile(
    r"is not a package main|no Go files in|directory not found|build constraints exclude all Go files"
)


def instead(words: str, go: str, options: Sequence[str], cwd: Path, env: Mapping[str, str], base_dir: Path) -> str:
    """The programs of the module in `cwd`, as gomem.yaml in `base_dir` would name them; "" for other failures.

    words: why the build failed. options: those that select files.
    """
    if _NO_PROGRAM.search(words) is None:
        return ""
    listing = [go, "list", "-e", "-find", *options, "-f", '{{if eq .Name "main"}}{{.Dir}}{{end}}', "./..."]
    try:
        _, out, _ = output_within(_SECONDS, listing, cwd, env)
    except OSError:
        return ""
    found = sorted(f"./{os.path.relpath(line, base_dir)}" for line in out.splitlines() if line)
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return f"\n  programs of this module: {', '.join(found[:_MOST])}{more}" if found else ""


_BUILD_SECONDS = 1800.0
_NO_AGENT_ASKED = "gomem.yaml says agent: false"


GO = "go"  # Go's own name among versions; no module has a path like it


@dataclass(frozen=True)
class BinaryInfo:
    """What `go version -m` prints about a binary; empty if it is not a Go binary, or there is no Go.

    modules: path and version of the modules in it; a replaced one as "v1.0.0 => ./fork (devel)".
    """

    go_version: str = ""
    module: GoModule = field(default_factory=GoModule)
    revision: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    modules: tuple[tuple[str, str], ...] = ()

    @property
    def flags(self) -> tuple[str, ...]:
        """Build settings that affect memory and speed, such as `-tags=prod` or `CGO_ENABLED=1`."""
        return tuple(f"{key}={value}" for key, value in self.settings if not key.startswith("vcs"))

    @property
    def versions(self) -> Mapping[str, str]:
        """What the program's own code is built with: the version of Go (as "go"), and of each other module by path."""
        others = {path: version for path, version in self.modules if path != self.module.path}
        return {GO: self.go_version, **others} if self.go_version else others


def build_once(
    service: str,
    spec: BuildSpec,
    base_dir: Path,
    out_dir: Path,
    *,
    agent: bool = False,
    ends: bool = False,
    toolchain: Toolchain | None = None,
    when_slow: WhenSlow | None = None,
) -> Path:
    """The path of the binary, built once for all processes of this run: the first one builds, the others wait.

    agent: build the agent in, if possible; `why_no_agent` says whether it was. ends: the program ends by itself, and
    the agent is to see that; `why_no_end` says whether it does. toolchain: None = the usual. when_slow: called if it
    takes more than 3 s.
    Raises BuildError with the compiler's output (to every process that asks), or ToolchainError without a Go.
    """
    cwd, package = locate(spec.package, base_dir)
    tags = [f"-tags={','.join(spec.tags)}"] if spec.tags else []
    options = [*tags, *spec.flags]
    toolchain = toolchain or find_toolchain()
    go, env = toolchain.go, {**(spec.env or {}), **toolchain.env}
    key = json.dumps([package, str(cwd), options, sorted(env.items()), agent, ends, go])
    binary = out_dir / f"{service}-{hashlib.sha256(key.encode()).hexdigest()[:12]}" / Path(service).name
    failure = binary.parent / ".failed"  # no service's name begins with a dot
    binary.parent.mkdir(parents=True, exist_ok=True)
    with locked_file(binary.parent / ".lock"):
        if not binary.exists() and not failure.exists():
            making = _Making(go, options, package, cwd, env, binary, when_slow, ends)
            if (words := _make(making, agent=agent)) is not None:
                elsewhere = instead(words, go, deciding(options), cwd, {**environment_without_hook(), **env}, base_dir)
                failure.write_text(words.rstrip() + elsewhere, encoding="utf-8")
        if failure.exists():
            command = [go, "build", *options, "-o", str(binary), package]
            raise BuildError(service, command, str(cwd), failure.read_text(encoding="utf-8"))
    return binary


def why_no_agent(binary: Path) -> str:
    """Why a binary of `build_once` holds no agent; "" when it does."""
    return _reason(binary, _NO_AGENT)


def why_no_end(binary: Path) -> str:
    """Why the agent in a binary of `build_once` does not see the program's end; "" when it does, or was not to."""
    return _reason(binary, _NO_END)


_NO_AGENT, _NO_END = ".no-agent", ".no-end"  # files beside the binary, with the reason


def _reason(binary: Path, name: str) -> str:
    file = binary.with_name(name)
    return file.read_text(encoding="utf-8") if file.exists() else ""


@dataclass(frozen=True)
class _Making:
    """The arguments of a build: the Go command, its options, the package as named in `cwd`, and the output.

    ends: the agent is to see the program's end.
    """

    go: str
    options: list[str]
    package: str
    cwd: Path
    env: Mapping[str, str]
    binary: Path
    when_slow: WhenSlow | None
    ends: bool


def _make(making: _Making, *, agent: bool) -> str | None:
    """Build the binary, with the agent if possible; None when it is built, else why it is not."""
    try:
        no_agent = _build_agent(making) if agent else _NO_AGENT_ASKED
        if no_agent is None:
            return None
        making.binary.with_name(_NO_AGENT).write_text(no_agent, encoding="utf-8")
        return _build(making)
    except (ToolchainError, TimeoutError) as error:
        return str(error)


def _build_agent(making: _Making) -> str | None:
    """Build with the agent; None when it is built, else why it is not."""
    env = {**environment_without_hook(), **making.env}
    where = making.package, making.cwd, making.binary.parent
    overlay = overlay_for(*where, making.go, env, making.options, ends=making.ends)
    if isinstance(overlay, NotInjected):
        return overlay.reason
    words = _build(making, overlay.flags)
    if overlay.no_end:
        making.binary.with_name(_NO_END).write_text(overlay.no_end, encoding="utf-8")
    return None if words is None else f"the build with it failed: {words.strip()}"


def locate(package: str, base_dir: Path) -> tuple[Path, str]:
    """The folder to run `go build` in, the nearest with a go.mod, and the package's name there.

    An import path ("example.com/api/cmd/api") is built from the config's own folder.
    """
    if not package.startswith((".", "/")):
        return base_dir, package
    folder = (base_dir / package).resolve()
    for module in (folder, *folder.parents):
        if (module / "go.mod").is_file():
            return module, f"./{folder.relative_to(module)}"
    return base_dir, package


def _build(making: _Making, flags: Sequence[str] = ()) -> str | None:
    """Build the binary, and move it into place when it is whole.

    None when it is built, else why it is not. Raises TimeoutError.
    """
    with tempfile.TemporaryDirectory(dir=making.binary.parent) as folder:
        made = Path(folder) / making.binary.name
        command = [making.go, "build", *making.options, *flags, "-o", str(made), making.package]
        env = {"GOTMPDIR": folder, **environment_without_hook(), **making.env}  # where a killed build leaves its files
        try:
            status, out, err = output_within(_BUILD_SECONDS, command, making.cwd, env, when_slow=making.when_slow)
        except TimeoutError:
            raise
        except OSError as error:
            return str(error)
        if status:
            return err + out or f"it ended with status {status} and said nothing"
        if not os.access(made, os.X_OK):
            return f"{making.package} is not a package main: there is no program to run"
        made.replace(making.binary)
    return None


def binary_info(binary: Path) -> BinaryInfo:
    """Build info embedded in a Go binary (Go 1.18 and later write it)."""
    try:
        go = find_toolchain().go
        status, out, _ = ask_go([go, "version", "-m", str(binary)], Path.cwd(), environment_without_hook())
    except (ToolchainError, OSError):
        return BinaryInfo()
    if status or not out:
        return BinaryInfo()
    first, *rest = out.splitlines()
    rows = [line.strip().split("\t") for line in rest]
    settings = tuple((k, v) for row in rows if row[0] == "build" for k, _, v in [row[1].partition("=")])
    path, main = (next((row[1] for row in rows if row[0] == kind), "") for kind in ("mod", "path"))
    modules = tuple(_modules(rows))
    return BinaryInfo(
        go_version=first.rsplit(": ", 1)[-1],
        module=GoModule(path, main, tuple(other for other, _ in modules if other != path)),
        revision=dict(settings).get("vcs.revision", ""),
        settings=settings,
        modules=modules,
    )


def _modules(rows: Iterable[list[str]]) -> Iterator[tuple[str, str]]:
    path = ""
    found: dict[str, str] = {}
    for row in rows:
        if row[0] in ("mod", "dep") and len(row) > 2:
            path = row[1]
            found[path] = row[2]
        elif row[0] == "=>" and len(row) > 1:
            found[path] = f"{found[path]} => {' '.join(row[1:3])}"
    yield from found.items()
