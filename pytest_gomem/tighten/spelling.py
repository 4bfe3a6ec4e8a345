"""Writes a new number into a limit, and keeps the rest of its author's spelling: sign, blanks and unit."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from pytest_gomem.base.units import Unit, parse_quantity

if TYPE_CHECKING:
    from pytest_gomem.tighten.new_limits import NewLimit

_DIGITS = 3
_WRITTEN = re.compile(r"(\s*(?:[<>]=)?\s*)([0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)([^0-9].*|)", re.DOTALL)


def respelled(written: str, unit: Unit, value: float, *, up: bool) -> str | None:
    """The limit with a number of three digits that is `value` or beyond, as it was written else.

    up: a ceiling, which is rounded up; a floor is rounded down. What counts stays a whole number if it was one.
    None for a spelling that has no such number, and for a value that three digits cannot say.
    """
    found = _WRITTEN.fullmatch(written)
    if found is None or value <= 0:
        return None
    before, number, after = found.groups()
    try:
        factor = parse_quantity(f"1{after}", unit).value
    except ValueError:
        return None
    wanted = Decimal(value) / Decimal(factor)
    is_whole = unit.name == "count" and not after.strip() and re.fullmatch(r"[0-9_]+", number) is not None
    step = max(wanted.adjusted() - _DIGITS + 1, 0 if is_whole else -99)
    for _ in range(2):  # the nearest step may lie a rounding of floating point short of the value
        rounded = wanted.quantize(Decimal(1).scaleb(step), ROUND_CEILING if up else ROUND_FLOOR)
        text = f"{before}{_plain(rounded)}{after}"
        reached = parse_quantity(f"{_plain(rounded)}{after}", unit).value
        if (reached >= value) if up else (0 < reached <= value):
            return text
        wanted += Decimal(1).scaleb(step) * (1 if up else -1)
        if wanted <= 0:
            return None
    return None


def replaced(source: str, limit: NewLimit) -> str | None:
    """The text of a limit, which may begin with a sign, with its new number; None if it says something else."""
    sign, written = re.fullmatch(r"(\s*[<>]?=?\s*)(.*?)\s*", source, re.DOTALL).groups()  # type: ignore[union-attr]
    if written == limit.old.written:
        return f"{sign}{limit.written}"
    return limit.written if _is_number(source, limit) else None


def _is_number(source: str, limit: NewLimit) -> bool:
    """Whether it is the same number without a unit in another spelling: 1.50 where 1.5 was read."""
    try:
        return float(source) == limit.old.value and float(limit.old.written) == limit.old.value
    except ValueError:
        return False


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
