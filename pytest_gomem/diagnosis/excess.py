"""The excess of a failed verdict: how much a heap profile should show, and at which rate it shows it.

A profile that takes one sample in R bytes estimates B bytes with a sigma of sqrt(R B) at most (attribution/sampling.py
says why). So a rate of 0.0009 B leaves a sigma of 3%.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_gomem.attribution.culprits import GC_METRICS, OF_LIMIT, SAMPLE_OF, Findings, amount_text
from pytest_gomem.attribution.living import GROWTH, is_on_what_lives
from pytest_gomem.attribution.sampling import counts_objects
from pytest_gomem.config.budgets import TIME_TO_LIMIT, Budget
from pytest_gomem.diagnosis.gc_explained import allocation_excess
from pytest_gomem.judge.oom import OOM
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.death_spiral import DEATH_SPIRAL
from pytest_gomem.measure.metric import Reading
from pytest_gomem.observe.effective import GO_PROFILE_RATE
from pytest_gomem.report.first_verdict import GOROUTINE_METRICS, LEAKED_GOROUTINES
from pytest_gomem.report.text import readings
from pytest_gomem.report.traces import TRACED
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import Status

_SIGMA = 0.03
MOST_SAMPLES = 500_000  # of one round; each costs 3 to 15 us (session/functions.py)
# Bytes; 3% of 70 kB. Each finer sample has a stack of its own: at 1 reading MemStats by pprof takes four times as long.
FINEST_KEPT = 64
_OBJECT = 16  # bytes, of a small object: most regressions in objects are of such
_RESIDENT = frozenset({"peak_rss", "end_rss", "rss_growth", *OF_LIMIT})
_PER_SECOND = frozenset({"alloc_rate", "heap_growth", "rss_growth"})
_HEAP_OF_RSS = 0.5  # with GOGC=100 half of what a larger live heap adds to the RSS is garbage
_LEAST_FILLED = 0.25  # of a memory limit: a window may open just below it
SEEN = 0.25  # of the excess: with less, it is not there


def explainable(window: WindowRecord) -> tuple[Verdict, ...]:
    """The failed verdicts that observed rounds can explain. Not those of phases: these are of the whole window."""
    broken = (verdict for verdict in window.verdicts if verdict.status is Status.FAIL)
    return tuple(verdict for verdict in broken if is_traced(verdict) or needs_profiles(verdict, window))


def needs_profiles(verdict: Verdict, window: WindowRecord) -> bool:
    """Whether heap profiles, stacks or a heap dump may show what failed a verdict."""
    return _is_of(verdict, window) and _is_seen(verdict.budget)


def is_traced(verdict: Verdict) -> bool:
    """Whether an execution trace may show what failed a verdict."""
    return verdict.budget.metric in TRACED and not verdict.budget.phase


def lives(window: WindowRecord) -> tuple[Verdict, ...]:
    """The failed verdicts on what lives: a heap dump of the window's close shows who holds it."""
    return tuple(verdict for verdict in _failed(window) if is_on_what_lives(verdict.budget))


def failed_of(window: WindowRecord, *, is_between: bool) -> tuple[Verdict, ...]:
    """The failed verdicts that profiles may explain: of the comparison, or on limits."""
    return tuple(verdict for verdict in _failed(window) if (verdict.kind == REGRESSION) == is_between)


def _failed(window: WindowRecord) -> Iterator[Verdict]:
    return (v for v in window.verdicts if v.status is Status.FAIL and _is_of(v, window))


def _is_seen(budget: Budget) -> bool:
    # Budgets on functions are judged by observed rounds, which then explain them too.
    # The measured window itself has read the stacks of goroutines that stay.
    seen = {*SAMPLE_OF, *GOROUTINE_METRICS, *GROWTH} - {LEAKED_GOROUTINES}
    return not budget.phase and not budget.function and budget.metric in seen


def _is_of(verdict: Verdict, window: WindowRecord) -> bool:
    """Whether what profiles show is what broke a limit: collections may have another cause than allocation."""
    if verdict.kind == OOM:
        return window.oom is not None and not window.oom.is_child
    return verdict.budget.metric not in GC_METRICS or allocation_excess(verdict, window) > 0


