"""Finds the lines of calls that the runtime names by where they return to, which is often the next line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from pytest_gomem.base.errors import GomemError
from pytest_gomem.base.processes import output_within
from pytest_gomem.launch.go_program import program_environment
from pytest_gomem.retention.reader_program import SOURCE, reader_program

_SECONDS = 30.0


def lines_of_calls(binary: Path, calls: Sequence[str], source: Path = SOURCE) -> list[tuple[str, int] | None]:
    """File and line of each call, such as "main.open+0x165"; None for what the program does not know.

    source: of the reader, which looks them up.
    """
    nothing: list[tuple[str, int] | None] = [None] * len(calls)
    if not calls:
        return nothing
    try:
        asked = [option for call in calls for option in ("-call", call)]
        command = [str(reader_program(binary.parent, source)), "-binary", str(binary), *asked]
        status, out, _ = output_within(_SECONDS, command, Path("/"), program_environment())
        found = [(one["file"], int(one["line"])) if one else None for one in json.loads(out)] if not status else nothing
    except (GomemError, OSError, KeyError, TypeError, ValueError):  # the line that the runtime names is near
        return nothing
    return found if len(found) == len(calls) else nothing
