"""What a pull request is told of a run, in one pass over its tests: findings, tables and counts, as short texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from pytest_gomem.base.printable import printable
from pytest_gomem.ci.places import Spot, spot_of, test_spot
from pytest_gomem.judge.decide import FAILING
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Reading
from pytest_gomem.report.comparison import cells, compared_rows, is_calm
from pytest_gomem.report.explained import standings
from pytest_gomem.report.failure import told_first
from pytest_gomem.report.first_screen import Answer, answers, statement
from pytest_gomem.report.terminal import tightness
from pytest_gomem.report.text import budget_name, clip, clip_end, finite, short_names, window_labels
from pytest_gomem.results.keys import EXPECTED, FINE
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import Status

Level = Literal["error", "warning"]
Weight = tuple[int, float, float]
_WITHOUT_LIMIT: Weight = (0, 0.0, 0.0)  # after each limit that is broken by some share, before what was not measured
_NO_RESULT: Weight = (1, 0.0, 0.0)
_USUAL = ("peak_rss", "live_heap", "alloc_bytes_per_op", "allocs_per_op", "gc_cycles", "goroutines")
_LONGEST = 2000  # cells of one answer
_LONGEST_NAME = 150
_LOST = ("interrupted", "not run")


@dataclass(frozen=True)
class Finding:
    """A window that broke a limit, or a test that failed otherwise. The smallest weight is the worst.

    name: of test and window, as short as is clear. headline: what is wrong, in one line. answers: what else is known.
    """

    level: Level
    spot: Spot
    weight: Weight
    nodeid: str
    label: str
    headline: str
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class Issue:
    """A broken limit or a warning by itself. level: "accepted" too. metric, kind, phase: of the verdict."""

    level: Level | Literal["accepted"]
    spot: Spot
    nodeid: str
    label: str
    metric: str
    kind: str
    phase: str
    text: str


class Figure(NamedTuple):
    """A measured metric of a window, in its base unit."""

    metric: str
    unit: str
    nodeid: str
    label: str
    service: str
    value: float


@dataclass(frozen=True)
class Row:
    """A row of a table; a weight as that of findings."""

    weight: Weight
    nodeid: str
    label: str
    status: Status
    cells: tuple[str, ...]


@dataclass
class Told:
    """All that a pull request is told of a run. No record is kept.

    compared: what changed or needs attention, not what is the same. limits: all limits but those on regressions.
    results: how comparisons came out. bases: what was compared with. uncompared: windows by the reason. no_result:
    tests by the reason. commit, problems: those of the RunRecord.
    """

    commit: str
    problems: tuple[str, ...] = ()
    nodeids: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    compared: list[Row] = field(default_factory=list)
    limits: list[Row] = field(default_factory=list)
    results: Counter[Status] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    bases: dict[str, None] = field(default_factory=dict)
    go_versions: dict[tuple[str, str], None] = field(default_factory=dict)
    uncompared: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    no_result: dict[str, list[str]] = field(default_factory=dict)

    def sorted(self, level: Level) -> list[Finding]:
        """The findings of a level, the worst first."""
        return sorted((one for one in self.findings if one.level == level), key=lambda one: one.weight)

    @property
    def errors(self) -> int:
        """How many tests have an error."""
        return len({one.nodeid for one in self.findings if one.level == "error"})


def tell(run: RunRecord, top: Path | None, artifacts: str = "") -> Told:
    """Go through the tests of a run once.

    top: the repository, to see which files lie in it; None if it is not at hand. artifacts: the folder of kept files,
    as a person would name it.
    """
    told = Told(run.commit, tuple(map(printable, run.problems)))
    for test in run.tests:
        told.nodeids.append(test.nodeid)
        told.outcomes[test.outcome] += 1
        told.findings += _findings(run, test, top, artifacts)
        if test.outcome in _LOST:
            told.no_result.setdefault(printable(test.reason), []).append(test.nodeid)
        for label, window in zip(_labels(test), test.windows, strict=True):
            told.issues += _issues(run, test, label, window, top)
            told.figures += _figures(test.nodeid, label, window)
            _add_tables(told, test.nodeid, label, window)
    return told


def _labels(test: TestRecord) -> Sequence[str]:
    return list(map(printable, window_labels(test)))


def level_of(test: TestRecord) -> Level:
    """A broken limit that does not fail its test, as under --gomem-report-only, is a warning."""
    return "warning" if test.outcome in FINE else "error"


def _findings(run: RunRecord, test: TestRecord, top: Path | None, artifacts: str) -> Iterator[Finding]:
    """The findings of a test; none for what is expected to fail, or was not run."""
    if test.outcome in (*EXPECTED, *_LOST, "skipped"):
        return
    has_broken = False
    for label, window in zip(_labels(test), test.windows, strict=True):
        broken, warned = told_first(window)
        warned = [verdict for verdict in warned if verdict.accepted is None]
        has_broken = has_broken or bool(broken)
        if broken or warned:
            level = level_of(test) if broken else "warning"
            spot = spot_of(run, test, window, broken, top)
            yield _of_window(level, spot, test.nodeid, label, window, broken, warned, artifacts)
    if test.outcome not in FINE and not has_broken:
        reasons = [test.reason, *(note for window in test.windows for note in window.notes)]
        own = "its set-up or teardown failed" if test.outcome == "error" else "it failed"
        words = printable(next(filter(None, reasons), "")) or f"{own} with an error of its own, which is in the log"
        weight = _NO_RESULT if test.outcome == "crashed" else _WITHOUT_LIMIT
        yield Finding("error", test_spot(run, test), weight, test.nodeid, "", clip_end(words, _LONGEST))


def _of_window(
    level: Level,
    spot: Spot,
    nodeid: str,
    label: str,
    window: WindowRecord,
    broken: Sequence[Verdict],
    warned: Sequence[Verdict],
    artifacts: str,
) -> Finding:
    first, *others = answers(window, nodeid, broken, warned, artifacts)
    shown = tuple(one._replace(text=clip_end(one.text, _LONGEST)) for one in others)
    weight = min(map(tightness, [*broken, *warned]))
    return Finding(level, spot, weight, nodeid, label, clip_end(first.text, _LONGEST), shown)


def _issues(run: RunRecord, test: TestRecord, label: str, window: WindowRecord, top: Path | None) -> Iterator[Issue]:
    if test.outcome in EXPECTED:
        return
    for verdict in [one for verdicts in told_first(window) for one in verdicts]:
        is_broken = verdict.status in FAILING
        level = "accepted" if verdict.accepted else level_of(test) if is_broken else "warning"
        words = clip_end(statement(verdict), _LONGEST)
        spot = spot_of(run, test, window, [verdict], top)
        yield Issue(level, spot, test.nodeid, label, budget_name(verdict), verdict.kind, verdict.budget.phase, words)


def _figures(nodeid: str, label: str, window: WindowRecord) -> Iterator[Figure]:
    """What limits judge, and the usual ones."""
    asked = {*_USUAL, *(verdict.budget.metric for verdict in window.verdicts)}
    for metric in window.metrics:
        if metric.name in asked and isinstance(result := finite(metric.result), Reading):
            yield Figure(metric.name, metric.unit, nodeid, label, window.service, result.value)


def _add_tables(told: Told, nodeid: str, label: str, window: WindowRecord) -> None:
    if window.base is not None:
        told.bases.setdefault(window.base.build.ref)
        pair = window.base.build.go_version, window.build.go_version
        if all(pair) and pair[0] != pair[1]:
            told.go_versions.setdefault(pair)
    elif window.no_base:
        told.uncompared.setdefault(printable(window.no_base), []).append((nodeid, label))
    for row in compared_rows(nodeid, window) if window.base is not None else ():
        told.results[row.verdict.status] += 1
        if not is_calm(row.verdict):
            told.compared.append(_row(nodeid, label, row.verdict, cells(row)))
    for verdict, shown in zip(window.verdicts, standings(window), strict=True):
        if verdict.kind != REGRESSION:
            told.limits.append(_row(nodeid, label, verdict, shown))


def _row(nodeid: str, label: str, verdict: Verdict, shown: tuple[str, ...]) -> Row:
    return Row(tightness(verdict), nodeid, label, verdict.status, shown)


def clear_names(nodeids: Sequence[str]) -> dict[str, str]:
    """The shortest spelling of each test that tells it from the others: "test_upload", else with its file."""
    spellings = {nodeid: short_names(nodeid) for nodeid in nodeids}
    for at in (3, 2, 1):
        found = {nodeid: clip(names[at], _LONGEST_NAME) for nodeid, names in spellings.items()}
        if len(set(found.values())) == len(found):
            return found
    return {nodeid: clip(names[0], _LONGEST_NAME) for nodeid, names in spellings.items()}
