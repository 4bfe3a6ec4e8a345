"""A search for settings as it runs: setting after setting as the search says, until it has an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from pytest_gomem.commands.live_progress import Progress
from pytest_gomem.report.text import clip_end
from pytest_gomem.tune.answer import cost_words, to_go
from pytest_gomem.tune.paste import setting_words
from pytest_gomem.tune.records import Answer, Ended, Plan, RunResult, Setting
from pytest_gomem.tune.rows_text import cell_text, metrics_shown
from pytest_gomem.tune.search import answer_so_far, next_step
from pytest_gomem.tune.state import State

_LONGEST_REASON = 160


class Runs(Protocol):
    """What runs the test once under a setting."""

    def run(self, setting: Setting, good_seconds: float = 0.0) -> RunResult:
        """See SettingRuns."""


@dataclass
class Tuning:
    """One search. units: those of the metrics, by name; save: keeps the state after each run."""

    state: State
    runs: Runs
    units: Mapping[str, str]
    progress: Progress
    save: Callable[[State], None]

    def run(self) -> Answer:
        """Search to the end; raises GomemError if the test cannot be run."""
        while True:
            step = next_step(self.state.asked.question, self.state.results)
            if isinstance(step, Answer):
                return step
            for at, setting in enumerate(step.settings):
                self._run(setting, replace(step, left=max(step.left - at, 0)))

    def stopped_words(self) -> str:
        """What was measured before a person stopped it, and what is known by that."""
        found = answer_so_far(self.state.asked.question, self.state.results, "you stopped it")
        best = f"; best so far: {setting_words(found.setting)}" if found.setting else ""
        return f"stopped after {cost_words(self.state.results)}{best}"

    def _run(self, setting: Setting, plan: Plan) -> None:
        done, left = len(self.state.results), max(plan.left, 1)
        expected = to_go(self.state.asked.question, self.state.results, plan.left)
        with self.progress.during(self._shown(setting, plan), done, left, expected):
            result = self.runs.run(setting, self._good_seconds)
        self.state = self.state.with_result(result)
        self.save(self.state)
        of = f" of about {done + left}" if plan.left else ""
        outcome = f"{setting_words(setting)}: {self._outcome(result)}, {result.seconds:.0f} s"
        self.progress.line(f"run {done + 1}{of}: {outcome}")

    def _shown(self, setting: Setting, plan: Plan) -> str:
        best = f", best so far {setting_words(plan.best)}" if plan.best else ""
        return f"run {len(self.state.results) + 1}, {plan.why}: {setting_words(setting)}{best}"

    @property
    def _good_seconds(self) -> float:
        """How long the longest good run took."""
        return max((result.seconds for result in self.state.results if result.ended is Ended.OK), default=0.0)

    def _outcome(self, result: RunResult) -> str:
        if result.ended is not Ended.OK:
            ended = "" if result.why.startswith(result.ended.value) else f"{result.ended.value}: "
            return clip_end(f"{ended}{result.why}", _LONGEST_REASON)
        shown = metrics_shown(self.state.asked.question)
        return ", ".join(f"{name} {cell_text(name, result.figures.get(name), self.units)}" for name in shown)
