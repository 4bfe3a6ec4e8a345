"""Compares the conditions under which two windows were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

# Where a test can't run again to be observed, budgets on functions profile the measured windows themselves.
OPENING_PROFILE, PROFILE_RATE = "opening_heap_profile", "profile_rate"
CYCLES = "cycles"  # of work, between which collections are forced
PROCESS, ATTACHED = "process", "attached"  # of a process that we did not start
# Conditions that a window names only if they hold, and their values otherwise.
_ELSE: Mapping[str, str] = MappingProxyType(
    {
        OPENING_PROFILE: "not taken",
        PROFILE_RATE: "default",
        "peak_profile": "no",
        "tree": "no",
        CYCLES: "none",
        "memory_limit": "none",
        "manual_gc": "off",
    }
)

# The value of a setting that differs between the rounds of one window, as in a service that tunes its own collector.
# Such a setting does not make two windows different.
VARIES = "varies, the service sets it"
_SETTINGS = ("gogc", "gomemlimit", "gomaxprocs")

Difference = tuple[str, str]  # before and now


def said(conditions: Mapping[str, str], name: str, unsaid: str = "not said") -> str:
    """The value of a condition; if it is missing, its default, or else `unsaid`."""
    return conditions.get(name, _ELSE.get(name, unsaid))


def changed(before: Mapping[str, str], now: Mapping[str, str], unsaid: str = "not said") -> dict[str, Difference]:
    """The conditions that differ, by name, sorted; unsaid: see `said`.

    A setting that varied before never differs.
    """
    pairs = {name: (said(before, name, unsaid), said(now, name, unsaid)) for name in sorted({*before, *now})}
    return {name: (was, is_now) for name, (was, is_now) in pairs.items() if was not in (is_now, VARIES)}


def of_all(rounds: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The conditions of several rounds of one window: the last one's, with VARIES for settings that vary."""
    varying = {name: VARIES for name in _SETTINGS if len({one.get(name) for one in rounds}) > 1}
    return {**rounds[-1], **varying}
