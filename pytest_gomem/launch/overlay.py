"""Adds the agent to a build by `go build -overlay`: files in package main, without touching your sources."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import os
import re
import shlex
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pytest_gomem.launch.toolchain import ask_go

# The first of all names: the agent starts before main's other variables are initialized.
AGENT_FILE = "0_pytest_gomem_agent.go"
AGENT_PREFIX = "main.pytestGomem"  # of all that it declares
_END_FILE = "0_pytest_gomem_end.go"
_SEES_END, _SEES_NO_END = "end.go.txt", "no_end.go.txt"
# By their names in package main; the Go release chooses among them by their build constraints.
_SOURCES = {
    AGENT_FILE: "agent.go.txt",
    "0_pytest_gomem_trace.go": "trace.go.txt",
    "0_pytest_gomem_flight.go": "flight.go.txt",
    "0_pytest_gomem_no_flight.go": "no_flight.go.txt",
    "0_pytest_gomem_manual_gc.go": "manual_gc.go.txt",
}
AGENT_FILES = (*_SOURCES, _END_FILE)
_FIELDS = "Dir,Name,Error"
_SYSTEMS = ("linux", "darwin")
# The runtime's exit hooks, as end.go calls them. Before Go 1.23 they are elsewhere, and two exits at once end badly.
HOOKS = "src/internal/runtime/exithook/hooks.go"
_HOOK = re.compile(
    r"^type Hook struct \{\n\tF +func\(\)[^\n]*\n\tRunOnFailure bool[^\n]*\n\}.*^func Add\(h Hook\) \{",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Overlay:
    """`flags` to add to `go build`, before the package. no_end: why the agent does not see the program's end, or ""."""

    flags: tuple[str, ...]
    no_end: str = ""


@dataclass(frozen=True)
class NotInjected:
    """The agent cannot be built in, for this reason; the user gets the plain binary."""

    reason: str


OverlayResult = Overlay | NotInjected


def agent_mark() -> str:
    """Eight digits of a hash of the agent's source: another agent changes the figures of small services."""
    return hashlib.sha256("".join(map(_text, (*_SOURCES.values(), _SEES_END))).encode()).hexdigest()[:8]


@cache
def _text(source: str) -> str:
    return importlib.resources.files("pytest_gomem.observe.agent").joinpath(source).read_text("utf-8")


def overlay_for(
    package: str,
    cwd: Path,
    out_dir: Path,
    go: str,
    env: Mapping[str, str],
    options: Sequence[str] = (),
    *,
    ends: bool = False,
) -> OverlayResult:
    """The overlay for `go build OPTIONS PACKAGE` in `cwd`; its files are written to `out_dir`.

    env: the whole environment of the build. options: the build's, such as -tags. ends: the program ends by itself, and
    the agent is to see that, if possible.
    Raises ToolchainError where the Go command does not answer.
    """
    if package.endswith(".go"):
        return NotInjected(f"{package} is a file: name the package's folder")
    asked = _run([go, "env", "-json", "GOFLAGS", "GOMODCACHE", "GOOS", "GOROOT"], cwd, env)
    if isinstance(asked, NotInjected):
        return asked
    setup: dict[str, str] = json.loads(asked)
    if setup["GOOS"] not in _SYSTEMS:
        return NotInjected(f"there is no agent for {setup['GOOS']}")
    if any(_is_overlay(option) for option in (*options, *setup["GOFLAGS"].split())):
        return NotInjected("the build has an -overlay of its own")
    # -find skips dependencies; the build reports errors in them.
    listed = _run([go, "list", "-e", "-find", f"-json={_FIELDS}", *deciding(options), package], cwd, env)
    if isinstance(listed, NotInjected):
        return listed
    folder = _folder_of_main(package, _objects(listed), setup["GOMODCACHE"])
    if isinstance(folder, NotInjected):
        return folder
    no_end, flags = end_hook(setup, options) if ends else ("", ())
    return _write(folder, out_dir, flags, no_end)


def _run(command: list[str], cwd: Path, env: Mapping[str, str]) -> str | NotInjected:
    try:
        status, out, err = ask_go(command, cwd, env)
    except OSError as error:
        return NotInjected(f"{command[0]} does not run: {error}")
    if status:
        return NotInjected(f"`{' '.join(command[1:3])}` failed: {(err or out).strip()}")
    return out


def _is_overlay(option: str) -> bool:
    return option.lstrip("-").partition("=")[0] == "overlay"


def deciding(options: Sequence[str]) -> list[str]:
    """The build's options that select packages and files, as `go list` takes them."""
    return [f"-{name}={value}" for name, value in _named(("tags", "mod", "modfile"), options)]


def _named(names: Container[str], options: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The options of these names, with their values."""
    for option, following in zip(options, (*options[1:], ""), strict=False):
        name, equals, value = option.lstrip("-").partition("=")
        if option.startswith("-") and name in names:
            yield name, value if equals else following


def _objects(text: str) -> list[dict[str, Any]]:
    decoder, found = json.JSONDecoder(), []
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


def _folder_of_main(package: str, found: list[dict[str, Any]], module_cache: str) -> Path | NotInjected:
    """The folder of the one package main, as Go spells it."""
    if len(found) != 1:
        return NotInjected(f"{package} matches {len(found)} packages: name one")
    (only,) = found
    if error := only.get("Error"):
        return NotInjected(f"{package} does not build: {error.get('Err', error)}")
    if only["Name"] != "main":
        return NotInjected(f"{package} is package {only['Name']}, not main")
    folder = Path(only["Dir"])
    if module_cache and folder.is_relative_to(module_cache):
        return NotInjected(f"{package} lies in Go's module cache, where Go allows no overlay")
    for name in AGENT_FILES:
        if (folder / name).exists():
            return NotInjected(f"{folder / name} exists already: the agent needs that name")
    return folder


def end_hook(setup: Mapping[str, str], options: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Why the runtime's exit hooks cannot be used, "" if they can, and the flags that this takes."""
    try:
        if not _HOOK.search(Path(setup["GOROOT"], HOOKS).read_text("utf-8")):
            return "the exit hooks of this Go are unknown", ()
    except OSError:
        return "the agent sees the end of a program from Go 1.23 on", ()
    try:
        of_user = [value for _, value in _named(("ldflags",), [*shlex.split(setup["GOFLAGS"]), *options])]
    except ValueError as error:
        return f"GOFLAGS cannot be read: {error}", ()
    # The last -ldflags counts alone, for the packages that it names.
    if any(not value.lstrip().startswith("-") and "=" in value for value in of_user):
        return "-ldflags name packages, and those of the agent would replace them", ()
    return "", (f"-ldflags={' '.join((*of_user[-1:], '-checklinkname=0'))}",)


def _write(folder: Path, out_dir: Path, flags: tuple[str, ...], no_end: str) -> Overlay:
    files = {**_SOURCES, _END_FILE: _SEES_END if flags else _SEES_NO_END}
    replaced = {}
    for name, source in files.items():
        # No .go at its end: Go files in `out_dir` may be built.
        written = out_dir / source
        written.write_text(_text(source), "utf-8")
        replaced[os.fspath(folder / name)] = os.fspath(written.absolute())
    overlay = out_dir / "overlay.json"
    overlay.write_text(json.dumps({"Replace": replaced}))
    return Overlay((f"-overlay={overlay.absolute()}", *flags), no_end)
