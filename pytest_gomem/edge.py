"""Owns the plugin's state of one pytest run: settings from options, the run of the core, the plans of tests."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Generator, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_gomem import against, option_values
from pytest_gomem.errors import ConfigError, ConfigErrors, GomemError
from pytest_gomem.items import combinations, plan_item, test_id
from pytest_gomem.keeping import Keeping
from pytest_gomem.options import BadOption, said
from pytest_gomem.reporting import Reporting
from pytest_gomem.selection import Selection
from pytest_gomem.stash import MEASURED, PLAN
from pytest_gomem.use import MATRIX_FIXTURE, default_config, is_measured, shares_services

if TYPE_CHECKING:
    from pytest_gomem.config.file import GomemConfig
    from pytest_gomem.measure.registry import Registry
    from pytest_gomem.measured import MeasuredItem
    from pytest_gomem.session.run import Run


class GomemWarning(pytest.PytestWarning):
    """Something in gomem.yaml or a marker has no effect."""


class Edge:
    """Stands between pytest and the core; whatever is heavy is loaded when it is first needed."""

    def __init__(self, config: pytest.Config, options: Mapping[str, str | bool | None]) -> None:
        self._config = config
        self.options = options
        self._folders = contextlib.ExitStack()
        self._collection_errors: list[ConfigError] = []
        self.gomem_config: GomemConfig | None = None
        self.against: against.Asked | None = None
        self.keeping = Keeping(config, options)
        self.selection = Selection(config)
        self.reporting = Reporting(config, options)

    @classmethod
    def configured(cls, config: pytest.Config) -> Edge:
        """Read options and gomem.yaml; raises UsageError with every mistake in them."""
        from pytest_gomem import builtin

        config.pluginmanager.register(builtin, "gomem-builtin")
        with contextlib.ExitStack() as undone:
            try:
                edge = cls(config, said(config))
                undone.callback(edge.close)
                config.pluginmanager.register(edge.selection, "gomem-selection")
                config.pluginmanager.register(edge.reporting, "gomem-reporting")
                config.pluginmanager.register(edge.keeping, "gomem-baselines")
                edge.load_config()
            except (GomemError, BadOption) as error:
                raise pytest.UsageError(str(error)) from None
            undone.pop_all()
        return edge

    def load_config(self) -> None:
        """Load gomem.yaml where there is one; raises ConfigErrors."""
        named = self.options["config"]
        path = self._config.invocation_params.dir / str(named) if named else default_config(self._config)
        option_values.check(self.options)
        if path is not None:
            from pytest_gomem.config.file import load_config

            self.gomem_config = load_config(Path(os.path.relpath(path)), self.registry.units())
        if against.is_asked(self.options):
            self.against = against.Asked.judged(
                self.options, self.gomem_config, self._config.invocation_params.dir, self.run_dir()
            )

    @cached_property
    def registry(self) -> Registry:
        """The metrics of all plugins."""
        from pytest_gomem.measure.registry import Registry

        return Registry(metric for metrics in self._config.hook.pytest_gomem_metrics()[::-1] for metric in metrics)

    @cached_property
    def run(self) -> Run:
        """The core's run."""
        from pytest_gomem.session.run import Run
        from pytest_gomem.session.settings import RunSettings

        sources = self._config.hook.pytest_gomem_sources()[::-1]
        return Run(
            RunSettings(
                config=self.gomem_config,
                registry=self.registry,
                run_dir=self.run_dir(),
                sample_rate=option_values.sample_rate(self.options),
                measure=not self.options["no-measure"],
                against=self.against.base if self.against else None,
                sources=tuple(source for given in sources for source in given),
            )
        )

    def run_dir(self) -> Path:
        """A private folder for binaries and launches, one for all workers of a run."""
        return self._run_dir

    @cached_property
    def _run_dir(self) -> Path:
        from pytest_gomem.run_folder import held, run_folder

        shared = getattr(self._config, "workerinput", {}).get("gomem_run_dir")
        return self._folders.enter_context(held(Path(shared)) if shared else run_folder("pytest-gomem-"))

    def close(self) -> None:
        """End every process of the run and remove its folder."""
        if "run" in self.__dict__:
            self.run.close()
        self._folders.close()

    def header(self) -> str | None:
        """Which Go builds the services; None without a gomem.yaml."""
        if self.gomem_config is None:
            return None
        from pytest_gomem.launch.toolchain import find_toolchain

        try:
            go = str(find_toolchain())
        except GomemError as error:
            go = str(error)
        lines = [f"gomem: {go}, services: {', '.join(self.gomem_config.services) or 'none'}"]
        return "\n".join([*lines, *(self.against.lines() if self.against else ())])

    def print_metrics(self) -> int:
        """List the metrics on stdout."""
        from pytest_gomem.report.metrics_list import metric_lines

        print("\n".join(metric_lines(tuple(self.registry))))
        return 0

    # Collection

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """One test per combination of the gomem_gc marker; those that must not run are skipped with the reason."""
        try:
            chosen = combinations(metafunc, self.run)
        except ConfigErrors as errors:
            self._collection_errors += errors.errors
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
                item.stash[PLAN] = plan_item(item, self.run)
            except ConfigErrors as several:
                errors += several.errors
        shared = [item for item in measured if shares_services(item) and PLAN in item.stash]
        if shared:
            self.run.sharing = tuple((test_id(item), item.stash[PLAN].budgets) for item in shared)
        errors += self._stale(items)
        if errors:
            self._refuse(session, items, list(dict.fromkeys(map(str, errors))))

    def _refuse(self, session: pytest.Session, items: list[pytest.Item], messages: list[str]) -> None:
        text = "\n".join(messages)
        if not hasattr(self._config, "workerinput"):
            raise pytest.UsageError(text)
        # A UsageError on an xdist worker is shown as an internal error: fail its collection instead.
        report = pytest.CollectReport(session.nodeid or ".", "failed", longrepr=text, result=[])
        self._config.hook.pytest_collectreport(report=report)
        items.clear()

    def _stale(self, items: Iterable[pytest.Item]) -> list[ConfigError]:
        if self.gomem_config is None or not self.selection.has_all():
            return []
        from pytest_gomem.stale import without_a_test

        nodeids = [test_id(item) for item in items]
        errors = without_a_test(self.gomem_config, nodeids, self.selection.was_looked_for)
        if self.options["strict"]:
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
            from pytest_gomem.measured import MeasuredItem
            from pytest_gomem.rounds import schedule_of

            artifacts, references = self.options["artifacts"], self.keeping.references()
            item.stash[MEASURED] = MeasuredItem(
                item,
                plan,
                self.run,
                schedule=schedule_of(item, plan, self.options, references),
                references=references,
                report_only=bool(self.options["report-only"]),
                strict=bool(self.options["strict"]),
                confirm=option_values.confirm(self.options),
                handover=self.keeping.handover(self.run_dir()),
                artifacts=self._config.invocation_params.dir / str(artifacts) if artifacts else None,
            )
        return item.stash[MEASURED]

    def told(
        self, item: pytest.Item, failure: pytest.ExceptionInfo[BaseException] | None
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """The report with the test's record; an error of ours shows none of our frames, and one line in summaries."""
        if failure is None or PLAN not in item.stash:
            report = yield
        else:
            from pytest_gomem.body_errors import abridge, hide_our_frames

            hide_our_frames(failure.value)
            report = yield
            abridge(report, failure.value, item.location)
        self._pin(item, report)
        return report

    def _pin(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Attach the record of a finished, or never begun, test to its report."""
        if MEASURED in item.stash and item.stash[MEASURED].is_between_rounds:
            return
        if report.when == "teardown" and MEASURED in item.stash:
            del item.stash[MEASURED]  # if the test is run again, by rerunfailures say, it is measured anew
        if PLAN not in item.stash or report.when == "teardown" or (report.when == "setup" and report.passed):
            return
        measured = self.measured(item)
        assert measured is not None
        report.gomem = measured.record(report)  # type: ignore[attr-defined]
