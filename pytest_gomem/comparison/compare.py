"""Compares the windows of a test with their base: verdicts, notes and culprits, or why there is none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_gomem.base.errors import GomemError
from pytest_gomem.comparison.base import Base, Finder, NotCompared
from pytest_gomem.comparison.merged import incomparable, missing, rounds_of
from pytest_gomem.comparison.strategy import Looks
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.figures import figure_of, is_observed
from pytest_gomem.judge.regressions import REGRESSION, Figures, regression_verdicts
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Metric, Noise
from pytest_gomem.measure.registry import Registry
from pytest_gomem.results.bill import against, next_to_kept
from pytest_gomem.results.keys import Key
from pytest_gomem.results.window_record import BillRecord, WindowRecord
from pytest_gomem.session.judging import Judging
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.stats import ranks
from pytest_gomem.stats.by_clock import ACCRUING, took_longer
from pytest_gomem.stats.decision import FEWEST, Status

_LONGEST_WATCH = 5.0  # seconds
_RESIDENT = ("peak_rss", "end_rss", "start_rss")


@dataclass(frozen=True)
class Comparing:
    """The comparisons of one test."""

    find: Finder
    judging: Judging
    registry: Registry

    def compared(self, key: Key, window: WindowRecord, last: Measurement) -> WindowRecord:
        """The window of all rounds with its base and the verdicts. last: the window in its last round."""
        base = self.find(key, window, last)
        if base is None:
            return window
        if isinstance(base, NotCompared):
            return replace(window, base=base.record, no_base=base.reason)
        verdicts = self.judging.with_accepted(self._verdicts(window, base, last))
        return replace(
            window,
            base=base.record,
            verdicts=(*without_regressions(window), *verdicts),
            notes=(*window.notes, *_notes(window, base, verdicts)),
            bill=_bill(window, base, verdicts),
        )

    def seconds_to_watch(self, key: Key, last: Measurement) -> float:
        """How long to watch the idle service after this window: as long as the window took, at most 5 seconds.

        0 if time explains nothing: it allocated no more than the base, or took no longer.
        """
        with contextlib.suppress(GomemError):  # the baseline cannot be read: the end of the test says so
            base = self.find(key, last.record, last)
            if isinstance(base, Base) and not last.service.is_shared and self._may_be_by_clock(last, base):
                return min(last.record.duration, _LONGEST_WATCH)
        return 0.0

    def _may_be_by_clock(self, last: Measurement, base: Base) -> bool:
        """Whether this one round took longer than the base's, and allocated more."""
        if not took_longer(base.rounds, rounds_of(last.record)):
            return False
        worse = (v.budget.metric for v in self._verdicts(last.record, base, last) if v.status is Status.NOISY)
        return not set(worse).isdisjoint(ACCRUING)

    def _verdicts(self, window: WindowRecord, base: Base, last: Measurement) -> tuple[Verdict, ...]:
        """Those on functions and types are of the rounds that have their figures: observed or profiled ones."""
        budgets = comparable(self.judging.budgets(window.service), window)
        of_globs = [budget for budget in budgets if budget.glob]
        whole = [budget for budget in budgets if not budget.glob]
        found = self._of_rounds(
            whole, window, base, rounds_of(window), [figure_of(b) for b in of_globs if b.regression]
        )
        profiled = rounds_of(window) if last.takes_profiles else window.observed_rounds
        if not of_globs or not profiled:
            return found
        before = replace(base.record, rounds=_observed_alone(base.record.observed_rounds or base.rounds))
        then = replace(base, record=before, not_comparable={}, left_out={})
        beside = [verdict.budget.metric for verdict in found]
        return *found, *self._of_rounds(of_globs, window, then, _observed_alone(profiled), beside)

    def _of_rounds(
        self,
        budgets: Sequence[Budget],
        window: WindowRecord,
        base: Base,
        head: Sequence[Figures],
        beside: Sequence[str] = (),
    ) -> tuple[Verdict, ...]:
        return regression_verdicts(
            budgets,
            {metric.name: metric for metric in self.registry},
            base.rounds,
            head,
            against=base.label,
            ops=window.ops,
            base_grows=not base.is_kept,
            missing=missing(window),
            not_comparable={**base.not_comparable, **incomparable(window)},
            left_out=base.left_out,
            strict=self.judging.strict,
            enough=self.judging.enough,
            beside=beside,
            lone=base.lone,
        )


