"""What pytest's hooks ask of us in one run: the plans of tests as they are collected, and measuring them."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING

import pytest

from pytest_gomem.base.errors import ConfigError, ConfigErrors, GomemError
from pytest_gomem.base.printable import printable
from pytest_gomem.plugin import settings as option_values
from pytest_gomem.plugin.baselines import Keeping
from pytest_gomem.plugin.items import combinations, plan_item, test_id
from pytest_gomem.plugin.messages import GomemWarning
from pytest_gomem.plugin.options import BadOption, said
from pytest_gomem.plugin.reporting import Outcomes, Reporting
from pytest_gomem.plugin.selection import Selection
from pytest_gomem.plugin.state import State
from pytest_gomem.plugin.use import MATRIX_FIXTURE, is_measured, is_worker, shares_services

if TYPE_CHECKING:
    from pytest_gomem.plugin.items import Plan
    from pytest_gomem.plugin.measured import MeasuredItem


PLAN: pytest.StashKey[Plan] = pytest.StashKey()
MEASURED: pytest.StashKey[MeasuredItem] = pytest.StashKey()


class Edge:
    """Stands between pytest and the core; whatever is heavy is loaded when it is first needed."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._config = state.config
        self._collection_errors: list[ConfigError] = []
        self.selection = Selection(state.config)
        self.keeping = Keeping(state, self.selection)
        self.outcomes = Outcomes(state)
        self.reporting = Reporting(state, self.selection, self.outcomes)

    @classmethod
    def configured(cls, config: pytest.Config) -> Edge:
        """Read options and gomem.yaml; raises UsageError with every mistake in them."""
        from pytest_gomem.plugin import builtin

        config.pluginmanager.register(builtin, "gomem-builtin")
        with contextlib.ExitStack() as undone:
            try:
                edge = cls(State(config, said(config)))
                undone.callback(edge.close)
                config.pluginmanager.register(edge.selection, "gomem-selection")
                config.pluginmanager.register(edge.outcomes, "gomem-outcomes")
                config.pluginmanager.register(edge.reporting, "gomem-reporting")
                config.pluginmanager.register(edge.keeping, "gomem-baselines")
                edge.state.load()
                edge.keeping.check_rounds()
            except (GomemError, BadOption) as error:
                raise pytest.UsageError(str(error)) from None
            undone.pop_all()
        return edge

    def close(self) -> None:
        """End every process of the run and remove its folder."""
        self.state.close()

    def header(self) -> str | None:
        """Which Go builds the services; None without a gomem.yaml."""
        if self.state.gomem_config is None:
            return None
        from pytest_gomem.launch.toolchain import find_toolchain

        try:
            go = str(find_toolchain())
        except GomemError as error:
            go = str(error)
        lines = [f"gomem: {go}, services: {', '.join(self.state.gomem_config.services) or 'none'}"]
        lines += self.state.against.lines() if self.state.against else ()
        if self.state.options["no-compare"]:
            lines.append("gomem: nothing is compared (--gomem-no-compare)")
        return "\n".join(map(printable, lines))

    def print_metrics(self) -> int:
        """List the metrics on stdout."""
        from pytest_gomem.report.metrics_list import metric_lines

        print("\n".join(metric_lines(tuple(self.state.registry))))
        return 0

    # Collection

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """One test per combination of the gomem_gc marker; those that must not run are skipped with the reason."""
        try:
            chosen = combinations(metafunc, self.state.run)
        except ConfigErrors as errors:
            self._collection_errors += errors.errors
            return
        except ConfigError as error:
            self._collection_errors.append(error)
            return
        if chosen:
            metafunc.parametrize(
                MATRIX_FIXTURE,
                [
                    pytest.param(c, id=c.id, marks=pytest.mark.skip(reason=c.left_out) if c.left_out else ())
                    for c in chosen
                ],
            )

    def plan(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        """Read every item's markers; all mistakes are raised at once."""
        measured = [item for item in items if is_measured(item)]
        errors = list(self._collection_errors)
        for item in measured:
            try:
                item.stash[PLAN] = plan_item(item, self.state.run)
            except ConfigErrors as several:
                errors += several.errors
            except ConfigError as error:  # of what plugins bring for the run
                errors.append(error)
        shared = [item for item in measured if shares_services(item) and PLAN in item.stash]
        if shared:
            self.state.run.sharing = tuple((test_id(item), item.stash[PLAN].budgets) for item in shared)
        errors += self._stale(items)
        if errors:
            self._refuse(session, items, list(dict.fromkeys(map(str, errors))))
        else:
            self.outcomes.plan(map(test_id, measured))

    def _refuse(self, session: pytest.Session, items: list[pytest.Item], messages: list[str]) -> None:
        text = "\n".join(messages)
        if not is_worker(self._config):
            raise pytest.UsageError(text)
        # A UsageError on an xdist worker is shown as an internal error: fail its collection instead.
        report = pytest.CollectReport(session.nodeid or ".", "failed", longrepr=text, result=[])
        self._config.hook.pytest_collectreport(report=report)
        items.clear()

    def _stale(self, items: Iterable[pytest.Item]) -> list[ConfigError]:
        if self.state.gomem_config is None or not self.selection.has_all():
            return []
        from pytest_gomem.plugin.selection import without_a_test

        nodeids = [test_id(item) for item in items]
        errors = without_a_test(self.state.gomem_config, nodeids, self.selection.was_looked_for)
        if self.state.options["strict"]:
            return errors
        for error in errors:
            self._warn(error)
        return []

    def _warn(self, error: ConfigError) -> None:
        if getattr(self._config, "workerinput", {}).get("workerid", "gw0") != "gw0":
            return
        try:
            warnings.warn_explicit(GomemWarning(error.message), None, error.place.file, error.place.line)
        except GomemWarning:
            raise pytest.UsageError(str(error)) from None

    # Running

    def measured(self, item: pytest.Item) -> MeasuredItem | None:
        """The measuring of this item; None for a test that uses nothing of ours."""
        plan = item.stash.get(PLAN, None)
        if plan is None:
            return None
        if MEASURED not in item.stash:
            from pytest_gomem.plugin.measured import MeasuredItem
            from pytest_gomem.plugin.rounds import strategy_of

            options, baselines = self.state.options, self.keeping.references()
            artifacts, handover = options["artifacts"], self.keeping.handover(self.state.run_dir)
            item.stash[MEASURED] = MeasuredItem(
                item,
                plan,
                self.state.run,
                strategy=strategy_of(item, plan, options, baselines, hands_over=handover is not None),
                baselines=baselines,
                report_only=bool(options["report-only"]),
                strict=bool(options["strict"]),
                confirm=option_values.confirm(options),
                handover=handover,
                artifacts=self._config.invocation_params.dir / str(artifacts) if artifacts else None,
            )
        return item.stash[MEASURED]

    def told(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """The report with the test's record; an error of ours shows none of our frames, and one line in summaries."""
        if call.excinfo is None or PLAN not in item.stash:
            report = yield
        else:
            from pytest_gomem.plugin.body_errors import abridge, hide_our_frames

            is_skipped = call.excinfo.errisinstance(pytest.skip.Exception)
            if call.when == "setup" and MEASURED in item.stash and not is_skipped:
                item.stash[MEASURED].tell_set_up()
            hide_our_frames(call.excinfo.value)
            report = yield
            abridge(report, call.excinfo.value, item.location)  # of several of a TestCase it may be another one now
        self._pin(item, report)
        return report

    def _pin(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Attach the record of a finished, or never begun, test to its report."""
        stage = item.stash[MEASURED].stage if MEASURED in item.stash else ""
        if stage == "in the body":
            item.stash[MEASURED].has_failed_subtest |= report.failed
        if stage:
            return
        if report.when == "teardown" and MEASURED in item.stash:
            if report.failed:
                report.gomem = item.stash[MEASURED].record(report)  # type: ignore[attr-defined]
            del item.stash[MEASURED]  # if the test is run again, by rerunfailures say, it is measured anew
        if PLAN not in item.stash or report.when == "teardown" or (report.when == "setup" and report.passed):
            return
        measured = self.measured(item)
        assert measured is not None
        report.gomem = measured.record(report)  # type: ignore[attr-defined]
