"""Asks `go list` which of the programs found in the source are built on this system."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pytest_gomem.base.errors import ToolchainError
from pytest_gomem.base.processes import output_within
from pytest_gomem.launch.toolchain import find_toolchain
from pytest_gomem.scaffold.programs import Program
from pytest_gomem.scaffold.repository import Module, Repository

_SECONDS = 20.0
_FORMAT = '{{if eq .Name "main"}}{{.Dir}}{{end}}'


def only_built(repository: Repository, programs: Iterable[Program]) -> tuple[Program, ...]:
    """The programs without those that Go leaves out here; all of a module that Go does not list, or not in time."""
    every = tuple(programs)
    listed = {module: _listed(repository, module) for module in {program.module for program in every}}
    return tuple(
        program
        for program in every
        if (known := listed[program.module]) is None or (repository.root / program.folder).resolve() in known
    )


def _listed(repository: Repository, module: Module) -> set[Path] | None:
    # To look at the source needs no network, no other Go, and no change of go.mod.
    env = {**os.environ, "GOTOOLCHAIN": "local", "GOPROXY": "off", "GOWORK": "off"}
    try:
        command = [find_toolchain().go, "list", "-e", "-find", "-f", _FORMAT, "./..."]
        status, out, _ = output_within(_SECONDS, command, module.folder, env)
    except (ToolchainError, OSError):
        return None
    found = {Path(line).resolve() for line in out.splitlines() if line}
    return found if status == 0 and found else None
