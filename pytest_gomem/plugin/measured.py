"""Measures one test item: its windows around the body of each round, its verdicts, its record."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pytest_gomem.base.errors import BudgetBroken, GomemError, KilledAtLimit, ObserveError
from pytest_gomem.baseline.lookup import window_name
from pytest_gomem.comparison.observed import unmatched_globs
from pytest_gomem.comparison.rounds import AllRounds
from pytest_gomem.comparison.strategy import Strategy
from pytest_gomem.comparison.visible import with_visible
from pytest_gomem.config.tokens import unexpanded
from pytest_gomem.judge.decide import failed
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.plugin.artifacts import Artifacts
from pytest_gomem.plugin.body_errors import (
    PlainFailure,
    in_one_line,
    is_timeout,
    killed_at_limit,
    plainly,
    raise_noted,
)
from pytest_gomem.plugin.closing import Windows, close, drop
from pytest_gomem.plugin.items import line_of, test_id
from pytest_gomem.plugin.judged_by import judging_of
from pytest_gomem.plugin.messages import GomemWarning
from pytest_gomem.plugin.repeated import repeat
from pytest_gomem.plugin.reporting import outcome_of, takes_test_properties
from pytest_gomem.plugin.use import MATRIX_FIXTURE, SERVICE_FIXTURE, SESSION_FIXTURE
from pytest_gomem.report.bill import with_advice
from pytest_gomem.report.junit import properties
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.stored import to_line
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.gomem import Gomem
from pytest_gomem.session.plan import Role, RoundPlan
from pytest_gomem.session.recording import with_shown_texts
from pytest_gomem.session.service import Service
from pytest_gomem.session.window import OpenWindow

if TYPE_CHECKING:
    from pytest_gomem.baseline.lookup import Baselines
    from pytest_gomem.baseline.profiles import Handover
    from pytest_gomem.comparison.observation import Purpose
    from pytest_gomem.config.marker import Combination
    from pytest_gomem.plugin.items import Plan
    from pytest_gomem.plugin.settings import Settings
    from pytest_gomem.session.run import Run

_WINDOW = "test"
# Reports from the body are of its subtests; those between rounds are of fixtures, not of the test.
Stage = Literal["", "in the body", "between rounds"]
_NOT_A_FAILURE = (pytest.skip.Exception, pytest.xfail.Exception)
# Pytest treats a SystemExit as a failure of the test, and so do we.
_LEAVING = (KeyboardInterrupt, GeneratorExit, pytest.exit.Exception)


class MeasuredItem:
    """One test that uses our fixtures, in all its rounds; the fixtures find it in the item's stash."""

    def __init__(
        self,
        item: pytest.Item,
        plan: Plan,
        run: Run,
        settings: Settings,
        *,
        strategy: Strategy,
        purpose: Purpose | None = None,
        baselines: Baselines | None = None,
        handover: Handover | None = None,
    ) -> None:
        self._item = item
        self._nodeid = test_id(item)
        self._run = run
        self._cycles = settings.cycles
        self._artifacts = Artifacts(settings.artifacts, self._nodeid)
        self.plan = plan
        may_run_again = purpose is not None
        self._judging = judging_of(self._nodeid, plan, run.settings.config, settings, may_run_again=may_run_again)
        self._handover = handover
        shares_process = SESSION_FIXTURE in getattr(item, "fixturenames", ())
        self.rounds = AllRounds(run, self._judging, strategy, baselines, shares_process=shares_process, purpose=purpose)
        self._windows: tuple[WindowRecord, ...] | None = None
        self.stage: Stage = ""
        self.has_failed_subtest, self._ended = False, ""

    @contextlib.contextmanager
    def sparing_the_test(self, plan: RoundPlan) -> Iterator[None]:
        """Errors in a round that is not judged fail no test."""
        try:
            yield
        except _LEAVING:
            raise
        except BaseException as error:
            is_over = is_timeout(error)
            if plan.is_judged or (is_over and plan.role is not Role.OBSERVED):
                raise
            self.rounds.give_up(plan, in_one_line(error))
            if is_over:  # its one alarm is for all rounds
                self.rounds.end_observing()

    @contextlib.contextmanager
    def tearing_down(self, plan: RoundPlan) -> Iterator[None]:
        """The same for fixtures after a round; if they fail after an observed one, what it has recorded stays good."""
        with self.sparing_the_test(plan):
            try:
                yield
            except Exception as error:
                if plan.role is not Role.OBSERVED:
                    raise
                self._item.warn(GomemWarning(f"a fixture failed after an observed round: {in_one_line(error)}"))

    @contextlib.contextmanager
    def during(self, stage: Stage) -> Iterator[None]:
        """Set `stage` meanwhile, for hooks that get a report."""
        self.stage = stage
        try:
            yield
        finally:
            self.stage = ""

    def gomem(self, base: Overrides) -> Gomem:
        """A new factory for windows of this round."""
        return self.rounds.factory(base, self.plan.service)

    @property
    def combination(self) -> Combination | None:
        """The GC settings of this test from the matrix."""
        combination: Combination | None = (getattr(self._item, "funcargs", None) or {}).get(MATRIX_FIXTURE)
        return combination

    def has_failed(self) -> bool:
        """Whether what was measured fails the test, whatever further rounds show."""
        try:
            return any(failed(window.verdicts) for window in self.rounds.compared())
        except GomemError:
            return True

    def fail_subtest(self, report: pytest.TestReport, error: BaseException) -> None:
        """Note a failed subtest. In a round that is not judged it fails no test, so its report says that it passed."""
        plan = self.rounds.current.plan
        if plan.is_judged:
            self.has_failed_subtest = True
        else:
            report.outcome, report.longrepr = "passed", None
            self.rounds.give_up(plan, in_one_line(error))

    @property
    def name(self) -> str:
        """The function alone, with its parameters."""
        from pytest_gomem.report.text import short_names

        return short_names(self._nodeid)[-1]

    def services(self) -> list[Service]:
        """All that this round has launched or attached so far, or shares with other tests."""
        made = [service for gomem in self.rounds.current.gomems for service in gomem.services]
        return list(dict.fromkeys([*self._services(), *made]))

    def announce(self) -> None:
        """Show that the test runs again to find a cause."""
        if search := self.rounds.search():
            self._run.settings.announce(f"gomem: looking for the cause of {self.name}, {search}")

    def body(self) -> Generator[None, Any, Any]:
        """Run one round: open the windows, run the body, close; a failing body keeps its own error."""
        windows = self._open()
        try:
            with self.during("in the body"):
                result = yield
                noted = partial(raise_noted, self._item, forget=not self.rounds.current.plan.is_judged)
                repeat(self._item, self._cycles, [window for _, window in windows], noted)
        except (*_LEAVING, *_NOT_A_FAILURE):
            drop(windows)
            raise
        except BudgetBroken:
            close(self.rounds, windows, failing=True)
            raise
        except BaseException as error:
            killed = self._close_failed(windows, error)
            if killed is None or killed is error:
                raise
        else:
            close(self.rounds, windows)
            return result
        raise killed  # outside of the except: the user's error is not its context

    def judge(self, broken: BudgetBroken | KilledAtLimit | None = None) -> None:
        """Judge all rounds together; raises pytest's failure with the text of all that is wrong.

        broken: the error of a check(), which is raised with that text instead.
        """
        self._merge()
        self._warn_of_globs()
        if self._wrong():
            troubles = self._save_artifacts()
            wrong = self._wrong()  # with the commands for what was kept
            texts = [text for _, text in wrong] + troubles
            others = len(wrong) - 1
            more = f"; {others} more failure{'s' * (others > 1)}" if others else ""
            text, headline = "\n\n".join(texts), wrong[0][0] + more
            if broken is None:
                raise PlainFailure(text, headline)
            broken.retell(text, headline)
        elif any(window.trace is not None for window in self.windows()):
            self._save_artifacts()
        if broken is not None:
            raise broken

    def _wrong(self) -> list[tuple[str, str]]:
        """All that fails the test: a line for each, and its full text."""
        troubles = [(trouble.split("\n", 1)[0], trouble) for trouble in self.rounds.troubles]
        return [*troubles, *self._verdict_texts(), *self._uncompared()]

    def _merge(self) -> None:
        if self.rounds.troubles:
            return
        try:
            self._windows = self.rounds.windows()
        except GomemError as error:
            self.rounds.troubles.append(str(error))

    def _services(self) -> list[Service]:
        """The services whose window is the body of the test."""
        funcargs = getattr(self._item, "funcargs", {})
        found = [funcargs.get(name) for name in (SERVICE_FIXTURE, SESSION_FIXTURE)]
        return [service for service in found if isinstance(service, Service)]

    def _open(self) -> list[tuple[Service, OpenWindow]]:
        if not self._run.settings.measure:
            return []
        try:
            return [(s, self.rounds.current.gomems[0].open(s, _WINDOW, self.plan.ops)) for s in self._services()]
        except GomemError as error:
            raise plainly(error) from None

    def windows(self) -> tuple[WindowRecord, ...]:
        """The windows for the report: of all rounds merged, or of the last one if it was the only one or failed."""
        found = self._windows or tuple(m.record for m in self.rounds.last_of_head)
        metrics = {metric.name: metric for metric in self._run.settings.registry}
        found = tuple(map(self._judging.with_known_holders, found))
        shown = tuple(with_advice(with_visible(window, metrics, self._judging.enough)) for window in found)
        hidden = self.rounds.hidden()
        return tuple(with_shown_texts(w, lambda text: unexpanded(text, hidden)) for w in shown) if hidden else shown

    def _warn_of_globs(self) -> None:
        """Warn of budgets on functions or types that match none; under --gomem-strict their verdicts say so."""
        for window in () if self._judging.strict else self.windows():
            for text in unmatched_globs(window):
                self._item.warn(GomemWarning(text))

    def _verdict_texts(self) -> list[tuple[str, str]]:
        """The headline and the full text of each window that broke a limit."""
        if self._judging.report_only:
            return []
        return self._run.settings.explanation.texts(self.windows(), self._nodeid)

    def _uncompared(self) -> list[tuple[str, str]]:
        """Under --gomem-strict a requested comparison that was not possible fails the test."""
        reasons = dict.fromkeys(window.no_base for window in self.windows() if self._judging.strict and window.no_base)
        texts = [f"it was not compared: {reason}" for reason in reasons]
        return [(one, f"{self._nodeid}: {one}") for one in texts]

    def _close_failed(self, windows: Windows, error: BaseException) -> KilledAtLimit | None:
        """Close the windows after an error of the body; returns the error that takes its place, if there is one."""
        round_ = self.rounds.current
        if not (round_.plan.is_judged or round_.plan.ends_at_limit):
            drop(windows)
            return None
        close(self.rounds, windows, failing=True)
        killed = killed_at_limit(error, round_.measurements(), str(self._item.path))
        if not round_.plan.is_judged:
            return None
        if killed is None:
            self._report_failed(error)
        return killed

    def _report_failed(self, error: BaseException) -> None:
        at = self.rounds.position
        which = [f"{at} failed; the figures are this round's alone"] if at else []
        unsaved = self._save_artifacts()
        broken = [text for _, text in self._verdict_texts()]
        headline = str(error).split("\n", 1)[0]  # the close of the window finds the same dead service
        troubles = [trouble for trouble in self.rounds.troubles if trouble.split("\n", 1)[0] != headline]
        for text in [*which, *troubles, *broken, *unsaved]:
            self._item.add_report_section("call", "gomem", text)

    def report_set_up(self) -> None:
        """Show and keep the logs of what started before the set-up failed; nothing was measured yet."""
        for text in self._artifacts.of_set_up(self.services()):
            self._item.add_report_section("setup", "gomem", text)

    def _save_artifacts(self) -> list[str]:
        """Keep the files of the windows, and name them in the records; returns what went wrong."""
        found = self.rounds.with_files()
        troubles = self._artifacts.save(found)
        if self._windows is not None:
            saved = [measurement.record.artifacts for measurement, *_ in found]
            self._windows = tuple(replace(w, artifacts=own) for w, own in zip(self._windows, saved, strict=True))
        return troubles

    def record(self, report: pytest.TestReport) -> str:
        """The test's record as a line, for the report and xdist's controller; also sets JUnit's properties."""
        combination = self.combination
        record = TestRecord(
            nodeid=self._nodeid,
            # A failed subtest does not raise; pytest counts it after all reports.
            outcome=self._outcome(report),
            windows=self.windows(),
            matrix=dict(combination.written) if combination else {},
            line=line_of(self._item),
        )
        if takes_test_properties(self._item.config):
            found = properties(record)
            replaced = {name for name, _ in found}  # by an earlier attempt of a rerun test
            kept = [pair for pair in self._item.user_properties if pair[0] not in replaced]
            self._item.user_properties[:] = [*kept, *found]
        try:
            self._hand_over()
        except (GomemError, OSError) as error:  # raised from here it would end the whole run
            self._item.warn(GomemWarning(f"the baseline is kept without a heap profile: {error}"))
        return to_line(record)

    def _outcome(self, report: pytest.TestReport) -> str:
        """Pytest's word for the outcome; a failing teardown turns a passed test into an error."""
        if report.when == "teardown" and self._ended in ("failed", "error"):
            return self._ended
        has_failed = self.has_failed_subtest and report.outcome == "passed"
        self._ended = "failed" if has_failed else outcome_of(report)
        return self._ended

    def _hand_over(self) -> None:
        """Save what a recording run has observed for the process that writes the baselines."""
        if self._handover is not None:
            kept = {window_name(key): evidence for key, evidence in self.rounds.kept_evidence().items()}
            self._handover.put(self._nodeid, kept)
            if self._ended == "passed" and not kept and (why := self.rounds.lost_observations()):
                raise ObserveError(why)
