"""Owns whether two windows were measured under the same conditions, and which of them differ."""

from __future__ import annotations

from collections.abc import Mapping

Difference = tuple[str, str]  # before and now


def changed(before: Mapping[str, str], now: Mapping[str, str], unsaid: str = "not said") -> dict[str, Difference]:
    """The conditions that are not the same, by name in alphabetical order; a missing one is `unsaid`."""
    return {
        name: (before.get(name, unsaid), now.get(name, unsaid))
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    }
