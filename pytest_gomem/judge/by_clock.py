"""Owns how much of a change is what a service allocates by the clock, in windows that took longer than the base's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median

# Figures of a round that no metric is: what the service allocated per second while nothing was asked of it.
IDLE_BYTES, IDLE_OBJECTS = "alloc_rate without work", "allocs_rate without work"
# What grows while a window lasts, by what tells how fast, and whether it is spread over the operations.
_TOLD_BY = {
    "alloc_bytes_per_op": (IDLE_BYTES, True),
    "allocs_per_op": (IDLE_OBJECTS, True),
    "total_alloc": (IDLE_BYTES, False),
    "allocs": (IDLE_OBJECTS, False),
}
ACCRUING = tuple(_TOLD_BY)

_Rounds = Sequence[Mapping[str, float]]


def seconds_of(rounds: _Rounds) -> tuple[float, ...]:
    """How long the window of each round took; () where one does not tell, as one that allocated nothing."""
    told = [(one.get("total_alloc"), one.get("alloc_rate")) for one in rounds]
    found = tuple(alloc / rate for alloc, rate in told if alloc and rate)
    return found if len(found) == len(rounds) else ()


def by_clock(metric: str, base: _Rounds, new: _Rounds, ops: int | None) -> float:
    """What the longer windows of the new side allocated by the clock, in the metric's unit; 0 where nobody knows."""
    told_by, is_per_op = _TOLD_BY.get(metric, ("", False))
    rates = [one[told_by] for one in new if told_by in one]
    before, now = seconds_of(base), seconds_of(new)
    if not rates or not before or not now:
        return 0.0
    longer = max(fmean(now) - fmean(before), 0.0)
    return fmean(rates) * longer / ((ops or 1) if is_per_op else 1)


def took_longer(base: _Rounds, new: _Rounds) -> bool:
    """Whether the windows of the new side took longer, so that the clock may explain what they allocated more."""
    before, now = seconds_of(base), seconds_of(new)
    return bool(before and now) and median(now) > median(before)
