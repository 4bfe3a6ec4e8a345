"""Decides whether a metric differs between two sides by more than its rounds scatter: one pure function.

A false alarm needs two things at once. The medians of two equal sides must differ by more than six sigmas of the
metric's prior; if the prior is true, this alone bounds the error by 1e-9. And their rounds must be separated in one of
two ways.

The first way: medians and means differ by more than Student's t allows for the scatter of these rounds, at a tail of
ALPHA over the number of metrics judged together. And, with a tenth of the change taken off, the rounds are still in an
order that equal sides have once in 12 870 comparisons, whatever their scatter. With 8 rounds each, all of one side are
then above the other.

The second way: each side has 8 rounds in that order, and the gap between them is wider than 2 sigmas of the prior, and
than 0.4 of the wider side's range or 3 times the base's.

One case is left: a service with two equally frequent levels. In 1 of 65 536 comparisons 8 rounds of the base are on the
lower level, and 8 of the head on the upper one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property
from statistics import median

from pytest_gomem.measure.metric import Better, Metric, Noise
from pytest_gomem.stats import ranks
from pytest_gomem.stats.by_clock import made_by_clock
from pytest_gomem.stats.by_interval import OVERLAP, Bounds, interval_of_change
from pytest_gomem.stats.ranks import rounds_needed
from pytest_gomem.stats.scatter import Scatter
from pytest_gomem.stats.separation import Gap, is_no_chance

ALPHA = 1e-5  # false alarms per comparison of a test's metrics: below one a month for 100 tests run 20 times a day
NOISY_ALPHA = 1e-3  # for metrics judged by ranks, which only a budget asks for
PRIOR_SIGMAS = 6
TO_SPARE = 0.1  # of a change: a round of the upper of two levels may lie at the top of the lower one
FEWEST = 3  # rounds of each side before anything fails: fewer do not show their own scatter
ENOUGH = 8  # rounds of each side: chance separates them in 1 of 12 870 orders, so more are not needed

# The metrics judged by default, and the least worsening that counts, as a ratio of the baseline.
PRIMARY = {
    "live_heap": 0.005,
    "alloc_bytes_per_op": 0.005,
    "allocs_per_op": 0.005,
    "peak_rss": 0.02,
    "goroutines": 0.0,
}


class Status(Enum):
    """How a budget or comparison came out."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    IMPROVED = "improved"
    NOISY = "noisy"
    NO_BASELINE = "no_baseline"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class Comparison:
    """How one metric's rounds compare; base and head are medians, change = head - base, all in the metric's unit.

    interval: the change's 95% interval. rounds: of the base and of the head. rounds_needed, base_needed: how many of
    the head and of the base would be enough to decide; None if these are enough, or if 50 would not be. threshold: what
    the change had to exceed, unless 8 rounds of each side are separated. smallest_visible: a worsening that as many
    rounds as a run takes before it fails would find 19 times in 20. Both are None if no change would be enough.
    tolerance: the least worsening that counts, a ratio of the base.
    rule: "separation", "ranks", "intervals", or "" if nothing was decided.
    is_suspect: worse, with fewer than ENOUGH rounds, all separated: more should run.
    """

    metric: str
    status: Status
    base: float | None
    head: float | None
    change: float | None
    interval: tuple[float, float] | None
    rounds: tuple[int, int]
    rounds_needed: int | None
    threshold: float | None
    smallest_visible: float | None
    tolerance: float
    rule: str
    reason: str
    base_needed: int | None = None
    is_suspect: bool = False

    @property
    def ratio(self) -> float | None:
        """The change as a share of the base; None for a base of 0."""
        return self.change / abs(self.base) if self.change is not None and self.base else None


def compare(
    metric: Metric,
    base: Sequence[float],
    head: Sequence[float],
    tolerance: float,
    *,
    ops: int | None = None,
    decisions: int = 1,
    base_grows: bool = True,
    is_asked: bool = True,
    enough: int = ENOUGH,
    by_clock: float = 0.0,
    bounds: tuple[Bounds, Bounds] | None = None,
) -> Comparison:
    """Whether `head` is worse than `base` by more than the tolerance and by more than the scatter of their rounds.

    ops: operations of a round; the scatter of the whole window is divided by them. decisions: how many share the error
    rate, see `decisions_of`. base_grows: more rounds of the base can run too. is_asked: a budget set the tolerance, so
    a change beyond it but within the prior's scatter is 'noisy'; else it passes. enough: rounds before it can fail.
    by_clock: the part of a worsening that is only because the windows took longer; it does not count. bounds: of a
    metric with intervals, those of both sides.
    """
    case = _Case(metric, base, head, tolerance, ops, base_grows, is_asked, enough, by_clock)
    if not head:
        return case.outcome(Status.UNAVAILABLE, reason="there are no figures of the head")
    if not base:
        return case.outcome(Status.NO_BASELINE, reason="there is nothing to compare with")
    if metric.has_interval:
        return _by_intervals(case, *(bounds or (Bounds((), ()), Bounds((), ()))))
    if metric.noise is Noise.NOISY:
        return _by_ranks(case, NOISY_ALPHA / decisions)
    return _by_separation(case, ALPHA / decisions)


