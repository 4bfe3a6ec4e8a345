"""What commands of many runs share at their edges: arguments for pytest behind `--`, and files that they write."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, TypeVar

from pytest_gomem.base.errors import GomemError
from pytest_gomem.base.files import write_whole

T = TypeVar("T")


def split(argv: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Our arguments, and those after `--`."""
    at = argv.index("--") if "--" in argv else len(argv)
    return argv[:at], argv[at + 1 :]


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Turn an OSError while a file is written into a GomemError that names it."""
    try:
        yield
    except OSError as error:
        raise GomemError(f"{path} cannot be written: {error.strerror}") from None


def write_file(path: Path, text: str) -> None:
    """Write a file whole; raises GomemError."""
    with written(path):
        write_whole(path, text)


def saving(kept: Path, write: Callable[[Path, T], None]) -> Callable[[T], None]:
    """Writes a state to the file that keeps it; raises GomemError."""

    def save(state: T) -> None:
        with written(kept):
            write(kept, state)

    return save


def write_json(given: str, data: Mapping[str, Any], out: TextIO) -> None:
    """Write to the file that was given, or to `out` for "-"; raises GomemError."""
    text = json.dumps(data, indent=1) + "\n"
    if given == "-":
        out.write(text)
    else:
        write_file(Path(given), text)