def _observed_alone(rounds: Sequence[Figures]) -> tuple[Figures, ...]:
    return tuple({name: value for name, value in one.items() if is_observed(name)} for one in rounds)


def without_regressions(window: WindowRecord) -> tuple[Verdict, ...]:
    """The window's verdicts without those on `regression` limits that a comparison judges."""
    lost = _lost(window)
    return tuple(v for v in window.verdicts if v.kind != REGRESSION or v.budget in lost)


def comparable(budgets: Iterable[Budget], window: WindowRecord) -> list[Budget]:
    """The budgets that a comparison judges; for the others the window's own verdicts say what it could not measure."""
    lost = _lost(window)
    return [budget for budget in budgets if budget not in lost]


def _lost(window: WindowRecord) -> list[Budget]:
    """Budgets on what is not a metric of the window, such as functions, for which it has no figure."""
    known = {metric.name for metric in window.metrics}
    return [v.budget for v in window.verdicts if v.actual is None and v.budget.metric not in known]


def _notes(window: WindowRecord, base: Base, verdicts: Sequence[Verdict]) -> list[str]:
    """What a kept base lacks and no verdict mentions; and that a worse test does other work than before."""
    judged = {verdict.budget.metric for verdict in verdicts}
    left_out = [f"{name} is not compared: {why}" for name, why in base.left_out.items() if name not in judged]
    is_worse = any(verdict.status is Status.FAIL for verdict in verdicts)
    if not base.is_kept or not is_worse or base.record.ops == window.ops:
        return left_out
    did, before = ("none" if ops is None else str(ops) for ops in (window.ops, base.record.ops))
    other_work = f"the window did {did} operations, and {before} at {base.label}"
    return [f"{other_work}: if the test has changed, record it anew", *left_out]


def _bill(window: WindowRecord, base: Base, verdicts: Sequence[Verdict]) -> BillRecord | None:
    """The window's bill with what changed most; next to the baseline's bill if resident memory got worse."""
    if window.bill is None:
        return None
    if not base.is_kept:
        return against(window.bill, base.record.bill) if base.record.bill else window.bill
    worse = any(verdict.status is Status.FAIL and verdict.budget.metric in _RESIDENT for verdict in verdicts)
    return next_to_kept(window.bill, base.rounds) if worse else window.bill


def is_decided(
    windows: Sequence[WindowRecord], metrics: Mapping[str, Metric], looks: Looks, *, base_grows: bool = False
) -> bool:
    """Whether the remaining rounds can change no comparison of the test, or would only confirm what is fine.

    base_grows: the base side runs as many rounds.
    """
    found = [v for window in windows for v in window.verdicts if v.kind == REGRESSION and v.rounds is not None]
    if any(_is_suspect(verdict, looks.most) for verdict in found):
        return False
    return looks.confirms_only or not any(_is_open(verdict, metrics, looks.most, base_grows) for verdict in found)


def _is_suspect(verdict: Verdict, most: int) -> bool:
    """Whether the metric seems worse, and more rounds of this side must confirm it before the test fails."""
    assert verdict.rounds is not None
    seems_worse = verdict.status is Status.FAIL or (verdict.status is Status.NOISY and verdict.is_suspect)
    return seems_worse and verdict.rounds[1] < most


def _is_open(verdict: Verdict, metrics: Mapping[str, Metric], most: int, base_grows: bool) -> bool:
    """Whether that many rounds may decide what is still too noisy, against a base with enough rounds."""
    assert verdict.rounds is not None
    metric = metrics.get(verdict.budget.metric)  # None: functions, whose figures need no ranks
    least = ranks.FEWEST if metric is not None and metric.noise is Noise.NOISY else FEWEST
    needed = verdict.rounds_needed
    has_base = base_grows or verdict.rounds[0] >= least
    return verdict.status is Status.NOISY and needed is not None and needed <= most and has_base
