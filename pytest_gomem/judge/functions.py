"""Budgets on functions: the estimate of what they hold or made, its interval, the profile rate and the verdict.

The verdict: a limit outside of the 2 sigma interval around the estimate is kept or broken. A limit inside of it is
`noisy`, which fails nothing. So a function that keeps its limit fails in less than 1 of 40 windows even if its true
value is exactly the limit, and never if it is some sigmas below.

An estimate is unbiased at any sampling rate, and each round keeps its own interval. So two sides compare even if their
profile rates differ; a change must stand out of the wider of their intervals.

The runtime samples an object of s bytes with p = 1 - exp(-s / rate). An estimate of B bytes then has a sigma of
sqrt(s B (1 - p) / p), at most sqrt(rate B) for any size. For N objects it is sqrt(N (1 - p) / p), worst for the
smallest ones (attribution/sampling.py says why).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from pytest_gomem.attribution.origin import Origins
from pytest_gomem.attribution.sampling import SIGMAS, SMALLEST, Tally, counts_made, counts_objects, samples_of
from pytest_gomem.base.names import matches, nearest
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import BYTES, COUNT, format_value
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.decide import judge
from pytest_gomem.judge.figures import Asked
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.measure.metric import Reading
from pytest_gomem.observe.effective import GO_PROFILE_RATE
from pytest_gomem.pprof.group import frames_of
from pytest_gomem.pprof.model import Profile, location_ids
from pytest_gomem.stats.decision import PRIOR_SIGMAS, Status


@dataclass(frozen=True)
class FunctionValue:
    """What the functions of a glob hold at the window's close, or made in it: an estimate in bytes or objects.

    interval: half the width of the 2 sigma interval, rounded up; 0 if every allocation was sampled.
    rate: bytes per sample. matched: the functions of the profile, allocating or calling, that the glob matches.
    nearest: if there is none, the most similar name.
    """

    metric: str
    function: str
    cum: bool
    value: int
    interval: int
    rate: int
    matched: int
    nearest: str = ""

    @property
    def asked(self) -> Asked:
        """What it answers."""
        return Asked(self.metric, self.function, self.cum)


def function_values(
    asked: Iterable[Asked], after: Profile, before: Profile | None, module: GoModule
) -> dict[Asked, FunctionValue | Unavailable]:
    """The values of a window from two heap profiles: held at its close, or made since its opening.

    before: None leaves what was made unavailable. Allocations of the measuring itself don't count. Raises ProfileError
    if one of the two is not a heap profile.
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
    matched = sum(matches(asked.glob, name) for name in names)
    meant = "" if matched else nearest(asked.glob.replace("*", ""), names)
    return FunctionValue(*asked, max(tally.change, 0), interval, after.period, matched, meant)


def counting(asked: Asked) -> Callable[[Profile, bytes], bool]:
    """Whether a stack counts: the glob matches its leaf, or any of its frames for a cumulative value."""
    known: dict[tuple[int, bytes], bool] = {}
    named: dict[str, bool] = {}

    def is_named(name: str) -> bool:
        if name not in named:
            named[name] = matches(asked.glob, name)
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
    """All functions in these profiles, allocating or calling."""
    return {
        frame.function or ""
        for profile in profiles
        for location in profile.locations.values()
        for _, frame in frames_of(location, "function")
    }


def judge_function(budget: Budget, value: FunctionValue | Unavailable, *, strict: bool) -> tuple[Verdict, ...]:
    """The verdicts on a budget on functions; strict: a glob that matches no function is unavailable, not 0."""
    if isinstance(value, Unavailable):
        return judge(budget, value)
    if strict and not value.matched:
        return judge(budget, Unavailable(no_match(value)))
    return tuple(_worded(verdict, value) for verdict in judge(budget, Reading(value.value, "heap profiles")))


def no_match(value: FunctionValue) -> str:
    """The message for a glob that matches nothing."""
    meant = f"; did you mean {value.nearest}?" if value.nearest else ""
    return f"the budget on {value.metric} of '{value.function}' matches no function of the heap profiles{meant}"


def _worded(verdict: Verdict, value: FunctionValue) -> Verdict:
    """The verdict with the interval in its text; noisy if the limit lies inside of it."""
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
    """An estimate as text: "10.2 MB +- 568 kB"; without the interval if it is exact."""
    unit = BYTES if is_bytes else COUNT
    width = f" +- {format_value(value.interval, unit)}" if value.interval else ""
    return format_value(value.value, unit) + width


SIGMA_AT_LIMIT = 0.03
FINEST_SIGMA = 0.005  # 40 000 samples of the functions alone, from 0.1 to 0.6 s of CPU time
RATE_WITHOUT_LIMIT = 4 << 10  # for an unknown amount: 2% of 10 MB, 0.6% of 100 MB


def rate_for(budgets: Iterable[Budget]) -> int | None:
    """Bytes per sample so that each limit on functions has a sigma of at most 3%; None if Go's default will do.

    A `regression` needs a sixth of itself, down to 0.5%, because a comparison needs six sigmas. The rate is a power of
    two. At 1 every allocation is sampled, and nothing is uncertain.
    """
    rates = (rate for budget in budgets if budget.function for rate in _rates(budget))
    finest = min(rates, default=GO_PROFILE_RATE)
    return 1 << int(math.log2(finest)) if finest < GO_PROFILE_RATE else None


def _rates(budget: Budget) -> Iterable[float]:
    limits = [limit.value for limit in (budget.max, budget.min, budget.warn) if limit is not None]
    if not limits:
        return [RATE_WITHOUT_LIMIT]
    sigma = SIGMA_AT_LIMIT
    if budget.regression is not None:
        sigma = min(sigma, max(budget.regression.value / PRIOR_SIGMAS, FINEST_SIGMA))
    return [_rate(budget.metric, limit, sigma) for limit in limits]


def _rate(metric: str, limit: float, sigma: float) -> float:
    """The coarsest rate at which sigma is that share of the limit, not below 1."""
    samples = sigma**2 * limit  # what (1 - p) / p may be for objects, and the rate for bytes
    if not counts_objects(metric):
        return max(samples, 1.0)
    return max(SMALLEST / math.log1p(1 / samples), 1.0) if samples else 1.0
