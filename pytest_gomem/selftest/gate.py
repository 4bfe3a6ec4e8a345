"""The smallest change a gate sees, whether it rang under an injected load, and how wide its budgets are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from pytest_gomem.comparison.merged import missing, rounds_of
from pytest_gomem.comparison.visible import Fit, fit
from pytest_gomem.instruments.injected_load import NOTE, InjectedLoad, Window
from pytest_gomem.judge.figures import figure_metric, figure_of
from pytest_gomem.judge.regressions import REGRESSION, in_every_round
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.memory import is_of_whole_life
from pytest_gomem.measure.metric import Metric
from pytest_gomem.report.text import budget_name, limit_text, percent, readings
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import FEWEST, PRIMARY, Comparison, Status, compare, decisions_of

RAISED = ("live_heap", "alloc_bytes_per_op", "allocs_per_op")  # by all of the load; others follow


@dataclass(frozen=True)
class GateResult:
    """What the selftest found for one metric of one window.

    level: without the injected load. visible: the smallest worsening that would be found, in the metric's unit. rose:
    its rise under the load, a ratio. rang: whether the comparison failed; None if the load does not raise the metric.
    why: why it stayed silent. budgets: remarks on limits that do not fit the noise.
    """

    nodeid: str
    window: str
    metric: Metric
    level: float
    visible: float | None
    rose: float | None
    rang: bool | None
    why: str
    budgets: tuple[str, ...]

    @property
    def is_silent(self) -> bool:
        """Whether the gate should have rung and did not."""
        return self.rang is False


@dataclass(frozen=True)
class NotTested:
    """A window whose gate was not tested, and why."""

    nodeid: str
    window: str
    why: str


def injected_load_for(tests: Sequence[TestRecord], share: float) -> InjectedLoad:
    """An injected load of that share of each window's live heap and allocation."""
    retain: dict[Window, int] = {}
    for test in tests:
        for window in test.windows:
            live = in_every_round("live_heap", window.rounds)
            if live:
                retain[test.nodeid, window.service, window.name] = math.ceil(share * median(live))
    return InjectedLoad(share, retain)


def gate_results(
    plain: Sequence[TestRecord], loaded: Sequence[TestRecord], metrics: Mapping[str, Metric], share: float
) -> Iterator[GateResult | NotTested]:
    """A result for each compared metric of each window that was made worse; other windows with their reason."""
    others = {(test.nodeid, window.service, window.name): window for test in loaded for window in test.windows}
    for test in plain:
        for window in test.windows:
            other = others.get((test.nodeid, window.service, window.name))
            why_not = _why_not_tested(window, other)
            if other is None or why_not:
                yield NotTested(test.nodeid, window.name, why_not)
            else:
                yield from _of_window(test.nodeid, window, other, metrics, share)


def _why_not_tested(plain: WindowRecord, loaded: WindowRecord | None) -> str:
    if is_of_whole_life(readings(plain).get("peak_rss")):
        return "a program that ends by itself cannot be made worse; name tests of services"
    rounds = len(rounds_of(plain))
    if rounds < FEWEST:
        return f"it was measured in {rounds} round{'s' * (rounds != 1)}, and a comparison fails nothing below {FEWEST}"
    if not in_every_round("live_heap", plain.rounds):
        return missing(plain).get("live_heap", "its live heap was not measured in every round")
    if loaded is None:
        return "it was not opened in the run with the injected load"
    if NOTE not in loaded.notes:
        return (
            "no memory could be added to the service: it has no agent (build: in gomem.yaml adds it), or it had ended"
        )
    return ""


def _of_window(
    nodeid: str, plain: WindowRecord, loaded: WindowRecord, metrics: Mapping[str, Metric], share: float
) -> Iterator[GateResult]:
    limits = {v.budget.metric: v.limit.value for v in plain.verdicts if v.kind == REGRESSION and not v.budget.glob}
    budgeted = [v.budget.metric for v in plain.verdicts if not v.budget.glob]
    judged = [
        metrics[name]
        for name in dict.fromkeys([*PRIMARY, *limits])
        if name in metrics and in_every_round(name, plain.rounds)
    ]
    judged += _of_globs(plain)
    for name in dict.fromkeys([*PRIMARY, *limits, *budgeted]):
        base, new = in_every_round(name, plain.rounds), in_every_round(name, loaded.rounds)
        if name not in metrics or not base or not new:
            continue
        tolerance = limits.get(name, PRIMARY.get(name, 0.0))
        decisions = decisions_of(metrics[name], judged)
        found = compare(metrics[name], base, new, tolerance, ops=plain.ops, decisions=decisions)
        level, visible = median(base), found.smallest_visible
        rang = found.status is Status.FAIL if name in RAISED else None
        yield GateResult(
            nodeid=nodeid,
            window=plain.name,
            metric=metrics[name],
            level=level,
            visible=visible,
            rose=found.ratio,
            rang=rang,
            why=_why_silent(level, visible, tolerance, share) if rang is False else "",
            budgets=tuple(_misfits(plain.verdicts, name, level, found)),
        )


def _of_globs(window: WindowRecord) -> list[Metric]:
    """Figures of functions and types whose worsening is judged: they share the error rate too."""
    names = [figure_of(v.budget) for v in window.verdicts if v.kind == REGRESSION and v.budget.glob]
    return [metric for name in names if (metric := figure_metric(name, ())) is not None]


def _why_silent(level: float, visible: float | None, tolerance: float, share: float) -> str:
    if tolerance >= share:
        return f"its limit on regressions allows {percent(tolerance)}"
    if visible is not None and visible > share * abs(level):
        would = f"; --by {percent(_rounded_up(visible / abs(level)))} would ring" if level else ""
        return f"a change of {percent(share)} is within the noise: more work in the test would show it{would}"
    return "the change does not stand out of the scatter of these rounds: run more of them (--rounds)"


def _rounded_up(share: float) -> float:
    """To whole percents."""
    return math.ceil(share * 100) / 100


def _misfits(verdicts: Sequence[Verdict], name: str, level: float, seen: Comparison) -> Iterator[str]:
    """Remarks on limits, not yet broken, that are too tight or too wide for what can be seen."""
    if seen.threshold is None or seen.smallest_visible is None:
        return
    for verdict in verdicts:
        if verdict.budget.metric != name or verdict.kind not in ("max", "min"):
            continue
        room = verdict.limit.value - level if verdict.kind == "max" else level - verdict.limit.value
        found = fit(room, seen.threshold, seen.smallest_visible) if room >= 0 else Fit.GOOD
        if found is not Fit.GOOD:
            yield f"{budget_name(verdict)} {limit_text(verdict)} is {found.value}"
