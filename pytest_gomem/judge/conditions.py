"""Owns whether two windows were measured under the same conditions, and which of them differ."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

OPENING_PROFILE = "opening_heap_profile"
# Conditions that a window names only where they hold, and what they are elsewhere.
_ELSE: Mapping[str, str] = MappingProxyType({OPENING_PROFILE: "not taken", "peak_profile": "no", "tree": "no"})

Difference = tuple[str, str]  # before and now


def changed(before: Mapping[str, str], now: Mapping[str, str], unsaid: str = "not said") -> dict[str, Difference]:
    """The conditions that are not the same, by name in alphabetical order; a missing one is `unsaid`, unless that
    means something."""
    words = {name: _ELSE.get(name, unsaid) for name in sorted({*before, *now})}
    pairs = {name: (before.get(name, word), now.get(name, word)) for name, word in words.items()}
    return {name: (was, is_now) for name, (was, is_now) in pairs.items() if was != is_now}
