"""What a bisection has found, as lines and as plain data for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.base.printable import printable
from pytest_gomem.bisect.measured import Change
from pytest_gomem.bisect.state import State, Step
from pytest_gomem.bisect.words import counted, from_to, outcome_words, unchanged_words
from pytest_gomem.git.commits import Commit
from pytest_gomem.git.repository import short
from pytest_gomem.measure.registry import Registry
from pytest_gomem.report.culprits import culprit_lines
from pytest_gomem.report.text import clip, wrapped
from pytest_gomem.results.window_record import WindowRecord

_PART = 0.75  # of the change of the ends: a commit that makes less of it is not all of it


@dataclass(frozen=True)
class Confirmed:
    """The commit against its parent. before, after: medians of the metric. window: with culprits.

    lost: why the two could not be compared, so that the figures are those of the steps, "" if they were. seconds: how
    long that comparison took.
    """

    commit: Commit
    parent: str
    before: float
    after: float
    window: WindowRecord | None
    lost: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Answer:
    """What came of a bisection.

    confirmed: the first commit that made it worse, None if there is no single one. candidates: the commits among which
    it is. changes: how the ends compare, if they do not differ. reason: why there is no answer.
    """

    state: State
    confirmed: Confirmed | None = None
    candidates: tuple[Commit, ...] = ()
    changes: tuple[Change, ...] = ()
    reason: str = ""

    @property
    def seconds(self) -> float:
        """How long all of it took."""
        ends, found = self.state.ends, self.confirmed
        steps = sum(step.seconds for step in self.state.steps)
        return steps + (ends.seconds if ends else 0.0) + (found.seconds if found else 0.0)


def answer_lines(
    answer: Answer, commits: Mapping[str, Commit], registry: Registry, nodeid: str, width: int
) -> Iterator[str]:
    """The answer for a person, in lines of at most `width` cells."""
    if answer.confirmed is not None:
        yield from _confirmed_lines(answer, answer.confirmed, nodeid, width)
    elif answer.state.ends is None:
        yield from _unchanged_lines(answer, registry, nodeid, width)
    else:
        yield from _candidate_lines(answer, width)
    if answer.state.steps:
        steps, among = counted(len(answer.state.steps), "step"), counted(len(commits), "commit")
        yield f"{steps} among {among}, {answer.seconds:.0f} s"


def _confirmed_lines(answer: Answer, found: Confirmed, nodeid: str, width: int) -> Iterator[str]:
    ends = answer.state.ends
    assert ends is not None
    yield clip(printable(found.commit.text), width)
    yield clip(printable(f"  by {found.commit.author}, {found.commit.date}"), width)
    where = f"window '{ends.target.window}' of {ends.target.service}, {nodeid}"
    yield from wrapped(f"{ends.target.metric} {from_to(found.before, found.after, ends.unit)}", width, "  ")
    against = "" if found.lost else f", against its parent {short(found.parent)}"
    yield from wrapped(printable(f"in {where}{against}"), width, "  ")
    part = (found.after - found.before) / ends.change
    if part < _PART:
        whole = from_to(ends.base, ends.base + ends.change, ends.unit)
        rest = f"this is {max(part, 0):.0%} of the change between the ends ({whole}): other commits made the rest"
        yield from wrapped(rest, width, "  ")
    if found.lost:
        yield from wrapped(printable(f"it was not compared with its parent: {found.lost}"), width, "  ")
    if found.lost or found.window is None:
        return
    culprits = _culprits(found.window, ends.target.metric)
    summary = found.window.culprit_summaries.get(ends.target.metric)
    if summary is not None:
        yield from (f"  {line}" for line in culprit_lines(culprits, {ends.target.metric: summary}, width - 2))
    else:
        yield from wrapped("no line is named: no cause was looked for", width, "  ")
    for change in found.window.modules:
        yield from wrapped(printable(change.text), width, "  ")


def _culprits(window: WindowRecord, metric: str) -> list[Culprit]:
    return [culprit for culprit in window.culprits if culprit.metric == metric]


def _unchanged_lines(answer: Answer, registry: Registry, nodeid: str, width: int) -> Iterator[str]:
    asked, units = answer.state.asked, {metric.name: metric.unit.name for metric in registry}
    ends = f"{short(asked.good)} and {short(asked.bad)}"
    yield from wrapped(
        printable(f"{nodeid}: nothing is certainly worse at {short(asked.bad)}: {ends} are alike"), width
    )
    for change in answer.changes:
        yield from wrapped(unchanged_words(change, units[change.target.metric]), width, "  ")


def _candidate_lines(answer: Answer, width: int) -> Iterator[str]:
    ends = answer.state.ends
    assert ends is not None
    steps = {step.commit: step for step in answer.state.steps}
    yield from wrapped(f"it is one of {counted(len(answer.candidates), 'commit')}: {answer.reason}", width)
    for commit in reversed(answer.candidates):
        step = steps.get(commit.hash)
        told = f": {outcome_words(step, ends)}" if step is not None else ""
        yield from wrapped(printable(f"{commit.text}{told}"), width, "  ")


def answer_to_dict(answer: Answer, commits: Mapping[str, Commit], registry: Registry, nodeid: str) -> dict[str, Any]:
    """The answer as plain data; figures are in the metric's unit."""
    ends, asked = answer.state.ends, answer.state.asked
    units = {metric.name: metric.unit.name for metric in registry}
    return {
        "found": answer.confirmed is not None,
        "reason": answer.reason or None,
        "test": nodeid,
        "good": asked.good,
        "bad": asked.bad,
        "metric": ends.target.metric if ends else asked.metric or None,
        "unit": ends.unit if ends else units.get(asked.metric),
        "window": ends.target.window if ends else None,
        "service": ends.target.service if ends else None,
        "ends": {"before": ends.base, "after": ends.base + ends.change} if ends else None,
        "commit": _confirmed(answer.confirmed, ends.target.metric) if answer.confirmed and ends else None,
        "comparisons": [_comparison(change, units[change.target.metric]) for change in answer.changes],
        "candidates": [_commit(commit) for commit in answer.candidates],
        "steps": [_step(step, commits[step.commit]) for step in answer.state.steps],
        "commits": len(commits),
        "seconds": round(answer.seconds, 1),
    }


def _comparison(change: Change, unit: str) -> dict[str, Any]:
    found, target = change.comparison, change.target
    seen = {"before": found.base, "after": found.head, "would_see": found.smallest_visible}
    return {"service": target.service, "window": target.window, "metric": target.metric, "unit": unit, **seen}


def _commit(commit: Commit) -> dict[str, Any]:
    return {"hash": commit.hash, "subject": commit.subject, "author": commit.author, "date": commit.date}


def _confirmed(found: Confirmed, metric: str) -> dict[str, Any]:
    window = found.window
    culprits = _culprits(window, metric) if window else []
    return {
        **_commit(found.commit),
        "parent": found.parent or None,
        "not_compared": found.lost or None,
        "before": found.before,
        "after": found.after,
        "culprits": [{"function": c.function, "file": c.file, "line": c.line, "reason": c.reason} for c in culprits],
        "modules": [
            {"module": change.module, "before": change.before, "after": change.after}
            for change in (window.modules if window else ())
        ],
    }


def _step(step: Step, commit: Commit) -> dict[str, Any]:
    return {
        **_commit(commit),
        "kind": step.kind.value,
        "change": step.level,
        "rounds": step.rounds,
        "seconds": step.seconds,
        "reason": step.reason or None,
    }
