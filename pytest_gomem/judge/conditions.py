"""Whether two windows were measured under the same conditions, and which of them differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

OPENING_PROFILE = "opening_heap_profile"
PROCESS, ATTACHED = "process", "attached"  # of one that is not ours
# Conditions that a window names only where they hold, and what they are elsewhere.
_ELSE: Mapping[str, str] = MappingProxyType({OPENING_PROFILE: "not taken", "peak_profile": "no", "tree": "no"})

# Of a setting that the rounds of one window had each another value of: a service that tunes its own collector has as
# many as it has runs, and is the same service under all of them.
VARIES = "varies, the service sets it"
_SETTINGS = ("gogc", "gomemlimit", "gomaxprocs")

Difference = tuple[str, str]  # before and now


def said(conditions: Mapping[str, str], name: str, unsaid: str = "not said") -> str:
    """What is said of a condition; of one that is missing `unsaid`, unless that means something."""
    return conditions.get(name, _ELSE.get(name, unsaid))


def changed(before: Mapping[str, str], now: Mapping[str, str], unsaid: str = "not said") -> dict[str, Difference]:
    """The conditions that are not the same, by name in alphabetical order; unsaid: see `said`.

    A setting that varied before is the same whatever it is now.
    """
    pairs = {name: (said(before, name, unsaid), said(now, name, unsaid)) for name in sorted({*before, *now})}
    return {name: (was, is_now) for name, (was, is_now) in pairs.items() if was not in (is_now, VARIES)}


def of_all(rounds: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The conditions of several rounds of one window: the last one's, where a setting varies that."""
    varying = {name: VARIES for name in _SETTINGS if len({one.get(name) for one in rounds}) > 1}
    return {**rounds[-1], **varying}
