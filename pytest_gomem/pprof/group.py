"""What a row of a table is: a function, a line, a file or a package."""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from pytest_gomem.pprof.model import Function, Line, Location, ProfileError

GRANULARITIES = ("function", "line", "file", "package")
_NO_LINE = Line(Function("", "", "", 0), 0, 0)


class Frame(NamedTuple):
    """A row's identity; fields that its granularity ignores are None.

    For a function, `file` is that of the profile's first location of that name, and `line` is None.
    """

    function: str | None = None
    file: str | None = None
    line: int | None = None
    package: str | None = None

    def __str__(self) -> str:
        if self.line is not None and self.file:
            return f"{self.function} {self.file}:{self.line}"
        return self.function or self.package or self.file or "<unknown>"


def frames_of(location: Location, by: str) -> list[tuple[object, Frame]]:
    """The frames of a location, the innermost callee first, each with the key that makes frames the same row.

    Without a symbol it is the binary: [libc.so.6], or <unknown>. So does `go tool pprof`, but it splits such code into
    several rows of that name, by start line.
    """
    if by not in GRANULARITIES:
        raise ProfileError(f"cannot group by '{by}'; one of {', '.join(GRANULARITIES)}")
    binary = location.binary.filename if location.binary else ""
    return [_keyed(line, by, binary) for line in location.lines or (_NO_LINE,)]


def _keyed(line: Line, by: str, binary: str) -> tuple[object, Frame]:
    name = line.function.name or _unnamed(binary)
    file = posixpath.normpath(line.function.filename) if line.function.filename else None
    if by == "function":
        return name, Frame(name, file)
    if by == "line":
        frame = Frame(name, file, line.line)
    elif by == "file":
        frame = Frame(file=file) if file else Frame(function=name)
    else:
        frame = Frame(package=package_of(name))
    return frame, frame


def _unnamed(binary: str) -> str:
    return f"[{posixpath.basename(binary)}]" if binary else "<unknown>"


def as_called(function: str) -> str:
    """A function as Go code calls it: pool.NewConn for github.com/redis/go-redis/v9/internal/pool.NewConn."""
    plain, bracket, arguments = function.partition("[")
    return plain.rpartition("/")[2].replace("%2e", ".") + bracket + arguments


def package_of(function: str) -> str:
    """The import path in a Go symbol: "go/types" for "go/types.(*Checker).expr"; the whole name if there is none.

    Paths in type arguments do not count; dots that the linker writes as %2e are restored.
    """
    if function.startswith("["):
        return function
    plain = function.partition("[")[0]
    dot = plain.find(".", plain.rfind("/") + 1)
    return (plain[:dot] if dot > 0 else plain).replace("%2e", ".")
