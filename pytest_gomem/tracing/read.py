"""Reads an execution trace by the reader program, within limits of time, memory and output."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.launch.go_program import go_program, json_answer
from pytest_gomem.launch.overlay import AGENT_PREFIX
from pytest_gomem.launch.toolchain import Toolchain, find_toolchain
from pytest_gomem.tracing.model import TraceReport, report_from_json
from pytest_gomem.tracing.reader_program import CALLED, SOURCE, VERSIONS, ExpVersion, reader_of, version_for

MOST = 20  # assists, lines and goroutines that are named
_MEMORY = 1 << 30  # bytes; a trace of Go 1.22 or later takes some 10 MB and its busiest second
_PATIENCE, _PER_GIGABYTE = 60.0, 600.0  # seconds; a trace of 1 GB takes some 50 s on a machine of its own
_OURS = (AGENT_PREFIX, AGENT_PREFIX.replace(".", ".(*"))  # its functions and its methods
_HEADER = re.compile(rb"go 1\.(\d+) trace\0")
_HEADER_BYTES = 16


def read_trace(
    path: Path,
    *,
    module: str = "",
    most: int = MOST,
    toolchain: Toolchain | None = None,
    source: Path = SOURCE,
) -> TraceReport:
    """What an execution trace says of the collector and the scheduler; what our agent did is left out.

    module: path of the user's Go module, whose lines are named rather than those of other modules; "" if not known.
    most: of the assists, lines and goroutines. toolchain: that builds the reader, if it is not the one that is found.
    source: of the reader. A trace that is cut off is read until there, and `problems` say so.
    Raises ToolchainError without a Go that builds the reader, ObserveError with the reason where nothing can be read.
    """
    toolchain = toolchain or find_toolchain()
    version = version_for(toolchain.version)
    _check(path, toolchain, version)
    reader = reader_of(version, source)
    command = [str(go_program(reader, path.parent, toolchain)), "-top", str(most), "-memory", str(_MEMORY)]
    command += [f"-agent={prefix}" for prefix in _OURS] + (["-module", module] if module else [])
    seconds = _PATIENCE + _PER_GIGABYTE * path.stat().st_size / 1e9
    return json_answer(reader, [*command, str(path.absolute())], seconds, report_from_json, of="the trace")


def _check(path: Path, toolchain: Toolchain, version: ExpVersion) -> None:
    """That the file is a trace, of a format that the reader knows."""
    try:
        if path.exists() and not path.is_file():  # to open a pipe may take for ever
            raise ObserveError(f"the trace cannot be read: {path} is no regular file")
        with path.open("rb") as file:
            header = _HEADER.match(file.read(_HEADER_BYTES))
    except OSError as error:
        raise ObserveError(f"the trace cannot be read: {path}: {error.strerror or error}") from None
    if header is None:
        raise ObserveError(f"{path} is no execution trace: it does not begin with 'go 1.N trace'")
    made = int(header[1])
    if made > version.reads:
        newer = next((one for one in reversed(VERSIONS) if one.reads >= made), None)
        what = "update pytest-gomem" if newer is None else f"put Go 1.{newer.builds} or later on PATH"
        raise ObserveError(
            f"the trace has the format of Go 1.{made}, and {CALLED} that {toolchain.version} builds knows those up to "
            f"Go 1.{version.reads}: {what}"
        )
