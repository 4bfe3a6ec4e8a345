"""Adds the agent to a build by `go build -overlay`: a file in package main, without touching your sources."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pytest_gomem.launch.toolchain import ask_go

# The first of all names: the agent starts before main's other variables are initialized.
AGENT_FILE = "0_pytest_gomem_agent.go"
_SOURCE = "agent.go.txt"
_FIELDS = "Dir,Name,Error"
_SYSTEMS = ("linux", "darwin")


@dataclass(frozen=True)
class Overlay:
    """`flags` to add to `go build`, before the package."""

    flags: tuple[str, ...]


@dataclass(frozen=True)
class NotInjected:
    """The agent cannot be built in, for this reason; the user gets the plain binary."""

    reason: str


OverlayResult = Overlay | NotInjected


def agent_mark() -> str:
    """Eight digits of a hash of the agent's source: another agent changes the figures of small services."""
    return hashlib.sha256(_agent_source().encode()).hexdigest()[:8]


@cache
def _agent_source() -> str:
    return importlib.resources.files("pytest_gomem.observe.agent").joinpath(_SOURCE).read_text("utf-8")


def overlay_for(
    package: str, cwd: Path, out_dir: Path, go: str, env: Mapping[str, str], options: Sequence[str] = ()
) -> OverlayResult:
    """The overlay for `go build OPTIONS PACKAGE` in `cwd`; its files are written to `out_dir`.

    env: the whole environment of the build. options: the build's, such as -tags.
    Raises ToolchainError where the Go command does not answer.
    """
    if package.endswith(".go"):
        return NotInjected(f"{package} is a file: name the package's folder")
    asked = _run([go, "env", "-json", "GOFLAGS", "GOMODCACHE", "GOOS"], cwd, env)
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
    return folder if isinstance(folder, NotInjected) else _write(folder, out_dir)


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
    names = ("tags", "mod", "modfile")
    chosen = []
    for option, value in zip(options, (*options[1:], ""), strict=False):
        name, equals, _ = option.lstrip("-").partition("=")
        if option.startswith("-") and name in names:
            chosen += [option] if equals else [option, value]
    return chosen


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
    if (folder / AGENT_FILE).exists():
        return NotInjected(f"{folder / AGENT_FILE} exists already: the agent needs that name")
    return folder


def _write(folder: Path, out_dir: Path) -> Overlay:
    # No .go at its end: Go files in `out_dir` may be built.
    source = out_dir / _SOURCE
    source.write_text(_agent_source(), "utf-8")
    overlay = out_dir / "overlay.json"
    overlay.write_text(json.dumps({"Replace": {os.fspath(folder / AGENT_FILE): os.fspath(source.absolute())}}))
    return Overlay((f"-overlay={overlay.absolute()}",))