def excess_of(verdict: Verdict, window: WindowRecord) -> float:
    """The worsening, or what a limit is exceeded by: bytes, or objects, that a heap profile of the window should show.

    0.0 for a metric that no heap profile explains. Of resident memory it is the heap's part. Of growth it is what the
    window grew by beyond the limit.
    """
    metric = verdict.budget.metric
    if metric in GC_METRICS:
        return allocation_excess(verdict, window)
    if metric not in SAMPLE_OF or verdict.actual is None:
        return 0.0
    if verdict.kind == OOM:
        return _filled(verdict, window)
    if verdict.kind == DEATH_SPIRAL:  # all that lives leaves no room
        return float(window.death_spiral.live_heap) if window.death_spiral else 0.0
    if metric == TIME_TO_LIMIT:
        return _grown_too_fast(verdict, window)
    amount = verdict.change if verdict.kind == REGRESSION else verdict.actual - verdict.limit.value
    amount = abs(amount or 0.0)
    if metric in _RESIDENT:
        amount *= _HEAP_OF_RSS
    if metric.endswith("_per_op"):
        amount *= window.ops or 1
    if metric in _PER_SECOND:
        amount *= window.duration
    return amount


def _filled(verdict: Verdict, window: WindowRecord) -> float:
    """The heap's part of what came between the window's opening and its kill."""
    start, limit = readings(window).get("start_rss"), verdict.limit.value
    before = start.value if isinstance(start, Reading) else 0.0
    return max(limit - before, _LEAST_FILLED * limit) * _HEAP_OF_RSS


def _grown_too_fast(verdict: Verdict, window: WindowRecord) -> float:
    """What the live heap grew by beyond what would leave the time asked for; 0.0 if its growth is not known."""
    growth = readings(window).get("heap_growth")
    asked = verdict.baseline if verdict.kind == REGRESSION else verdict.limit.value
    if not isinstance(growth, Reading) or not asked or verdict.actual is None:
        return 0.0
    return max(growth.value * (1 - verdict.actual / asked), 0.0) * window.duration


def was_seen(found: Findings, excess: float) -> bool:
    """Whether the profiles show the excess."""
    return found.total_change >= SEEN * excess


def lost(found: Findings, excess: float) -> Findings:
    """The findings without culprits: the profiles do not show the excess."""
    sample_type = SAMPLE_OF[found.metric]
    grew = amount_text(max(found.total_change, 0), sample_type)
    nothing = f"nobody is named: the heap profiles show {grew} of the {amount_text(excess, sample_type)}"
    return replace(found, culprits=(), nothing=nothing, is_lost=True)


@dataclass(frozen=True)
class ProfileRate:
    """A profile rate for a service's observed rounds.

    bytes: per sample; None leaves the service's own. sigma: what it leaves of the excess uncertain, as a share; 0.0 if
    the excess is not known.
    """

    bytes: int | None
    sigma: float = 0.0

    @property
    def finest(self) -> int:
        """For comparison with others: bytes per sample, Go's own included."""
        return GO_PROFILE_RATE if self.bytes is None else self.bytes

    @property
    def is_coarse(self) -> bool:
        """Whether one round at this rate leaves more uncertain than it should."""
        return self.sigma > 1.01 * _SIGMA  # which rounding exceeds


def in_bytes(excess: float, metric: str) -> float:
    """An excess in bytes; of objects, what they take if they are small."""
    return excess * _OBJECT if counts_objects(SAMPLE_OF[metric]) else excess


def rate_for_excess(excess: float, metric: str, allocated: int) -> ProfileRate:
    """The rate for a metric's excess, no finer than the samples of a process that allocates so much may cost."""
    size = in_bytes(excess, metric)
    rate = max(_SIGMA**2 * size, allocated / MOST_SAMPLES, 1.0)
    sigma = (min(rate, GO_PROFILE_RATE) / size) ** 0.5
    return ProfileRate(round(rate) if rate < GO_PROFILE_RATE else None, sigma)


def rate_to_keep(allocated: int) -> int | None:
    """The rate of a profile that is kept for an excess not yet known: as fine as the samples' cost allows."""
    rate = max(allocated // MOST_SAMPLES, FINEST_KEPT)
    return rate if rate < GO_PROFILE_RATE else None
