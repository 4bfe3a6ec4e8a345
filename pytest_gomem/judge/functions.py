"""Owns budgets on functions: what the functions of a glob hold or made in a window, how surely, and the verdict.

The verdict: outside of the 2 sigma interval around the estimate a limit is kept or broken; inside of it nobody can
tell, and the verdict is `noisy`, which fails nothing. So a function whose true value keeps its limit fails in less
than 1 of 40 windows even where it lies on the limit itself, and never from some sigmas below it on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import NamedTuple

from pytest_gomem.attribution.origin import Origins
from pytest_gomem.attribution.sampling import SIGMAS, Tally, counts_made, samples_of
from pytest_gomem.base.names import matches, nearest
from pytest_gomem.base.units import BYTES, COUNT, format_value
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.decide import judge
from pytest_gomem.judge.verdict import Status, Verdict
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.measure.metric import Reading, Unavailable
from pytest_gomem.pprof.group import frames_of
from pytest_gomem.pprof.model import Profile, location_ids


class Asked(NamedTuple):
    """What a budget asks for: a sample type, a glob over function names, and whether what they call counts too."""

    metric: str
    function: str
    cum: bool


@dataclass(frozen=True)
class FunctionValue:
    """What all functions of a glob hold at the window's close, or made in it: an estimate in bytes, or objects.

    interval: half the width of the 2 sigma interval, rounded up; 0 where every allocation was sampled.
    rate: bytes per sample. matched: the functions of the profile, allocating or calling, whose names the glob matches;
    nearest: where there is none, the one that may have been meant.
    """

    metric: str
    function: str
    cum: bool
    value: int
    interval: int
    rate: int
    matched: int
    nearest: str = ""


def asked_by(budget: Budget) -> Asked:
    """What a budget on functions asks for."""
    return Asked(budget.metric, budget.function, budget.cum)


def function_values(
    asked: Iterable[Asked], after: Profile, before: Profile | None, module: GoModule
) -> dict[Asked, FunctionValue | Unavailable]:
    """The values of a window between two heap profiles: held at its close, made from its opening on.

    before: None where there is none, which leaves what was made unavailable. What measuring itself allocates counts
    for no function. Raises ProfileError when one of the two is no heap profile.
    """
    return {one: _value(one, after, before, module) for one in dict.fromkeys(asked)}


def _value(asked: Asked, after: Profile, before: Profile | None, module: GoModule) -> FunctionValue | Unavailable:
    if after.period <= 0:
        return Unavailable("the service's memory profiler is off: its MemProfileRate is 0")
    base = before if counts_made(asked.metric) else None
    if base is None and counts_made(asked.metric):
        return Unavailable("no heap profile was taken when the window opened, so what was made in it is not known")
    profiles = [profile for profile in (after, base) if profile is not None]
    tally, taken = Tally(asked.metric, after.period), counting(asked)
    origins = Origins(module, profiles)
    for profile in profiles:
        rows = zip(profile.stacks, origins.chains(profile), samples_of(profile, asked.metric), strict=True)
        for stack, chain, sample in rows:
            if chain is not None and sample.size and taken(profile, stack):
                tally.add(sample, is_before=profile is not profiles[0])
    interval = math.ceil(SIGMAS * tally.sigma or tally.unseen)
    names = function_names(profiles)
    matched = sum(matches(asked.function, name) for name in names)
    meant = "" if matched else nearest(asked.function.replace("*", ""), names)
    return FunctionValue(*asked, max(tally.change, 0), interval, after.period, matched, meant)


def counting(asked: Asked) -> Callable[[Profile, bytes], bool]:
    """Whether a stack of a profile counts: its leaf matches the glob, or, for a cumulative value, any frame of it."""
    known: dict[tuple[int, bytes], bool] = {}
    named: dict[str, bool] = {}

    def is_named(name: str) -> bool:
        if name not in named:
            named[name] = matches(asked.function, name)
        return named[name]

    def counts(profile: Profile, stack: bytes) -> bool:
        key = id(profile), stack
        if key not in known:
            names = _names(profile, stack)
            known[key] = any(map(is_named, names)) if asked.cum else is_named(next(names, ""))
        return known[key]

    return counts


def _names(profile: Profile, stack: bytes) -> Iterator[str]:
    """The functions of a stack, the leaf first."""
    for at in location_ids(stack):
        yield from (frame.function or "" for _, frame in frames_of(profile.location(at), "function"))


def function_names(profiles: Iterable[Profile]) -> set[str]:
    """The functions that stand anywhere in these profiles, allocating or calling."""
    return {
        frame.function or ""
        for profile in profiles
        for location in profile.locations.values()
        for _, frame in frames_of(location, "function")
    }


def median_of(rounds: Sequence[FunctionValue]) -> FunctionValue:
    """The median of several rounds, with the interval of the round nearest to it: rather too wide than too narrow."""
    middle = median(value.value for value in rounds)
    nearest_to_it = min(rounds, key=lambda value: abs(value.value - middle))
    return replace(nearest_to_it, value=round(middle))


def judge_function(budget: Budget, value: FunctionValue | Unavailable, *, strict: bool) -> tuple[Verdict, ...]:
    """The verdicts on a budget on functions; strict: a glob that matches no function is unavailable, not 0."""
    if isinstance(value, Unavailable):
        return judge(budget, value)
    if strict and not value.matched:
        return judge(budget, Unavailable(no_match(value)))
    return tuple(_worded(verdict, value) for verdict in judge(budget, Reading(value.value, "heap profiles")))


def no_match(value: FunctionValue) -> str:
    """That a glob matches nothing."""
    meant = f"; did you mean {value.nearest}?" if value.nearest else ""
    return f"the budget on {value.metric} of '{value.function}' matches no function of the heap profiles{meant}"


def _worded(verdict: Verdict, value: FunctionValue) -> Verdict:
    """The verdict with the interval in its words; noisy where the limit lies inside of it."""
    limit = verdict.limit
    if verdict.kind == "regression":
        return verdict
    found = estimate_text(value, limit.unit.name == "bytes")
    if value.interval and abs(value.value - limit.value) <= value.interval:
        reason = f"{value.metric} is {found}: too close to its limit of {limit.written} to tell, so it does not fail"
        return replace(verdict, status=Status.NOISY, reason=reason, over=None, headroom=None)
    plain = format_value(value.value, limit.unit)
    return replace(verdict, reason=verdict.reason.replace(f"is {plain},", f"is {found},", 1))


def estimate_text(value: FunctionValue, is_bytes: bool) -> str:
    """An estimate as a person reads it: "10.2 MB +- 568 kB"; without the interval where it is exact."""
    unit = BYTES if is_bytes else COUNT
    width = f" +- {format_value(value.interval, unit)}" if value.interval else ""
    return format_value(value.value, unit) + width
