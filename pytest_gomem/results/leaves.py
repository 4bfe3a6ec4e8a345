"""Values that JSON has no parts for: text, numbers, dates, paths, enums; and the coder that each type of value has."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection
from datetime import date
from enum import Enum
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # JSON has no words for these


class CodecError(ValueError):
    """Data that is not as the codec writes it: what was expected, what stands there, and the keys that lead to it."""

    def __init__(self, expected: str, found: object) -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found
        self.path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        where = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.path).lstrip(".")
        shown = repr(self.found)
        shown = shown if len(shown) <= 60 else f"{shown[:57]}..."
        return f"{where or 'the whole'}: expected {self.expected}, not {shown}"


class Coder(NamedTuple):
    """How the values of one type become JSON data and come back.

    kinds: the Python types of that data. is_plain: the data is the value itself. are_plain: whether many values are
    their own data, at once; None where that is asked of each.
    """

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    kinds: frozenset[type]
    is_plain: bool = False
    are_plain: Callable[[Collection[Any]], bool] | None = None


def check(kind: type, expected: str, data: object) -> None:
    """Raise CodecError for data that is of another type."""
    if type(data) is not kind:
        raise CodecError(expected, data)


def of_enum(enum: type[Enum]) -> Coder:
    """The coder of an enum, by the values of its members."""
    values = {member.value: member for member in enum}
    expected = f"one of {', '.join(map(str, values))}"

    def decode(data: Any) -> Enum:
        if isinstance(data, (dict, list)) or data not in values:
            raise CodecError(expected, data)
        return values[data]

    return Coder(attrgetter("value"), decode, frozenset(map(type, values)))


def _leaf(kind: type, expected: str) -> Coder:
    def decode(data: Any) -> Any:
        if type(data) is not kind:
            raise CodecError(expected, data)
        return data

    def are_plain(values: Collection[Any]) -> bool:
        return set(map(type, values)) <= {kind}

    return Coder(lambda value: value, decode, frozenset({kind}), True, are_plain)


def _encoded_float(value: float) -> float | str:
    return value if math.isfinite(value) else str(float(value))


def _decoded_float(data: Any) -> float:
    if type(data) in (float, int) and abs(data) <= sys.float_info.max:
        return data  # type: ignore[no-any-return]
    if type(data) is str and data in _NOT_FINITE:
        return _NOT_FINITE[data]
    raise CodecError("a number", data)


def _are_finite(values: Collection[Any]) -> bool:
    return set(map(type, values)) <= {float} and all(map(math.isfinite, values))


def _by_text(to_text: Callable[[Any], str], from_text: Callable[[str], Any], expected: str) -> Coder:
    def decode(data: Any) -> Any:
        try:
            return from_text(data)
        except (TypeError, ValueError):
            raise CodecError(expected, data) from None

    return Coder(to_text, decode, frozenset({str}))


LEAVES: dict[Any, Coder] = {
    str: _leaf(str, "text"),
    bool: _leaf(bool, "true or false"),
    int: _leaf(int, "a whole number"),
    # A whole number may stand in a field of floats, as in Python.
    float: Coder(_encoded_float, _decoded_float, frozenset({float, int, str}), False, _are_finite),
    date: _by_text(date.isoformat, date.fromisoformat, "a date"),
    Path: _by_text(str, Path, "a path"),
}
