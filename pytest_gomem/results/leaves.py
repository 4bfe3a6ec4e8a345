"""Values without parts in JSON: text, numbers, dates, paths, enums; and the coder that each type of value has."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection
from datetime import date, datetime, timezone
from enum import Enum
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

_NUMBERS = frozenset({float, int})
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # JSON has no words for these


class CodecError(ValueError):
    """Data that the codec did not write: what is wrong, and the keys that lead there."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        where = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.path).lstrip(".")
        return f"{where}: {self.problem}" if where else self.problem


def unexpected(expected: str, found: object) -> CodecError:
    """The error of data that is not what is expected."""
    shown = repr(found)
    return CodecError(f"expected {expected}, not {shown if len(shown) <= 60 else f'{shown[:57]}...'}")


class Coder(NamedTuple):
    """How the values of one type become JSON data and come back.

    kinds: the Python types of that data. as_is: those of them that are already the value itself. are_plain: whether
    many values are their own data, if all can be checked at once.
    """

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    kinds: frozenset[type]
    as_is: frozenset[type] = frozenset()
    are_plain: Callable[[Collection[Any]], bool] | None = None


def unchanged(value: Any) -> Any:
    """Encodes a value that is its own data."""
    return value


def check(kind: type, expected: str, data: object) -> None:
    """Raises CodecError for data of another type."""
    if type(data) is not kind:
        raise unexpected(expected, data)


def of_enum(enum: type[Enum]) -> Coder:
    """The coder of an enum, by the values of its members."""
    values = {member.value: member for member in enum}
    expected = f"one of {', '.join(map(str, values))}"

    def decode(data: Any) -> Enum:
        if isinstance(data, (dict, list)) or data not in values:
            raise unexpected(expected, data)
        return values[data]

    return Coder(attrgetter("value"), decode, frozenset(map(type, values)))


def _leaf(kind: type, expected: str) -> Coder:
    def decode(data: Any) -> Any:
        check(kind, expected, data)
        return data

    return Coder(unchanged, decode, frozenset({kind}), frozenset({kind}))


def _encoded_float(value: float) -> float | str:
    return value if math.isfinite(value) else str(float(value))


def _decoded_float(data: Any) -> float:
    if type(data) in (float, int) and abs(data) <= sys.float_info.max:
        return data  # type: ignore[no-any-return]
    if type(data) is str and data in _NOT_FINITE:
        return _NOT_FINITE[data]
    raise unexpected("a number", data)


def _are_finite(values: Collection[Any]) -> bool:
    try:
        return _NUMBERS.issuperset(map(type, values)) and all(map(math.isfinite, values))
    except OverflowError:  # a whole number beyond all floats
        return False


def _by_text(to_text: Callable[[Any], str], from_text: Callable[[str], Any], expected: str) -> Coder:
    def decode(data: Any) -> Any:
        try:
            return from_text(data)
        except (AttributeError, OverflowError, TypeError, ValueError):
            raise unexpected(expected, data) from None

    return Coder(to_text, decode, frozenset({str}))


def _utc_text(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)


LEAVES: dict[Any, Coder] = {
    str: _leaf(str, "text"),
    bool: _leaf(bool, "true or false"),
    int: _leaf(int, "a whole number"),
    # A field of floats may hold a whole number, as in Python.
    float: Coder(_encoded_float, _decoded_float, frozenset({float, int, str}), frozenset({float}), _are_finite),
    date: _by_text(date.isoformat, date.fromisoformat, "a date"),
    datetime: _by_text(_utc_text, _utc, "a time with its zone"),
    Path: _by_text(str, Path, "a path"),
}
