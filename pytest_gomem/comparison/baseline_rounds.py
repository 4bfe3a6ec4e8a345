"""Holds a test's windows against kept figures, and knows when more rounds could say no more."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median
from typing import Protocol

from pytest_gomem.attribution.culprits import SAMPLE_OF
from pytest_gomem.attribution.sampling import counts_made
from pytest_gomem.base.errors import GomemError, ObserveError
from pytest_gomem.comparison.rounds import values
from pytest_gomem.comparison.sides import comparable, missing, only_bounded, without_regressions
from pytest_gomem.diagnosis.reasons import Reasons
from pytest_gomem.diagnosis.two_sides import WithBaseline, accused
from pytest_gomem.judge.regressions import REGRESSION, Figures, regression_verdicts
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Metric, Noise, Reading
from pytest_gomem.measure.registry import Registry
from pytest_gomem.pprof.model import Profile
from pytest_gomem.report.bill import next_to_kept
from pytest_gomem.results.keys import Key, by_window
from pytest_gomem.results.window_record import BillRecord, BuildRecord, GcRecord, WindowRecord
from pytest_gomem.session.judging import Judging
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.stats import ranks
from pytest_gomem.stats.by_clock import ACCRUING, took_longer
from pytest_gomem.stats.decision import FEWEST, Status

_SHARED = "its process serves other tests too (gomem_session): what is in it depends on which of them have run"
_LONGEST_WATCH = 5.0  # seconds
_RESIDENT = ("peak_rss", "end_rss", "start_rss")


def no_heap() -> Profile:
    """The heap profile of rounds that left none; raises ObserveError."""
    raise ObserveError("the baseline was recorded without a heap profile: gomem baseline update keeps one")


@dataclass(frozen=True)
class Reference:
    """Kept rounds that a window is held against. label: as reports call them, "the baseline of 0a1b2c3".

    ops: of each round. heap: gives the heap profile after the last one's close; raises ObserveError with the reason.
    not_comparable: the metrics whose kept figures do not compare and are left out of the rounds, each with the reason.
    left_out: those that were too noisy to be kept, each with how noisy.
    """

    label: str
    rounds: tuple[Figures, ...]
    ops: int | None = None
    heap: Callable[[], Profile] = no_heap
    not_comparable: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NoReference:
    """Why what is kept does not compare: it is of other conditions."""

    reason: str


class References(Protocol):
    """Knows what the windows of a test are held against."""

    def exists(self, nodeid: str) -> bool:
        """Whether there is anything to compare this test with, so that more rounds of it may tell something."""

    def can_fail(self, nodeid: str) -> bool:
        """Whether what the test is compared with has rounds enough to fail it, so that its own are worth their time."""

    def has_heap(self, nodeid: str) -> bool:
        """Whether a heap profile is kept of this test, so that one of each window is worth its cost."""

    def find(self, nodeid: str, key: Key, window: WindowRecord) -> Reference | NoReference | None:
        """What a window is held against, or why it cannot be; None where nothing is kept of it."""


@dataclass(frozen=True)
class Comparing:
    """The comparisons of one test. reasons: asked why culprits do what they do; None = nobody asks."""

    references: References
    judging: Judging
    registry: Registry
    reasons: Reasons | None = None

    def compared(
        self, windows: Sequence[WindowRecord], measured: Mapping[Key, Measurement], *, names_culprits: bool = True
    ) -> tuple[WindowRecord, ...]:
        """The windows of all rounds as one, each with its base, the verdicts of their comparison and whose line it was.

        measured: the last round of each window. names_culprits: whether anybody asks whose line it was.
        """
        keyed = {key: like[0] for key, like in by_window([windows]).items()}
        return tuple(self._compared(key, window, measured[key], names_culprits) for key, window in keyed.items())

    def seconds_to_watch(self, key: Key, measured: Measurement) -> float:
        """How long to watch the service without work after this window: as long as it took, 5 seconds at the most.

        0 where the clock explains nothing: it allocated no more than the baseline did, or took no longer.
        """
        window = measured.record
        with contextlib.suppress(GomemError):  # what is kept cannot be read: the end of the test says so
            reference = self.references.find(self.judging.nodeid, key, window)
            if isinstance(reference, Reference) and not measured.service.is_shared:
                return min(window.duration, _LONGEST_WATCH) if self._may_be_by_clock(reference, measured) else 0.0
        return 0.0

    def _may_be_by_clock(self, reference: Reference, measured: Measurement) -> bool:
        """Whether this one round took longer than the baseline's, and made more."""
        new = (values(measured.record),)
        if not took_longer(reference.rounds, new):
            return False
        worse = (v.budget.metric for v in self._verdicts(reference, measured, new) if v.status is Status.NOISY)
        return not set(worse).isdisjoint(ACCRUING)

    def _compared(self, key: Key, window: WindowRecord, measured: Measurement, names_culprits: bool) -> WindowRecord:
        reference = self.references.find(self.judging.nodeid, key, window)
        if reference is None:
            return window
        if isinstance(reference, NoReference):
            return replace(window, no_base=reference.reason)
        if measured.service.is_shared and len(window.rounds) > 1:
            return replace(window, no_base=_SHARED)
        verdicts = self.judging.with_accepted(self._verdicts(reference, measured, rounds_of(window), window))
        both = replace(
            window,
            base=_base(window, reference),
            verdicts=(*without_regressions(window), *verdicts),
            notes=(*window.notes, *_other_work(window, reference, verdicts), *_left_out(reference, verdicts)),
            bill=_bill(window, verdicts, reference),
        )
        if not names_culprits:
            return both
        pairs = WithBaseline(measured, partial(_heap, reference, window))
        return accused(both, verdicts, pairs, reasons=self.reasons)

    def _verdicts(
        self, reference: Reference, measured: Measurement, rounds: Sequence[Figures], merged: WindowRecord | None = None
    ) -> tuple[Verdict, ...]:
        """Of these rounds of a window; merged: the window of all of them, where they are several."""
        window = merged or measured.record
        return regression_verdicts(
            comparable(self.judging.budgets(window.service), window),
            {metric.name: metric for metric in self.registry},
            reference.rounds,
            rounds,
            against=reference.label,
            ops=window.ops,
            base_grows=False,
            missing=missing(window),
            not_comparable={**reference.not_comparable, **only_bounded(window)},
            left_out=reference.left_out,
            strict=self.judging.strict,
            enough=self.judging.enough,
            lone=_SHARED if measured.service.is_shared else "",
        )


