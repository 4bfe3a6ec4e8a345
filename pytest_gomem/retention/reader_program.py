"""The program that reads heap dumps: its Go source comes with this package, and the Go at hand builds it once."""

from __future__ import annotations

from pathlib import Path

from pytest_gomem.launch.go_program import GoProgram, go_program

SOURCE = Path(__file__).with_name("reader")


def reader_of(source: Path = SOURCE) -> GoProgram:
    """The reader that this source makes."""
    return GoProgram("heapreader", "the reader of heap dumps", source)


def reader_program(otherwise: Path, source: Path = SOURCE) -> Path:
    """The path of the built reader, see `go_program`."""
    return go_program(reader_of(source), otherwise)
