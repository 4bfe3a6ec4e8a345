"""Which broken limit to tell first: the one that explains the others, else the first declared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_gomem.attribution.culprits import AT_PEAK, GC_METRICS, SAMPLE_OF, Culprit
from pytest_gomem.attribution.goroutines import GoroutineGroup
from pytest_gomem.attribution.living import is_on_what_lives
from pytest_gomem.attribution.sampling import counts_made
from pytest_gomem.base.units import BYTES
from pytest_gomem.config.budgets import PER_FUNCTION, PER_GLOB
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.report.goroutines import main_group
from pytest_gomem.report.text import metric_unit
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.retention.model import Holder, HolderKind
from pytest_gomem.stats.decision import Status

LEAKED_GOROUTINES = "leaked_goroutines"
GOROUTINE_METRICS = frozenset(
    {"goroutines", LEAKED_GOROUTINES, "goroutine_growth", "goroutine_growth_per_op"}
)  # explained by groups of goroutines
_FEW = 10  # goroutines; fewer may be there for the memory, not the memory for them
_EACH = 2560  # bytes that a goroutine takes at least: a stack of 2 KiB, and its descriptor
_ENOUGH = 0.5  # of what a memory metric has grown by
_GOOD_PART = 0.25  # of what is to be explained
_DESCRIPTOR = "runtime.malg"  # allocates the descriptors of goroutines


def explaining_first(broken: Sequence[Verdict], window: WindowRecord) -> list[Verdict]:
    """The broken limits in their order; one on goroutines comes first if their growth explains that of the memory.

    It does if the memory's culprits are functions of these goroutines, or their creators. Memory without culprits is
    explained if the goroutines' stacks alone are half of its growth. Each limit on memory that stands before it must be
    explained, else the order stays.
    """
    lead = next((verdict for verdict in broken if _is_on_goroutines(verdict)), None)
    if lead is None:
        return list(broken)
    explained, before = _explained(broken, window), broken.index(lead)
    if not any(explained.values()) or not all(is_so for at, is_so in explained.items() if at < before):
        return list(broken)
    return [lead, *(verdict for verdict in broken if verdict is not lead)]


def group_of(window: WindowRecord, verdict: Verdict) -> GoroutineGroup | None:
    """The main group of goroutines, for a verdict on them. The stacks are of the whole window, not of a phase."""
    is_on_them = verdict.budget.metric in GOROUTINE_METRICS and not verdict.budget.phase
    return main_group(window.goroutine_groups) if is_on_them else None


def holder_of(window: WindowRecord, verdict: Verdict) -> Holder | None:
    """The holder that tells most of a verdict on what lives: one root, not known before, which keeps a good part."""
    own = (holder for holder in window.holders if not holder.known and holder.kind is not HolderKind.RUNTIME)
    first = next(own, None)
    is_told = first is not None and is_on_what_lives(verdict.budget) and verdict.status is Status.FAIL
    if first is None or not is_told or first.share < _GOOD_PART or first.kind in (HolderKind.SEVERAL, HolderKind.NONE):
        return None
    return first


def goroutines_matter(broken: Sequence[Verdict], window: WindowRecord) -> bool:
    """Whether a limit on goroutines is broken, or their growth explains that of the memory."""
    return any(map(_is_on_goroutines, broken)) or any(_explained(broken, window).values())


def _explained(broken: Sequence[Verdict], window: WindowRecord) -> dict[int, bool]:
    """For each limit on memory, by its place among the broken ones, whether the growth of goroutines explains it."""
    grown = [group for group in window.goroutine_groups if group.growth >= _FEW]
    found = ((at, verdict) for at, verdict in enumerate(broken) if _is_on_memory(verdict, window))
    return {at: bool(grown) and _explains(grown, verdict, window) for at, verdict in found}


def _is_on_goroutines(verdict: Verdict) -> bool:
    """Those of phases are not explained: the stacks are of the whole window."""
    budget = verdict.budget
    return budget.metric in GOROUTINE_METRICS and not budget.phase and verdict.status is Status.FAIL


def _is_on_memory(verdict: Verdict, window: WindowRecord) -> bool:
    metric = verdict.budget.metric
    is_memory = metric in SAMPLE_OF or metric_unit(window, metric) == BYTES.name
    return is_memory and metric not in {*PER_GLOB, *GC_METRICS} and verdict.actual is not None


def _explains(groups: Sequence[GoroutineGroup], verdict: Verdict, window: WindowRecord) -> bool:
    culprits = list(_culprits_of(verdict, window.culprits))
    if culprits:
        theirs = sum(culprit.share for culprit in culprits if any(_is_of(culprit, group) for group in groups))
        return theirs >= _ENOUGH * sum(culprit.share for culprit in culprits)
    metric = verdict.budget.metric
    if metric_unit(window, metric) != BYTES.name or counts_made(SAMPLE_OF.get(metric, "")):
        return False  # not what stacks take
    reference = verdict.baseline if verdict.kind == REGRESSION else verdict.limit.value
    growth = (verdict.actual or 0.0) - (reference or 0.0)
    return sum(group.growth for group in groups) * _EACH >= _ENOUGH * growth


def first_of(window: WindowRecord, verdict: Verdict) -> Culprit | None:
    """The culprit with the largest part in what a verdict counts; of another metric if the same profile was asked.

    Profiles are of the whole window, not of a phase.
    """
    metric = verdict.budget.metric
    if verdict.budget.phase or metric not in SAMPLE_OF:
        return None
    alike = [
        one for one in window.culprits if one.is_between == (verdict.kind == REGRESSION) and one.metric in SAMPLE_OF
    ]
    own = next((one for one in alike if one.metric == metric), None)
    if own or metric in PER_FUNCTION or metric in window.culprit_summaries:
        return own
    return next((one for one in _culprits_of(verdict, alike) if (one.metric in AT_PEAK) == (metric in AT_PEAK)), None)


def _culprits_of(verdict: Verdict, culprits: Sequence[Culprit]) -> Iterator[Culprit]:
    """Those of a metric, or of another one that the same samples explain."""
    sample_type = SAMPLE_OF.get(verdict.budget.metric)
    for culprit in culprits:
        is_alike = culprit.is_between == (verdict.kind == REGRESSION) and culprit.metric not in PER_FUNCTION
        if is_alike and culprit.counted == sample_type:
            yield culprit


def _is_of(culprit: Culprit, group: GoroutineGroup) -> bool:
    """Whether the goroutines, or who created them, have allocated what the culprit counts."""
    theirs = {group.function, *map(_function, group.stack)}
    called_by = {caller.function for caller in culprit.callers}
    return culprit.function in {*theirs, _function(group.created_by), _DESCRIPTOR} or bool(theirs & called_by)


def _function(call: str) -> str:
    """Without its place: main.start of "main.start (main.go:42)"."""
    return call.partition(" (")[0]
