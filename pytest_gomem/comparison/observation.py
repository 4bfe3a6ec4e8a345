"""The observed rounds of a test: planned from the verdicts of its measured rounds, and bounded in number."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import mean
from typing import Protocol

from pytest_gomem.attribution.culprits import AT_PEAK, SAMPLE_OF
from pytest_gomem.attribution.living import GROWTH
from pytest_gomem.comparison.strategy import HeadAlone, Looks, Results, Strategy
from pytest_gomem.config.budgets import Budget
from pytest_gomem.config.dump_limits import DEFAULT_LIMITS
from pytest_gomem.diagnosis.excess import (
    SEEN,
    ProfileRate,
    excess_of,
    explainable,
    in_bytes,
    is_traced,
    lives,
    needs_profiles,
    rate_for_excess,
    rate_to_keep,
)
from pytest_gomem.instruments.at_limit import AtLimit
from pytest_gomem.instruments.execution_trace import execution_trace
from pytest_gomem.instruments.finalizer_check import finalizer_check
from pytest_gomem.instruments.heap_dump import HeapDump, HeapGrowth
from pytest_gomem.instruments.opening_profile import OpeningProfile
from pytest_gomem.instruments.registry import observing
from pytest_gomem.judge.functions import rate_for
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Reading
from pytest_gomem.report.text import readings
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.functions import SECONDS_PER_SAMPLE
from pytest_gomem.session.instrument import Instrument, WindowPlan
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.plan import Role, RoundPlan, Side

_MOST_ROUNDS = 2  # of each side, for a diagnosis
_DUMPED = 2e-6  # seconds for an object: 2 s of stop and 6 s of reading were measured with 5.5 million

Measured = Sequence[tuple[WindowRecord, Measurement]]  # the windows of all rounds, each with its last measurement


@dataclass(frozen=True)
class Purpose:
    """What a test may be observed for.

    budgets: plans the rounds for its budgets on functions and types, if there are any with `regression`.
    refusal: why a failed test is not diagnosed, "" if it is; asked once, with the seconds that a round takes.
    keeps_profile: a profile is kept with its baseline.
    """

    budgets: Strategy
    refusal: Callable[[float], str]
    keeps_profile: bool = False


class ObservedResults(Results, Protocol):
    """What the observed rounds so far have shown."""

    @property
    def wants_check(self) -> bool:
        """Whether a round is to look for finalizers that keep their own objects."""

    def count_traced(self, side: Side) -> int:
        """How many rounds of a side took an execution trace."""


_FINALIZERS = RoundPlan(Side.HEAD, Role.OBSERVED, instruments=finalizer_check, checks_finalizers=True)


@dataclass(frozen=True)
class Observation:
    """The plan of the observed rounds. sides, rounds: for a diagnosis, or a kept profile, so many rounds of each side.

    rates: bytes per sample by service. at_limit: the services that were killed at their memory limits. dumps: by
    service and window, what takes a heap dump of it in the last of these rounds. counted: by service and window the
    types whose objects budgets count, which takes a dump in each round. traced: the services and windows that take an
    execution trace, in one more round of each of traced_sides. seconds: that a round takes, about. left_out: why there
    is no diagnosis of what failed and could be explained.
    """

    budgets: Strategy | None = None
    sides: tuple[Side, ...] = ()
    rounds: int = 0
    rates: Mapping[str, ProfileRate] = field(default_factory=dict)
    watches_peak: bool = False
    takes_stacks: bool = False
    at_limit: frozenset[str] = frozenset()
    dumps: Mapping[tuple[str, str], type[HeapDump]] = field(default_factory=dict)
    counted: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    traced: frozenset[tuple[str, str]] = frozenset()
    traced_sides: tuple[Side, ...] = ()
    is_diagnosis: bool = False
    seconds: float = 0.0
    left_out: str = ""

    def next(self, results: ObservedResults) -> RoundPlan | None:
        """First the rounds for budgets on functions and types, then those that are missing, a trace being the last.

        If a heap dump then shows no holder of what lives, one more looks for finalizers and cleanups.
        """
        planned = self.budgets.next(results) if self.budgets is not None else None
        sides = (planned.side,) if planned is not None else self._missing(results)
        side = next(iter(sides), None)
        if side is None and (traced := next(self._untraced(results), None)) is not None:
            return RoundPlan(traced, Role.OBSERVED, instruments=self._tracing, takes_trace=True)
        if side is None:
            return _FINALIZERS if self.is_diagnosis and results.wants_check else None
        is_last = results.count(side) == self.rounds - 1
        instruments = partial(self._instruments, is_last)
        return RoundPlan(side, Role.OBSERVED, instruments=instruments, ends_at_limit=bool(self.at_limit))

    def _missing(self, results: Results) -> Iterator[Side]:
        sides = [side for side in self.sides if side is Side.HEAD or not results.base_lost]
        return (side for count in range(self.rounds) for side in sides if results.count(side) <= count)

    def _untraced(self, results: ObservedResults) -> Iterator[Side]:
        sides = (side for side in self.traced_sides if side is Side.HEAD or not results.base_lost)
        return (side for side in sides if not results.count_traced(side))

    @property
    def expected(self) -> int:
        """The rounds of a diagnosis, all sides together."""
        return self.rounds * len(self.sides) + len(self.traced_sides)

    def _tracing(self, window: WindowPlan) -> tuple[Instrument, ...]:
        return execution_trace(window) if (window.service, window.window) in self.traced else ()

    def _instruments(self, is_last: bool, window: WindowPlan) -> tuple[Instrument, ...]:
        if window.outlives_round:  # it would be disturbed in the measured rounds of other tests, too
            return ()
        own = window.config
        rate = self.rates.get(window.service, ProfileRate(None)).bytes
        watches_peak = self.watches_peak or (own is not None and own.peak_profile)
        said = None if own is None else own.profile_rate
        if window.service in self.at_limit:
            return AtLimit(), OpeningProfile(rate if said is None else said)
        dump = self._dump(window, is_last=is_last)
        return observing(
            rate if said is None else said,
            watches_peak=watches_peak,
            takes_stacks=self.takes_stacks,
            dump=dump,
        )

    def _dump(self, window: WindowPlan, *, is_last: bool) -> HeapDump | None:
        key = window.service, window.window
        kind = (self.dumps.get(key) if is_last else None) or (HeapDump if key in self.counted else None)
        limits = DEFAULT_LIMITS if window.config is None else window.config.retention
        return None if kind is None else kind(limits, self.counted.get(key, ()))


def observation(measured: Measured, purpose: Purpose, seconds: float, *, has_base_side: bool) -> Observation:
    """Plan it. measured: the windows that can be observed. seconds: that a measured round takes."""
    seen = [(window, one) for window, one in measured if not one.unseen]
    failed = {id(one): verdicts for window, one in seen if (verdicts := explainable(window))}
    rates: dict[str, ProfileRate] = {}
    for window, one in measured:
        for rate in _rates(window, one, failed.get(id(one), ()), keeps_profile=purpose.keeps_profile):
            rates[window.service] = min(rates.get(window.service, rate), rate, key=lambda rate: rate.finest)
    dumps = {
        (window.service, window.name): HeapDump
        if one.service.process.no_agent  # it says why there is none
        else _dump(window, one, found, has_base_side=has_base_side)
        for window, one in seen
        if (found := lives(window))
    }
    counted = {(w.service, w.name): types for w, one in measured if (types := _types(one.observed_budgets))}
    longest = seconds + max((_sampling(w, one, rates.get(w.service)) for w, one in measured), default=0.0)
    longest += sum(_dumping(window) for window, _ in measured if (window.service, window.name) in {*dumps, *counted})
    every = [verdict for window, one in seen for verdict in failed.get(id(one), ()) if needs_profiles(verdict, window)]
    traced = [(window, verdict) for window, one in seen for verdict in _traced(window, one, failed.get(id(one), ()))]
    left_out = "" if not failed else purpose.refusal(longest) if every or traced else _no_agent(seen)
    is_diagnosis = bool(failed) and not left_out
    again = any(rate.is_coarse for rate in rates.values()) or HeapGrowth in dumps.values()
    rounds = (_MOST_ROUNDS if again and not traced else 1) if every else 0
    kept = int(purpose.keeps_profile and bool(measured))
    if rounds < _MOST_ROUNDS:  # a dump at the opening has a round after the one of the profiles
        dumps = dict.fromkeys(dumps, HeapDump)
    return Observation(
        budgets=_for_budgets([budget for _, one in measured for budget in one.observed_budgets], purpose),
        sides=_sides(every, has_base_side=has_base_side and is_diagnosis),
        rounds=max(rounds, kept) if is_diagnosis else kept,
        traced=frozenset((window.service, window.name) for window, _ in traced),
        traced_sides=_sides([v for _, v in traced], has_base_side=has_base_side) if traced and is_diagnosis else (),
        rates=rates,
        watches_peak=purpose.keeps_profile or any(verdict.budget.metric in AT_PEAK for verdict in every),
        takes_stacks=is_diagnosis or purpose.keeps_profile,
        at_limit=frozenset(window.service for window, one in seen if is_diagnosis and _is_killed(window)),
        dumps=dumps if is_diagnosis else {},
        counted=counted,
        is_diagnosis=is_diagnosis,
        seconds=longest,
        left_out=left_out,
    )


def _is_killed(window: WindowRecord) -> bool:
    return window.oom is not None and not window.oom.is_child


def _traced(window: WindowRecord, one: Measurement, failed: Sequence[Verdict]) -> Iterator[Verdict]:
    """The verdicts that a trace is taken for; none without the agent, or where the service would be killed again."""
    return iter(()) if one.service.process.no_agent or window.oom else filter(is_traced, failed)


def _no_agent(seen: Iterable[tuple[WindowRecord, Measurement]]) -> str:
    reasons = (one.service.process.no_agent for _, one in seen)
    return f"an execution trace would tell, and it needs the agent: {next(filter(None, reasons), '')}"


def _sides(failed: Sequence[Verdict], *, has_base_side: bool) -> tuple[Side, ...]:
    compares = has_base_side and any(verdict.kind == REGRESSION for verdict in failed)
    return (Side.HEAD, Side.BASE) if compares else (Side.HEAD,)


def _types(budgets: Iterable[Budget]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(budget.type for budget in budgets if budget.type))


def _dump(window: WindowRecord, one: Measurement, broken: Sequence[Verdict], *, has_base_side: bool) -> type[HeapDump]:
    """Of growth, whose holders are those of what has come in the window; else of all that lives.

    In a comparison of two sides each is dumped once: they differ in what one holds more.
    """
    if any(verdict.budget.metric in GROWTH for verdict in broken):
        return HeapGrowth
    compares = has_base_side and any(verdict.kind == REGRESSION for verdict in broken)
    return HeapGrowth if not compares and _grew(window, one.grown, broken) else HeapDump


def _grew(window: WindowRecord, growth: int, broken: Sequence[Verdict]) -> bool:
    """Whether the live heap grew in the window by what breaks the limits. growth: bytes, 0 if unknown."""
    metrics = ((verdict, verdict.budget.metric) for verdict in broken if verdict.budget.metric in SAMPLE_OF)
    excess = max((in_bytes(excess_of(verdict, window), metric) for verdict, metric in metrics), default=0.0)
    return 0 < SEEN * excess <= growth


def _dumping(window: WindowRecord) -> float:
    """The seconds that a heap dump of the window takes, and reading it, about."""
    objects = readings(window).get("heap_objects")
    return objects.value * _DUMPED if isinstance(objects, Reading) else 0.0


def _for_budgets(budgets: Sequence[Budget], purpose: Purpose) -> Strategy | None:
    """The rounds for budgets on functions and types: one, if nothing is compared."""
    if not budgets:
        return None
    return purpose.budgets if any(budget.regression for budget in budgets) else HeadAlone(Looks(1))


def _rates(
    window: WindowRecord, one: Measurement, failed: Sequence[Verdict], *, keeps_profile: bool
) -> Iterator[ProfileRate]:
    """The rates that a window's failed verdicts need, and its budgets on functions, and a profile that is kept."""
    for verdict in failed:
        if excess := excess_of(verdict, window):
            yield rate_for_excess(excess, verdict.budget.metric, one.allocated)
    yield ProfileRate(rate_for(one.observed_budgets))
    if keeps_profile:
        yield ProfileRate(rate_to_keep(one.allocated))


def _sampling(window: WindowRecord, one: Measurement, rate: ProfileRate | None) -> float:
    """The seconds of CPU that the samples of a round take, about."""
    if rate is None or rate.bytes is None:
        return 0.0
    size = _object_size(window)
    samples = one.allocated / size * -math.expm1(-size / rate.bytes)
    return samples * mean(SECONDS_PER_SAMPLE)


def _object_size(window: WindowRecord) -> float:
    """Bytes of an object that the window allocated, on average; tiny if that is not known."""
    made = [one for name in ("total_alloc", "allocs") if isinstance(one := readings(window).get(name), Reading)]
    return max(made[0].value / made[1].value, 1.0) if len(made) == 2 and made[1].value else 1.0
