"""How much of a change is only because windows took longer: a service also allocates by the clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean, median

from pytest_gomem.base.units import Unit, format_value

# Figures of a round that are not metrics: what the service allocated per second without work, and the instrument that
# measures them.
IDLE_WATCH = "idle_watch"
IDLE_BYTES, IDLE_OBJECTS = "alloc_rate without work", "allocs_rate without work"
# Metrics that grow with time, each with the figure for its rate, and whether it is per operation.
_RATE_OF = {
    "alloc_bytes_per_op": (IDLE_BYTES, True),
    "allocs_per_op": (IDLE_OBJECTS, True),
    "total_alloc": (IDLE_BYTES, False),
    "allocs": (IDLE_OBJECTS, False),
}
_ALL_OF_IT = {IDLE_BYTES: "total_alloc", IDLE_OBJECTS: "allocs"}
ACCRUING = tuple(_RATE_OF)

_Rounds = Sequence[Mapping[str, float]]


def seconds_of(rounds: _Rounds) -> tuple[float, ...]:
    """How long each round's window took; () if one is unknown, as when it allocated nothing."""
    figures = [(one.get("total_alloc"), one.get("alloc_rate")) for one in rounds]
    found = tuple(alloc / rate for alloc, rate in figures if alloc and rate)
    return found if len(found) == len(rounds) else ()


def by_clock(metric: str, base: _Rounds, head: _Rounds) -> float:
    """What the head allocated only because its windows took longer, in the metric's unit; 0 if unknown.

    The rate is at most that of the base: allocation beyond it is new, or left over from work. Lengths are medians, so
    one round that stalled does not count.
    """
    rate_name, is_per_op = _RATE_OF.get(metric, ("", False))
    rates = [one[rate_name] for one in head if rate_name in one]
    before, now = _lengths(base, is_per_op), _lengths(head, is_per_op)
    if not rates or not before or not now:
        return 0.0
    longer = max(min(middle(now) - middle(before) for middle in (fmean, median)), 0.0)
    return min(fmean(rates), _rate(base, _ALL_OF_IT[rate_name])) * longer


def made_by_clock(excused: float, own: float, least: float, unit: Unit) -> str:
    """The sentence on the clock's part of a worsening; "" if neither it nor the rest matters.

    own: the rest. least: the least worsening that counts.
    """
    if not excused or excused <= least < own:
        return ""
    made = format_value(excused, unit)
    return f"some {made} of it the service makes by itself in windows that took so much longer, by the clock"


def took_longer(base: _Rounds, head: _Rounds) -> bool:
    """Whether the head's windows took longer, so that the clock may explain some of its allocation."""
    before, now = seconds_of(base), seconds_of(head)
    return bool(before and now) and median(now) > median(before)


def _lengths(rounds: _Rounds, is_per_op: bool) -> tuple[float, ...]:
    """Seconds of each round, or of one of its operations, because more work takes longer."""
    seconds, ops = seconds_of(rounds), [one.get("ops", 0.0) for one in rounds]
    if not is_per_op:
        return seconds
    return tuple(took / count for took, count in zip(seconds, ops, strict=True)) if seconds and all(ops) else ()


def _rate(rounds: _Rounds, metric: str) -> float:
    """The allocation rate of all rounds together, per second."""
    return sum(one.get(metric, 0.0) for one in rounds) / sum(seconds_of(rounds))
