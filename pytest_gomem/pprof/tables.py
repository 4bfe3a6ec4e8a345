"""Owns the checked tables of a profile: strings, binaries, functions and locations, each id known and used once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pytest_gomem.pprof.errors import ProfileError
from pytest_gomem.pprof.model import Binary, Function, Line, Location
from pytest_gomem.pprof.profile_pb2 import ProfileView

_T = TypeVar("_T")


class Strings:
    """The string table; `strings[i]` raises ProfileError for an index outside it."""

    def __init__(self, table: Iterable[bytes]) -> None:
        # Not all that writes profiles writes UTF-8; a name with an odd byte is better than no profile.
        self._strings = [entry.decode("utf-8", "backslashreplace") for entry in table] or [""]
        if self._strings[0]:
            raise ProfileError(f"the first string of the profile is {self._strings[0]!r}, and must be empty")

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self._strings):
            raise ProfileError(f"string {index} is outside the profile's table of {len(self._strings)}")
        return self._strings[index]


def binaries(view: ProfileView, text: Strings) -> dict[int, Binary]:
    """The mapped files by id; raises ProfileError for an id of 0 or used twice."""

    def binary(m: Any) -> Binary:
        names = (text[m.filename], text[m.build_id])
        has = (m.has_functions, m.has_filenames, m.has_line_numbers, m.has_inline_frames)
        return Binary(m.memory_start, m.memory_limit, m.file_offset, *names, *has)

    return _by_id("mapping", view.mapping, binary)


def functions(view: ProfileView, text: Strings) -> dict[int, Function]:
    """The functions by id; raises ProfileError for an id of 0 or used twice."""

    def function(f: Any) -> Function:
        return Function(text[f.name], text[f.system_name], text[f.filename], f.start_line)

    return _by_id("function", view.function, function)


def locations(view: ProfileView, known: dict[int, Function], mapped: dict[int, Binary]) -> dict[int, Location]:
    """The locations by id; raises ProfileError for an id of 0 or used twice, or a line of an unknown function."""

    def location(place: Any) -> Location:
        try:
            lines = tuple([Line(known[line.function_id], line.line, line.column) for line in place.line])
        except KeyError as error:
            raise ProfileError(f"location {place.id} refers to function {error}, which is not there") from None
        return Location(mapped.get(place.mapping_id), place.address, lines, place.is_folded)

    return _by_id("location", view.location, location)


def _by_id(kind: str, entries: Iterable[Any], convert: Callable[[Any], _T]) -> dict[int, _T]:
    table: dict[int, _T] = {}
    for entry in entries:
        if not entry.id or entry.id in table:
            raise ProfileError(f"{kind} id {entry.id} is " + ("used twice" if entry.id else "reserved"))
        table[entry.id] = convert(entry)
    return table
