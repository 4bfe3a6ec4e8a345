"""A bisection as it runs: measures the ends, then commit after commit, and confirms the answer against its parent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from statistics import median, stdev

from pytest_gomem.base.errors import GomemError
from pytest_gomem.bisect.answer import Answer, Confirmed
from pytest_gomem.bisect.likeness import Kind, Levels, Likeness, likeness
from pytest_gomem.bisect.measured import (
    Both,
    Change,
    Measured,
    Target,
    comparisons,
    followed,
    in_short,
    joined,
    measured_in,
    turned,
    worse,
)
from pytest_gomem.bisect.search import Search
from pytest_gomem.bisect.state import Asked, Ends, State, Step
from pytest_gomem.bisect.words import change_words, ends_words, range_words, step_words
from pytest_gomem.commands.bisect_runs import TestRuns
from pytest_gomem.commands.live_progress import Progress
from pytest_gomem.git.commits import Commit
from pytest_gomem.git.repository import short
from pytest_gomem.judge.regressions import in_every_round
from pytest_gomem.measure.metric import Metric
from pytest_gomem.measure.registry import Registry
from pytest_gomem.results.keys import keys, numbered
from pytest_gomem.stats.decision import FEWEST, Comparison, Status

_MOST_DOUBTS = 3  # answers that the comparison with their parent does not confirm
_SCATTERS = "its rounds scatter too much to tell which end it is like"


@dataclass
class Bisection:
    """One bisection. commits: those of the range, oldest first; save: keeps the state after each step."""

    state: State
    commits: Mapping[str, Commit]
    runs: TestRuns
    registry: Registry
    progress: Progress
    save: Callable[[State], None]
    _doubts: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._search = Search({name: commit.parents for name, commit in self.commits.items()})
        self._asked: Asked = self.state.asked

    def run(self) -> Answer:
        """Search to the end; raises GomemError if the good commit cannot be measured."""
        if self.state.ends is None:
            changes = self._measure_ends()
            if self.state.ends is None:
                return Answer(self.state, changes=changes, reason="the two ends do not differ")
        while True:
            while (name := self._search.next(self.state.known)) is not None:
                self._step(name)
            answer = self._answer()
            if answer is not None:
                return answer

    def _measure_ends(self) -> tuple[Change, ...]:
        """Find what is worse at the bad end; without any, the comparisons that show it."""
        asked, metrics = self._asked, followed({m.name: m for m in self.registry}, self._asked.metric)
        self.progress.line(range_words(asked.good, asked.bad, len(self.commits), self._search.steps(self.state.known)))
        measured: Measured | None = None
        began = time.monotonic()
        while True:
            with self.progress.during("measuring the two ends", 0, self._search.steps(self.state.known)):
                measured = self._more(measured, asked.good, asked.bad)
            self._check_ends(measured)
            found = worse(measured, metrics)
            if found:
                ends = replace(self._ends(found, measured), seconds=_since(began))
                self.state = replace(self.state, ends=ends)
                self.save(self.state)
                self.progress.line(ends_words(ends))
                return ()
            changes = tuple(comparisons(measured, metrics.values()))
            if not changes:
                reasons = dict.fromkeys(both.why_lost(name) for both in measured.values() for name in metrics)
                raise GomemError(f"{', '.join(metrics)} cannot be compared: {'; '.join(reasons)}")
            if not self._may_run_more(measured) or not any(_is_open(change.comparison) for change in changes):
                return changes

    def _check_ends(self, measured: Measured) -> None:
        reasons = {both.lost for both in measured.values()}
        if all(reasons):
            raise GomemError(f"the bad end {short(self._asked.bad)} cannot be measured: {'; '.join(sorted(reasons))}")

    def _ends(self, found: list[Change], measured: Measured) -> Ends:
        first, *others = found
        units = {metric.name: metric.unit.name for metric in self.registry}
        return Ends(
            first.target,
            units[first.target.metric],
            first.base,
            first.level,
            measured[first.target.service, first.target.window].rounds,
            tuple(change_words(one, units[one.target.metric]) for one in others),
        )

    def _more(self, measured: Measured | None, good: str, other: str) -> Measured:
        new = self.runs.measured(good, other, FEWEST)
        return new if measured is None else joined(measured, new)

    def _may_run_more(self, measured: Measured) -> bool:
        return all(both.rounds + FEWEST <= self._asked.rounds for both in measured.values())

    def _step(self, name: str) -> None:
        commit, began = self.commits[name], time.monotonic()
        done, left = len(self.state.steps), self._search.steps(self.state.known)
        with self.progress.during(f"step {done + 1} of about {done + left}: {commit.text}", done, left):
            step = self._judged(name)
        step = replace(step, seconds=_since(began))
        self.state = self.state.with_step(step)
        self.save(self.state)
        ends = self.state.ends
        assert ends is not None
        self.progress.line(step_words(step, ends, commit, done + 1, done + left))

    def _judged(self, name: str) -> Step:
        """As many rounds as it takes to see which end the commit is like."""
        target, levels = self._target, self.state.levels
        measured: Measured | None = None
        while True:
            measured = self._more(measured, self._asked.good, name)
            both = measured.get((target.service, target.window))
            lost = "the test opened no such window" if both is None else both.why_lost(target.metric)
            if both is None or lost:
                return Step(name, Kind.LOST, reason=lost)
            found = likeness(self._metric, both.good, both.other, levels, both.ops)
            if found.kind is not Kind.UNCLEAR:
                return Step(name, found.kind, found.level, found.is_between, both.rounds)
            if not self._may_run_more(measured):
                return Step(name, found.kind, found.level, rounds=both.rounds, reason=_SCATTERS)

    @property
    def _target(self) -> Target:
        assert self.state.ends is not None
        return self.state.ends.target

    @property
    def _metric(self) -> Metric:
        return self.registry.lookup(self._target.metric)

    def _answer(self) -> Answer | None:
        """What is left when no commit would tell more; None if it was in doubt, and the search goes on."""
        left = tuple(self.commits[name] for name in self._search.candidates(self.state.known))
        if len(left) != 1:
            why = "others of them could not be judged" if left else "the steps contradict each other"
            return Answer(self.state, candidates=left, reason=why)
        (commit,) = left
        if not commit.parents:  # the first commit of a history that was merged
            lost = Confirmed(commit, "", *self._by_levels(self.state.levels), None, "it has no parent")
            return Answer(self.state, lost, left)
        parent, began = commit.parents[0], time.monotonic()
        with self.progress.during(f"comparing {short(commit.hash)} with its parent", len(self.state.steps), 0):
            confirmed, both, found = self._confirm(commit, parent)
        if both is None or found is None or found.kind is Kind.BAD:
            return Answer(self.state, replace(confirmed, seconds=_since(began)), left)
        dropped = self._doubtful(both, parent, commit.hash)
        self._doubts += 1
        if not dropped or self._doubts > _MOST_DOUBTS:
            reason = "the commit does not differ from its parent as the two ends do: the steps contradict each other"
            return Answer(self.state, candidates=left, reason=reason)
        self.progress.line(f"{short(commit.hash)} does not differ so from its parent; {short(dropped)} is left out")
        self.state = self.state.without([dropped], _SCATTERS)
        self.save(self.state)
        return None

    def _confirm(self, commit: Commit, parent: str) -> tuple[Confirmed, Both | None, Likeness | None]:
        """Compare with the parent by the same decision; both, found: None if the two cannot be compared."""
        target, levels = self._target, self.state.levels
        try:
            test = self.runs.explained(parent, commit.hash, target.metric)
        except GomemError as error:  # the steps have found it, and the answer stays
            return Confirmed(commit, parent, *self._by_levels(levels), None, in_short(str(error))), None, None
        named = {(key[0], numbered(key)): one for key, one in zip(keys(test.windows), test.windows, strict=True)}
        measured, window = turned(measured_in(test)), named.get((target.service, target.window))
        while True:
            both = measured.get((target.service, target.window))
            lost = "the test opened no such window" if both is None else both.why_lost(target.metric)
            if both is None or lost:
                return Confirmed(commit, parent, *self._by_levels(levels), window, lost), None, None
            found = likeness(self._metric, both.good, both.other, Levels(0.0, levels.bad - levels.good), both.ops)
            if found.kind is not Kind.UNCLEAR or not self._may_run_more(measured):
                before, after = (median(in_every_round(target.metric, side)) for side in (both.good, both.other))
                return Confirmed(commit, parent, before, after, window, ""), both, found
            measured = self._more(measured, parent, commit.hash)

    def _by_levels(self, levels: Levels) -> tuple[float, float]:
        assert self.state.ends is not None
        return self.state.ends.base + levels.good, self.state.ends.base + levels.bad

    def _doubtful(self, both: Both, parent: str, commit: str) -> str:
        """Of the two, the one whose rounds scatter more, if it was judged by its own rounds; "" if neither was."""
        judged = {step.commit for step in self.state.steps}
        scatter = {
            name: stdev(in_every_round(self._target.metric, rounds))
            for name, rounds in ((parent, both.good), (commit, both.other))
            if name in judged
        }
        return max(scatter, key=lambda name: scatter[name], default="")


def _is_open(found: Comparison) -> bool:
    """Whether more rounds may show that the bad end is worse."""
    return found.status is Status.FAIL or found.is_suspect or found.rounds_needed is not None


def _since(began: float) -> float:
    return round(time.monotonic() - began, 1)
