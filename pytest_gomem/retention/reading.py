"""Reads a heap dump by the reader program, within limits of time, memory and output."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from pytest_gomem.config.dump_limits import DEFAULT_LIMITS, DumpLimits
from pytest_gomem.launch.go_program import go_program, json_answer
from pytest_gomem.retention.model import Retention, retention_from_json
from pytest_gomem.retention.reader_program import SOURCE, reader_of

_MEMORY = 1 << 30  # bytes that the reader aims at; 1.8 GB of a dump of 5.5 M objects were read in that
MOST_HOLDERS = 12
_PATIENCE, _PER_GIGABYTE = 60.0, 120.0  # seconds; a dump of 1 GB takes some 10 s on a machine of its own


def read_dump(
    dump: Path,
    binary: Path,
    *,
    base: Path | None = None,
    symbols: Path | None = None,
    limits: DumpLimits = DEFAULT_LIMITS,
    most: int = MOST_HOLDERS,
    of: Iterable[str] = (),
    source: Path = SOURCE,
) -> Retention:
    """What a heap dump says about who holds the memory.

    binary: of the process. base: an earlier dump of the same process, so that the answer is of the growth. symbols: the
    same program built with debug information, if `binary` has none. limits: of the objects that are read. most: of the
    holders. of: globs over types whose holders are asked for, too. source: of the reader.
    Raises ToolchainError without a Go that builds the reader, ObserveError with the reader's reason.
    """
    reader = reader_of(source)
    command = [str(go_program(reader, dump.parent)), "-binary", str(binary), "-memory", str(_MEMORY), "-top", str(most)]
    command += ["-max-objects", str(limits.max_objects)]
    command += [] if symbols is None else ["-symbols", str(symbols)]
    command += [f"-of={glob}" for glob in of]
    command += [] if base is None else ["-base", str(base)]
    seconds = _PATIENCE
    with contextlib.suppress(OSError):  # a dump that is not there is told by the reader
        seconds += _PER_GIGABYTE * (dump.stat().st_size / 1e9) * (1 if base is None else 2)
    return json_answer(reader, [*command, str(dump)], seconds, retention_from_json, of="the heap dump")
