"""Units and quantities: a user's text becomes a number in base units, and a number becomes readable text."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

_BYTE_SUFFIXES = {
    "B": 1.0,
    "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
    "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40,
}  # fmt: skip
_TIME_SUFFIXES = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_COUNT_SUFFIXES = {"k": 1e3, "M": 1e6}
_PER_TIME = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_NUMBER = r"[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*([^\s0-9/][^\s/]*)?\s*(?:/\s*([a-z]+))?\s*")


class Unit(NamedTuple):
    """A base unit (`name`), the suffixes a user may write in it, and what it is per: nothing, a second or an op."""

    name: str
    suffixes: Mapping[str, float]
    per: str = ""

    def __str__(self) -> str:
        return self.name

    @property
    def spellings(self) -> str:
        """The suffixes that may be written, for error messages."""
        return ", ".join(self.suffixes)


def _unit(name: str, suffixes: dict[str, float], per: str = "") -> Unit:
    return Unit(name, MappingProxyType(suffixes), per)


BYTES = _unit("bytes", _BYTE_SUFFIXES)
SECONDS = _unit("seconds", _TIME_SUFFIXES)
RATIO = _unit("ratio", {"%": 0.01})
COUNT = _unit("count", _COUNT_SUFFIXES)
BYTES_PER_SECOND = _unit("bytes/second", _BYTE_SUFFIXES, per="second")
PER_SECOND = _unit("1/second", _COUNT_SUFFIXES, per="second")
BYTES_PER_OP = _unit("bytes/op", _BYTE_SUFFIXES, per="op")
COUNT_PER_OP = _unit("count/op", _COUNT_SUFFIXES, per="op")
SECONDS_PER_OP = _unit("seconds/op", _TIME_SUFFIXES, per="op")

UNITS = {
    unit.name: unit
    for unit in (
        BYTES, SECONDS, RATIO, COUNT, BYTES_PER_SECOND, PER_SECOND, BYTES_PER_OP, COUNT_PER_OP, SECONDS_PER_OP,
    )
}  # fmt: skip


class Quantity(NamedTuple):
    """A value in base units, with the spelling its author used."""

    value: float
    unit: Unit
    written: str

    def __str__(self) -> str:
        return self.written


def parse_quantity(written: object, unit: Unit) -> Quantity:
    """Read "1.8GB", "5 ms", "10%", "1MiB/min" or a bare number (base units).

    Raises ValueError, with the allowed suffixes, for anything else: trailing text, or a negative, infinite or
    not-a-number value.
    """
    if isinstance(written, bool) or not isinstance(written, (int, float, str)):
        raise ValueError(f"{written!r} is not a quantity in {unit}")  # noqa: TRY004 - one error for the one caller
    value = _parse_text(written, unit) if isinstance(written, str) else _number(written)
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{written!r} is not a finite quantity of at least 0")
    return Quantity(value, unit, str(written).strip())


def _number(written: int | float) -> float:
    try:
        return float(written)
    except OverflowError:  # an integer beyond the greatest float
        return math.inf


def _parse_text(written: str, unit: Unit) -> float:
    match = _QUANTITY.fullmatch(written)
    if match is None:
        raise ValueError(f"{written!r} is not a quantity: a number and one of {unit.spellings}")
    number, suffix, per = match.groups()
    value = float(number.replace("_", ""))
    if suffix:
        if suffix not in unit.suffixes:
            raise ValueError(f"{written!r}: '{suffix}' does not fit {unit}; write one of {unit.spellings}")
        value *= unit.suffixes[suffix]
    if per:
        value /= _per_factor(written, unit, per)
    return value


def _per_factor(written: str, unit: Unit, per: str) -> float:
    if unit.per == "second" and per in _PER_TIME:
        return _PER_TIME[per]
    if unit.per == "op" and per == "op":
        return 1.0
    allowed = {"second": f"/{', /'.join(_PER_TIME)}", "op": "/op"}.get(unit.per, "none")
    raise ValueError(f"{written!r}: '/{per}' does not fit {unit}; write one of {allowed}")


_BYTE_SCALE = ((1e12, " TB"), (1e9, " GB"), (1e6, " MB"), (1e3, " kB"), (1.0, " B"))
_TIME_SCALE = (
    (86400.0, " d"),
    (3600.0, " h"),
    (60.0, " min"),
    (1.0, " s"),
    (1e-3, " ms"),
    (1e-6, " us"),
    (1e-9, " ns"),
)
_COUNT_SCALE = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_SCALES = {"bytes": _BYTE_SCALE, "seconds": _TIME_SCALE, "ratio": ((0.01, "%"),)}
_TAILS = {"second": "/s", "op": "/op", "": ""}


def format_value(value: float, unit: Unit) -> str:
    """Three significant digits with a 10^3 prefix: 1.80 GB, 5.00 ms, 12.3%, 30.1 kB/op; counts below 10^4 as 1204."""
    if unit.name.partition("/")[0] not in _SCALES and abs(value) < 1e4:
        tail = _TAILS[unit.name.partition("/")[2]]
        return f"{int(value)}{tail}" if value == int(value) else f"{_three_digits(value)}{tail}"
    factor, suffix = scale_of(value, unit)
    return f"{_three_digits(value / factor)}{suffix}"


def scale_of(value: float, unit: Unit) -> tuple[float, str]:
    """The divisor and the suffix for printing a value: (1e6, " MB/s") for 2.5e6 bytes/second."""
    base, _, per = unit.name.partition("/")
    scale = _SCALES.get(base, _COUNT_SCALE)
    # Chosen by the printed text: 999.96 kB prints as 1.00 MB, not as 1000 kB.
    factor, suffix = next((step for step in scale if abs(value) >= step[0] * 0.9995), scale[-1])
    return factor, suffix + _TAILS[per]


def _three_digits(value: float) -> str:
    size = abs(value)
    if size == 0:
        return "0"
    if size < 0.995:  # two decimals would print a small value as 0
        return f"{value:#.3g}"
    return f"{value:.0f}" if size >= 99.95 else f"{value:.1f}" if size >= 9.995 else f"{value:.2f}"