def rounds_of(window: WindowRecord) -> tuple[Figures, ...]:
    """What each round of the window measured; of a test that ran once that is its one round."""
    return window.rounds or (values(window),)


def _other_work(window: WindowRecord, reference: Reference, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """That a test which is worse does not do what it did then: it may be no regression of the service's."""
    if reference.ops == window.ops or not any(verdict.status is Status.FAIL for verdict in verdicts):
        return ()
    did, before = ("none" if ops is None else str(ops) for ops in (window.ops, reference.ops))
    return (
        f"the window did {did} operations, and {before} at {reference.label}: if the test has changed, record it anew",
    )


def _left_out(reference: Reference, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """What has no baseline, of which no verdict speaks since nobody asked for one."""
    judged = {verdict.budget.metric for verdict in verdicts}
    return tuple(f"{name} is not compared: {why}" for name, why in reference.left_out.items() if name not in judged)


def _bill(window: WindowRecord, verdicts: Sequence[Verdict], reference: Reference) -> BillRecord | None:
    """The window's bill, next to the baseline's where it is resident memory that got worse."""
    worse = any(verdict.status is Status.FAIL and verdict.budget.metric in _RESIDENT for verdict in verdicts)
    return next_to_kept(window.bill, reference.rounds) if window.bill and worse else window.bill


def _heap(reference: Reference, window: WindowRecord, metric: str) -> Profile:
    """The kept heap profile; raises ObserveError also where what was allocated is of other work."""
    if counts_made(SAMPLE_OF[metric]) and reference.ops != window.ops:
        raise ObserveError(f"the window did {window.ops} operations, and {reference.label} {reference.ops}")
    return reference.heap()


def _base(window: WindowRecord, reference: Reference) -> WindowRecord:
    """The kept rounds as the window that they were: their medians, and nothing else that is known."""
    every = [
        (metric, [one[metric.name] for one in reference.rounds if metric.name in one]) for metric in window.metrics
    ]
    return WindowRecord(
        name=window.name,
        service=window.service,
        build=BuildRecord(reference.label),
        gc=GcRecord(),
        ops=window.ops,
        duration=0.0,
        metrics=tuple(replace(metric, result=Reading(median(kept), reference.label)) for metric, kept in every if kept),
        rounds=reference.rounds,
    )


def is_decided(
    windows: Sequence[WindowRecord],
    metrics: Mapping[str, Metric],
    most: int,
    *,
    base_grows: bool = False,
    confirms_only: bool = False,
) -> bool:
    """Whether up to `most` rounds could change no comparison of the test, or would only bear out what is fine.

    base_grows: the base side runs rounds too, `most` of each side. confirms_only: more rounds are run of what seems
    worse, and not of what is too noisy to tell.
    """
    found = [v for window in windows for v in window.verdicts if v.kind == REGRESSION and v.rounds is not None]
    return not any(
        _is_suspect(v, most) or (not confirms_only and _is_open(v, metrics, most, base_grows)) for v in found
    )


def _is_suspect(verdict: Verdict, most: int) -> bool:
    """Whether the metric seems worse, and more rounds of this side are to bear it out before the test fails."""
    assert verdict.rounds is not None
    seems_worse = verdict.status is Status.FAIL or (verdict.status is Status.NOISY and verdict.is_suspect)
    return seems_worse and verdict.rounds[1] < most


def _is_open(verdict: Verdict, metrics: Mapping[str, Metric], most: int, base_grows: bool) -> bool:
    """Whether that many rounds may tell what is too noisy to tell as yet, against a base that has enough of its own."""
    assert verdict.rounds is not None
    metric = metrics.get(verdict.budget.metric)  # None: of functions, whose figures need no ranks
    least = ranks.FEWEST if metric is not None and metric.noise is Noise.NOISY else FEWEST
    needed = verdict.rounds_needed
    has_base = base_grows or verdict.rounds[0] >= least
    return verdict.status is Status.NOISY and needed is not None and needed <= most and has_base
