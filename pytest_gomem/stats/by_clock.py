"""How much of a change a service allocates by the clock, in windows that took longer than the base's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median

from pytest_gomem.base.units import Unit, format_value

# Figures of a round that no metric is: what the service allocated per second while nothing was asked of it, and which
# instrument has them.
IDLE_WATCH = "idle_watch"
IDLE_BYTES, IDLE_OBJECTS = "alloc_rate without work", "allocs_rate without work"
# What grows while a window lasts, by what tells how fast, and whether it is spread over the operations.
_TOLD_BY = {
    "alloc_bytes_per_op": (IDLE_BYTES, True),
    "allocs_per_op": (IDLE_OBJECTS, True),
    "total_alloc": (IDLE_BYTES, False),
    "allocs": (IDLE_OBJECTS, False),
}
_ALL_OF_IT = {IDLE_BYTES: "total_alloc", IDLE_OBJECTS: "allocs"}
ACCRUING = tuple(_TOLD_BY)

_Rounds = Sequence[Mapping[str, float]]


def seconds_of(rounds: _Rounds) -> tuple[float, ...]:
    """How long the window of each round took; () where one does not tell, as one that allocated nothing."""
    told = [(one.get("total_alloc"), one.get("alloc_rate")) for one in rounds]
    found = tuple(alloc / rate for alloc, rate in told if alloc and rate)
    return found if len(found) == len(rounds) else ()


def by_clock(metric: str, base: _Rounds, head: _Rounds) -> float:
    """What the longer windows of the head allocated by the clock, in the metric's unit; 0 where nobody knows.

    Per second no more than all that the base allocated: what is beyond is new there, or work that was left over, and
    not the clock's. One round that stalled makes the windows no longer than their medians are.
    """
    told_by, is_per_op = _TOLD_BY.get(metric, ("", False))
    rates = [one[told_by] for one in head if told_by in one]
    before, now = _lengths(base, is_per_op), _lengths(head, is_per_op)
    if not rates or not before or not now:
        return 0.0
    longer = max(min(middle(now) - middle(before) for middle in (fmean, median)), 0.0)
    return min(fmean(rates), _rate(base, _ALL_OF_IT[told_by])) * longer


def made_by_clock(excused: float, own: float, least: float, unit: Unit) -> str:
    """What the clock made of a worsening, in words; "" where that matters neither by itself nor by what it leaves.

    own: what it leaves. least: the least worsening that counts.
    """
    if not excused or excused <= least < own:
        return ""
    made = format_value(excused, unit)
    return f"some {made} of it the service makes by itself in windows that took so much longer, by the clock"


def took_longer(base: _Rounds, head: _Rounds) -> bool:
    """Whether the windows of the head took longer, so that the clock may explain what they allocated more."""
    before, now = seconds_of(base), seconds_of(head)
    return bool(before and now) and median(now) > median(before)


def _lengths(rounds: _Rounds, is_per_op: bool) -> tuple[float, ...]:
    """Seconds of each round, or of one of its operations: a window that does more work takes longer for that."""
    seconds, ops = seconds_of(rounds), [one.get("ops", 0.0) for one in rounds]
    if not is_per_op:
        return seconds
    return tuple(took / count for took, count in zip(seconds, ops, strict=True)) if seconds and all(ops) else ()


def _rate(rounds: _Rounds, metric: str) -> float:
    """Of what all rounds allocated, so much per second."""
    return sum(one.get(metric, 0.0) for one in rounds) / sum(seconds_of(rounds))
