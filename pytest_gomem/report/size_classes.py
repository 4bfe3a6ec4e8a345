"""Owns the text on what a window allocated by size class: the classes with the most bytes, in a line."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_gomem.base.units import BYTES, COUNT, format_value
from pytest_gomem.measure.size_classes import SizeClassGrowth
from pytest_gomem.report.text import percent

_SHOWN = 4


def size_class_text(classes: Sequence[SizeClassGrowth]) -> str:
    """Such as "by size: 62% in 4096 B (12.1k objects), 20% above 18432 B"; "" where nothing was allocated."""
    whole = sum(growth.bytes for growth in classes)
    if not whole:
        return ""
    largest = max((growth.size for growth in classes if growth.size), default=0)
    top = sorted(classes, key=lambda growth: -growth.bytes)[:_SHOWN]
    parts = [f"{percent(growth.bytes / whole)} {_class(growth, largest)}" for growth in top if growth.bytes]
    return f"allocated by size: {', '.join(parts)} of {format_value(whole, BYTES)}"


def _class(growth: SizeClassGrowth, largest: int) -> str:
    if growth.size is None or growth.mallocs is None:
        return f"above {largest} B"
    return f"in {growth.size} B ({format_value(growth.mallocs, COUNT)} objects)"
