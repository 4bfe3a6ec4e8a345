"""The comparison of a test's two sides: their windows beside each other, verdicts, and the culprits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.comparison.rounds import merged
from pytest_gomem.comparison.schedule import Side
from pytest_gomem.config.budgets import Budget
from pytest_gomem.diagnosis.reasons import Reasons, built_from
from pytest_gomem.diagnosis.two_sides import TwoSides, accused
from pytest_gomem.judge.conditions import OPENING_PROFILE
from pytest_gomem.judge.regressions import REGRESSION, regression_verdicts
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.registry import Registry
from pytest_gomem.report.bill import against
from pytest_gomem.report.text import readings
from pytest_gomem.results.keys import Key, keys
from pytest_gomem.results.window_record import BuildRecord, WindowRecord
from pytest_gomem.session.attached import AttachedProcess
from pytest_gomem.session.judging import Judging
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.service import Service

Rounds = Sequence[Sequence[Measurement]]
ONE_PROCESS = "its process is shared by many tests (go_service_session), and runs on one side alone: use go_service"
_SAME_PROCESS = "it is the same process on both sides: launch it by go_service, or by the test's own gomem"


def compared(
    windows: Sequence[WindowRecord],
    rounds: Mapping[Side, Rounds],
    lost: str,
    judging: Judging,
    registry: Registry,
    reasons: Reasons | None = None,
    *,
    names_culprits: bool = True,
) -> tuple[WindowRecord, ...]:
    """The merged windows of the new side with those of the base beside them, judged by the comparison.

    lost: why the base side came to nothing, "" where it did not: then nothing is compared.
    reasons: asked why culprits do what they do; None = nobody asks. names_culprits: whether anybody asks for them.
    """
    new, base_last = last_measurements(rounds["new"]), last_measurements(rounds["base"])
    base_rounds = [[m.record for m in one] for one in rounds["base"]]
    base = {} if lost else dict(zip(base_last, merged(base_rounds, replace(judging, is_base=True)), strict=True))
    comparing = _Comparing(judging, registry, new, base_last, reasons, names_culprits)
    return tuple(
        comparing.beside(window, key, base[key])
        if key in base
        else replace(window, no_base=lost or _not_opened(window))
        for key, window in zip(new, windows, strict=True)
    )


def without_base(windows: Sequence[WindowRecord], why: str) -> tuple[WindowRecord, ...]:
    """Windows of a test that was to be compared and ran on one side alone."""
    return tuple(replace(window, no_base=why) for window in windows)


def _not_opened(window: WindowRecord) -> str:
    return f"window '{window.name}' of {window.service} was not opened on the base side"


def last_measurements(rounds: Rounds) -> dict[Key, Measurement]:
    """The last measurement of each window, by what is the same in all rounds; in the order of first appearance."""
    found: dict[Key, Measurement] = {}
    for one in rounds:
        found.update(zip(keys(measurement.record for measurement in one), one, strict=True))
    return found


class _Comparing:
    """What the comparison of each window of one test needs to know."""

    def __init__(
        self,
        judging: Judging,
        registry: Registry,
        new: Mapping[Key, Measurement],
        base: Mapping[Key, Measurement],
        reasons: Reasons | None,
        names_culprits: bool,
    ) -> None:
        self._judging = judging
        self._metrics = {metric.name: metric for metric in registry}
        self._new = new
        self._base = base
        self._reasons = reasons
        self._names_culprits = names_culprits

    def beside(self, new: WindowRecord, key: Key, base: WindowRecord) -> WindowRecord:
        """The window with its base and the verdicts of their comparison."""
        ours, theirs = self._new[key], self._base[key]
        if _is_same_process(ours.service, theirs.service):
            return replace(new, no_base=_SAME_PROCESS)
        why_not = unlike(new, base)
        if why_not:
            return replace(new, base=_lean(base), no_base=why_not)
        verdicts = self._verdicts(new, base)
        bill = against(new.bill, base.bill) if new.bill and base.bill else new.bill
        both = replace(new, base=_lean(base), verdicts=(*without_regressions(new), *verdicts), bill=bill)
        if not self._names_culprits:
            return both
        pairs = TwoSides(ours, theirs)
        return accused(both, verdicts, pairs, reasons=self._reasons, built_base=built_from(theirs.service))

    def _verdicts(self, new: WindowRecord, base: WindowRecord) -> tuple[Verdict, ...]:
        verdicts = regression_verdicts(
            comparable(self._judging.budgets(new.service), new),
            self._metrics,
            base.rounds,
            new.rounds,
            against=side_name(base.build, new.build),
            ops=new.ops,
            missing=missing(new),
            not_comparable={**_of_base(only_bounded(base)), **only_bounded(new)},
            strict=self._judging.strict,
            enough=self._judging.enough,
        )
        return self._judging.with_accepted(verdicts)


def missing(window: WindowRecord) -> dict[str, str]:
    """Why the window has no figure of a metric; one that is bounded is not among them."""
    found = {name: one for name, one in readings(window).items() if isinstance(one, Unavailable)}
    return {name: one.reason for name, one in found.items() if one.bounds is None}


def only_bounded(window: WindowRecord) -> dict[str, str]:
    """The metrics of which only bounds are known, each with the reason: they compare with nothing."""
    found = {name: one for name, one in readings(window).items() if isinstance(one, Unavailable)}
    return {name: one.reason for name, one in found.items() if one.bounds is not None}


def without_regressions(window: WindowRecord) -> tuple[Verdict, ...]:
    """The window's verdicts without those on `regression` limits that a comparison answers."""
    lost = _lost(window)
    return tuple(v for v in window.verdicts if v.kind != REGRESSION or v.budget in lost)


