"""Reads a heap dump by the reader program, within limits of time, memory and output."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.processes import output_within
from pytest_gomem.config.dump_limits import DEFAULT_LIMITS, DumpLimits
from pytest_gomem.retention.model import Retention, retention_from_json
from pytest_gomem.retention.reader_program import SOURCE, reader_environment, reader_program

_MEMORY = 1 << 30  # bytes that the reader aims at; 1.8 GB of a dump of 5.5 M objects were read in that
MOST_HOLDERS = 12
_PATIENCE, _PER_GIGABYTE = 60.0, 120.0  # seconds; a dump of 1 GB takes some 10 s on a machine of its own
_MOST_OUTPUT = 32 << 20  # bytes; an answer with 10 000 types has some 1 MB
_CRASH = re.compile(r"^(panic|fatal error|runtime): .*", re.MULTILINE)


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
    program = reader_program(dump.parent, source)
    command = [str(program), "-binary", str(binary), "-memory", str(_MEMORY), "-top", str(most)]
    command += ["-max-objects", str(limits.max_objects)]
    command += [] if symbols is None else ["-symbols", str(symbols)]
    command += [f"-of={glob}" for glob in of]
    command += [] if base is None else ["-base", str(base)]
    try:
        seconds = _PATIENCE + _PER_GIGABYTE * (dump.stat().st_size / 1e9) * (1 if base is None else 2)
        status, out, err = output_within(seconds, [*command, str(dump)], Path("/"), reader_environment())
    except OSError as error:  # TimeoutError is one
        raise ObserveError(f"the heap dump was not read: {error}") from None
    if status:
        raise ObserveError(_why(status, err))
    return _answer(out)


def _why(status: int, err: str) -> str:
    """The reader's own line; of a crash its first words, not its stacks."""
    if crash := _CRASH.search(err):
        return f"the reader of heap dumps failed: {crash[0]}"
    if status < 0:
        return f"the reader of heap dumps was ended by signal {-status}"
    lines = err.strip().splitlines()
    return lines[0] if lines else f"the reader of heap dumps ended with status {status} and said nothing"


def _answer(out: str) -> Retention:
    if len(out) > _MOST_OUTPUT:
        raise ObserveError(f"the reader of heap dumps answered {len(out)} characters, more than {_MOST_OUTPUT}")
    try:
        return retention_from_json(json.loads(out))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise ObserveError(f"the reader of heap dumps gave an answer that is not understood ({what})") from None