def decisions_of(metric: Metric, judged: Iterable[Metric]) -> int:
    """How many decisions share the error rate of a metric's class: those of its metrics that are judged together.

    Early looks take no share: a test can pass after one of them, but fails only after the last.
    """
    noisy = metric.noise is Noise.NOISY
    return max(sum((one.noise is Noise.NOISY) == noisy for one in judged), 1)


@dataclass(frozen=True)
class _Case:
    """The rounds of both sides, and what follows from them."""

    metric: Metric
    base: Sequence[float]
    head: Sequence[float]
    tolerance: float
    ops: int | None
    base_grows: bool
    is_asked: bool
    enough: int
    by_clock: float

    @property
    def counts(self) -> tuple[int, int]:
        return len(self.base), len(self.head)

    @cached_property
    def base_median(self) -> float:
        return median(self.base)

    @cached_property
    def head_median(self) -> float:
        return median(self.head)

    @property
    def at_most(self) -> tuple[int, int]:
        """How many rounds of each side a run takes before this metric fails."""
        base, head = (max(count, self.enough) for count in self.counts)
        return base if self.base_grows else len(self.base), head

    @property
    def change(self) -> float:
        return self.head_median - self.base_median

    @property
    def sure_change(self) -> float:
        """The smaller of the changes of median and mean; 0 if their directions differ."""
        of_means = math.fsum(self.head) / len(self.head) - math.fsum(self.base) / len(self.base)
        return min(abs(self.change), abs(of_means)) if of_means * self.change > 0 else 0.0

    @cached_property
    def prior(self) -> float:
        """One sigma of a round, by the metric's prior."""
        return self.metric.scatter.sigma(self.base_median, self.ops)

    @property
    def tolerated(self) -> float:
        """The tolerance in the metric's unit."""
        return self.tolerance * abs(self.base_median)

    @property
    def least(self) -> float:
        """The least worsening that counts, even if these rounds scatter little, in the metric's unit."""
        return max(self.tolerated, PRIOR_SIGMAS * self.prior)

    @property
    def excused(self) -> float:
        """The part of the change that is by the clock, not by the code."""
        return self.by_clock if self.is_worse() else 0.0

    @property
    def gap(self) -> Gap:
        """The gap between the sides, without the part by the clock."""
        found = Gap.between(self.base, self.head, self.prior)
        return replace(found, size=found.size - self.excused)

    @property
    def is_in_order(self) -> bool:
        """Whether one side's rounds are above the other's by some margin, in an order that equal sides hardly have."""
        off = self.excused + TO_SPARE * (abs(self.change) - self.excused)
        left = [value - math.copysign(off, self.change) for value in self.head]
        return is_no_chance(self.base, left) if self.change > 0 else is_no_chance(left, self.base)

    def is_worse(self) -> bool:
        return self.change > 0 if self.metric.better is Better.LOWER else self.change < 0

    def status(self, found: bool) -> Status:
        """Worse, better or neither; a worsening that counts but does not stand out is noisy."""
        if found:
            return Status.FAIL if self.is_worse() else Status.IMPROVED
        allowed = self.tolerated if self.is_asked else self.least
        return Status.NOISY if self.is_worse() and abs(self.change) > allowed else Status.PASS

    def outcome(
        self,
        status: Status,
        *,
        rule: str = "",
        interval: tuple[float, float] | None = None,
        needed: tuple[int, int] | None = None,
        threshold: float | None = None,
        visible: float | None = None,
        reason: str = "",
        is_suspect: bool = False,
    ) -> Comparison:
        both = bool(self.base and self.head)
        return Comparison(
            metric=self.metric.name,
            status=status,
            base=self.base_median if self.base else None,
            head=self.head_median if self.head else None,
            change=self.change if both else None,
            interval=interval,
            rounds=self.counts,
            rounds_needed=needed[1] if needed else None,
            base_needed=needed[0] if needed else None,
            threshold=threshold,
            smallest_visible=visible,
            tolerance=self.tolerance,
            rule=rule,
            reason=reason,
            is_suspect=is_suspect,
        )


