"""The record of a measured window: its figures, its verdicts, and what it was measured on, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.attribution.goroutines import GoroutineGroup
from pytest_gomem.attribution.modules import ModuleChange
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.judge.functions import FunctionValue
from pytest_gomem.judge.known_leaks import FoundLeak
from pytest_gomem.judge.objects import TypeValue
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.allocation import SizeClassGrowth
from pytest_gomem.measure.cross_checks import CrossCheck
from pytest_gomem.measure.cycles import JoinedCycle
from pytest_gomem.measure.death_spiral import DeathSpiral
from pytest_gomem.measure.growth import FittedCourse
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.oom_kill import OomKill
from pytest_gomem.measure.peak import PeakMoment
from pytest_gomem.measure.quantiles import Bucket
from pytest_gomem.measure.series import Series
from pytest_gomem.measure.work import LoadSummary
from pytest_gomem.results.flame_record import FlameRecord
from pytest_gomem.retention.model import Holder, ObjectCount
from pytest_gomem.tracing.model import TraceReport


@dataclass(frozen=True)
class MetricValue:
    """A metric's name and unit with its reading, or why there is none; definition: the version of its meaning."""

    name: str
    unit: str
    result: Reading | Unavailable
    definition: int = 1


@dataclass(frozen=True)
class BuildRecord:
    """Where the measured binary came from; go_version and revision are read from the binary itself, "" if unknown.

    folder: that of its go.mod, relative to the top of the repository; None if unknown, as for a prebuilt binary.
    """

    ref: str = ""
    go_version: str = ""
    revision: str = ""
    flags: tuple[str, ...] = ()
    folder: str | None = None


@dataclass(frozen=True)
class GcRecord:
    """GC settings asked for and found in force, as printable values; a setting that could not be read has the reason.

    Words may follow the value found, after a comma: "100, the memory limit lowers the heap goal".
    """

    requested: Mapping[str, str] = field(default_factory=dict)
    effective: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PhaseRecord:
    """A named part of a window, in seconds after it opened, with its operations if they were counted.

    name: as the test gave it; the second of that name is "login#2". metrics: every metric, of this part alone.
    """

    name: str
    start: float
    end: float
    ops: int | None
    metrics: tuple[MetricValue, ...] = ()


@dataclass(frozen=True)
class BillRow:
    """One row of a bill: its name (a key of measure.bill.ROW_KINDS), bytes, and share of RSS as a ratio.

    before: bytes of the same row in the bill it is compared with; None if unknown.
    """

    name: str
    bytes: int
    share: float
    before: int | None = None


@dataclass(frozen=True)
class BillRecord:
    """Where the resident memory was at the window's close, bytes: rows that sum to `rss`, and where to look.

    against: what the rows' `before` is, such as "at the opening"; "" if the bill is compared with none.
    """

    rows: tuple[BillRow, ...]
    rss: int
    explained: int
    sentence: str
    against: str = ""


@dataclass(frozen=True)
class DiagnosisRecord:
    """How the cause of a failed window was looked for, after its test was judged.

    rounds: observed rounds of the side under test. profile_rate: bytes per sample of their heap profiles, None without
    one. reproduced: whether what failed the window was there again, None if that is not known. notes: what was left
    out or went wrong.
    """

    rounds: int
    profile_rate: int | None = None
    reproduced: bool | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class WindowRecord:
    """One measured window of a test with its verdicts.

    culprit_summaries: by metric what its culprits explain together, or why nobody is named. base: the window of the
    side it is compared with, None if there is none; no_base: why a comparison that was asked for has no base. rounds:
    what each round measured, by metric, if the test ran in several; the metrics are then their medians. cross_checks:
    pairs of sources of one quantity that were compared. cycles: its GC cycles, one by one. conditions: what must be the
    same for two windows to compare, besides the code. size_classes: what was allocated by size. histograms: of stops of
    the world and waits for a processor. courses: of the metrics of growth, each with its line. instruments: figures of
    each instrument that are no metrics. goroutine_groups: its goroutines, those that grew most first; empty if their
    stacks were not read. modules: those with another version than on the side, or in the baseline, that a failed window
    is compared with. observed_rounds: the figures of functions and types that budgets name, of each observed round.
    types: what budgets on objects were judged by. diagnosis: how the cause of its failure was looked for, None if it
    was not. holders: who holds what lives, from a heap dump, those that retain most first; holders_of: the glob over
    the types of objects that alone count for them, "" if all do; objects: the Go types that take most of it;
    retention_note: why there are none, "" if there are or none were looked for. known_leaks: what the entries of
    gomem_accepted.yaml on leaks mean in it. flames: of a failed window the call trees of what broke its limits, by what
    they show. death_spiral: set if the collector ran nearly all the time and had almost no room. oom: set
    if a process of the service was killed at the memory limit. trace: what an execution trace says of it, None without
    one; trace_note: why there is none, or what is to be known of it.
    """

    name: str
    service: str
    build: BuildRecord
    gc: GcRecord
    ops: int | None
    duration: float
    metrics: tuple[MetricValue, ...]
    verdicts: tuple[Verdict, ...] = ()
    peak_moment: PeakMoment | None = None
    loads: tuple[LoadSummary, ...] = ()
    series: Mapping[str, Series] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    log_tail: str = ""
    phases: tuple[PhaseRecord, ...] = ()
    bill: BillRecord | None = None
    culprits: tuple[Culprit, ...] = ()
    culprit_summaries: Mapping[str, str] = field(default_factory=dict)
    rounds: tuple[Mapping[str, float], ...] = ()
    cross_checks: tuple[CrossCheck, ...] = ()
    functions: tuple[FunctionValue, ...] = ()
    cycles: tuple[JoinedCycle, ...] = ()
    size_classes: tuple[SizeClassGrowth, ...] = ()
    histograms: Mapping[str, tuple[Bucket, ...]] = field(default_factory=dict)
    courses: Mapping[str, FittedCourse] = field(default_factory=dict)
    base: WindowRecord | None = None
    no_base: str = ""
    conditions: Mapping[str, str] = field(default_factory=dict)
    instruments: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    goroutine_groups: tuple[GoroutineGroup, ...] = ()
    modules: tuple[ModuleChange, ...] = ()
    observed_rounds: tuple[Mapping[str, float], ...] = ()
    types: tuple[TypeValue, ...] = ()
    diagnosis: DiagnosisRecord | None = None
    holders: tuple[Holder, ...] = ()
    known_leaks: tuple[FoundLeak, ...] = ()
    holders_of: str = ""
    objects: Mapping[str, ObjectCount] = field(default_factory=dict)
    retention_note: str = ""
    flames: Mapping[str, FlameRecord] = field(default_factory=dict)
    death_spiral: DeathSpiral | None = None
    oom: OomKill | None = None
    trace: TraceReport | None = None
    trace_note: str = ""

    @property
    def counted(self) -> tuple[FunctionValue | TypeValue, ...]:
        """What budgets on functions and types were judged by."""
        return *self.functions, *self.types


def definitions(window: WindowRecord) -> dict[str, int]:
    """The versions of the metrics' definitions that are not 1, by metric; kept with their figures."""
    return {metric.name: metric.definition for metric in window.metrics if metric.definition != 1}
