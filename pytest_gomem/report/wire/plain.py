"""What may stand in a report: strictly valid JSON data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def plain_dict(mapping: Mapping[str, object]) -> dict[str, Any]:
    """A mapping as strictly valid JSON data."""
    return {str(plain(key)): plain(value) for key, value in mapping.items()}


def plain(value: object) -> object:
    """Strictly valid JSON data: finite numbers, whole ones without a fraction, and text that UTF-8 can hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, Mapping):
        return plain_dict(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def finite_only(figures: Mapping[str, float]) -> dict[str, float]:
    """The figures that are finite numbers."""
    return {name: value for name, value in figures.items() if math.isfinite(value)}


def number(value: float | None) -> float:
    """A figure as it was before it became null: not a number."""
    return math.nan if value is None else value