def _by_separation(case: _Case, alpha: float) -> Comparison:
    scatter, change, counts = Scatter.of(case.prior, (case.base, case.head)), case.change, case.counts
    own, threshold = abs(change) - case.excused, max(case.least, scatter.threshold(alpha, *counts))
    by_clock = made_by_clock(case.excused, own, case.least, case.metric.unit)
    enough = min(counts) >= FEWEST
    counts_at_all = enough and own > case.least
    by_t = case.sure_change - case.excused > threshold
    status = case.status(counts_at_all and ((by_t and case.is_in_order) or _are_apart(case)))
    noisy, half = status is Status.NOISY, scatter.half_interval(*counts)
    may_be_decided = noisy and own > case.least
    return case.outcome(
        status,
        rule="separation",
        interval=(change - half, change + half),
        needed=_needed(case, lambda *sides: scatter.threshold(alpha, *sides) < own) if may_be_decided else None,
        threshold=threshold + case.excused if enough else None,
        visible=scatter.visible(alpha, *case.at_most, case.least) + case.excused if enough else None,
        reason=_why_noisy(case, enough, by_clock, by_t) if noisy else by_clock,
        is_suspect=own > case.least and case.is_worse() and _may_lie_apart(case),
    )


def _by_intervals(case: _Case, base: Bounds, head: Bounds) -> Comparison:
    is_apart = head.lie_above(base, case.tolerated) or base.lie_above(head, case.tolerated)
    # Where no growth can be told, its slope is scatter about 0: larger or smaller, it says nothing.
    is_told = bool(head.low) and (median(head.low) > 0 if case.metric.better is Better.LOWER else bool(head.high))
    found = is_apart and min(case.counts) >= FEWEST
    status = case.status(found) if found or is_told else Status.PASS
    return case.outcome(
        status,
        rule="intervals",
        interval=interval_of_change(base, head),
        reason=("too few rounds to tell" if is_apart else OVERLAP) if status is Status.NOISY else "",
        is_suspect=is_apart and case.is_worse() and min(case.counts) < ENOUGH,
    )


def _are_apart(case: _Case) -> bool:
    return min(case.counts) >= ENOUGH and case.gap.is_wide


def _may_lie_apart(case: _Case) -> bool:
    """Whether ENOUGH rounds of each side may still be separated; t does not see this if there are outliers."""
    fewer = min(case.counts)
    lies_apart = case.gap.size > 0 if fewer >= FEWEST else len(case.base) >= ENOUGH and case.gap.is_wide
    return fewer < ENOUGH and lies_apart


def _why_noisy(case: _Case, enough: bool, by_clock: str, by_t: bool) -> str:
    if abs(case.change) <= case.least:
        return "the change is within the usual scatter of such figures: more work in the test would show it"
    if by_clock:
        return by_clock
    if not enough:
        return f"too few rounds to tell: {FEWEST} of each side are the least"
    if by_t:
        return "rounds of the two sides lie too close to each other"
    return "the change is within the scatter of its rounds"


def _needed(
    case: _Case, suffices: Callable[[int, int], bool], fewest: int = FEWEST, at_least: int = 0
) -> tuple[int, int] | None:
    return rounds_needed(case.counts, suffices, fewest, at_least, base_grows=case.base_grows)


def _by_ranks(case: _Case, alpha: float) -> Comparison:
    change = case.change
    attainable = ranks.smallest_p(*case.counts) <= alpha and min(case.counts) >= ranks.FEWEST
    at_least = 2 * case.counts[1] if attainable else 0
    needed = _needed(case, lambda *sides: ranks.smallest_p(*sides) <= alpha, ranks.FEWEST, at_least)
    if min(case.counts) < ranks.FEWEST:
        reason = f"a {case.metric.noise.value} metric needs {ranks.FEWEST} rounds of each side"
        return case.outcome(Status.NOISY, needed=needed, reason=reason)
    if not ranks.available():
        return case.outcome(Status.NOISY, reason=ranks.MISSING)
    p = ranks.rank_p(case.base, case.head) if change > 0 else ranks.rank_p(case.head, case.base)
    low, high = ranks.bootstrap(case.base, case.head)
    status = case.status(p <= alpha and not low <= 0 <= high and abs(change) > case.least)
    noisy = status is Status.NOISY
    return case.outcome(
        status,
        rule="ranks",
        interval=(low, high),
        needed=needed if noisy else None,
        threshold=max(case.least, (high - low) / 2),
        visible=max(case.least, (high - low) / 2) + (high - low) / 2,
        reason=(ranks.MIXED if attainable else ranks.TOO_FEW) if noisy else "",
    )