def comparable(budgets: Iterable[Budget], window: WindowRecord) -> list[Budget]:
    """The budgets without those that no comparison answers: the window's own verdicts say what it could not measure."""
    lost = _lost(window)
    return [budget for budget in budgets if budget not in lost]


def _of_base(reasons: Mapping[str, str]) -> dict[str, str]:
    return {name: f"on the base side {reason}" for name, reason in reasons.items()}


def _lost(window: WindowRecord) -> list[Budget]:
    """Of what is none of the window's metrics, such as functions: the budgets that it has no figure for."""
    known = {metric.name for metric in window.metrics}
    return [v.budget for v in window.verdicts if v.actual is None and v.budget.metric not in known]


def _lean(base: WindowRecord) -> WindowRecord:
    """The base window without what only the failure of a window shows."""
    return replace(
        base, series={}, log_tail="", verdicts=(), culprits=(), culprit_summaries={}, cycles=(), histograms={}
    )


def _is_same_process(ours: Service, theirs: Service) -> bool:
    """Whether both sides measured one and the same: launched for many tests, or attached to."""
    attached = isinstance(ours.process, AttachedProcess) and isinstance(theirs.process, AttachedProcess)
    return ours is theirs or (attached and ours.name == theirs.name)


def unlike(new: WindowRecord, base: WindowRecord) -> str:
    """Why the figures of the two sides do not compare, "" where they do."""
    ways = "the sides were measured in different ways: "
    if where := _alone(*(window.conditions.get("agent") == "yes" for window in (new, base))):
        return f"{ways}the agent is built into {where} alone"
    if where := _alone(*(OPENING_PROFILE in window.conditions for window in (new, base))):
        return f"{ways}a heap profile, which a budget asks for, could be taken at the window's opening on {where} alone"
    for name in ("live_heap", "alloc_bytes_per_op"):
        ours, theirs = _source(new, name), _source(base, name)
        if ours and theirs and ours != theirs:
            return f"{ways}{name} from {ours}, and on the base side from {theirs}"
    return ""


def _alone(new: bool, base: bool) -> str:
    """The side that alone has it, "" where both have or neither."""
    return "" if new == base else "this side" if new else "the base side"


def _source(window: WindowRecord, name: str) -> str:
    result = readings(window).get(name)
    return result.source if isinstance(result, Reading) else ""


def side_name(build: BuildRecord, other: BuildRecord) -> str:
    """What a side is called in a verdict; where the two were built by different Go versions that is said first."""
    if not build.go_version or not other.go_version or build.go_version == other.go_version:
        return build.ref
    versions = f"{build.go_version} (now {other.go_version})"
    return versions if build.ref in ("", build.go_version) else f"{versions}, {build.ref}"
