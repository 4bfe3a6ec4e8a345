"""Measures test items, and attaches the results to pytest's reports."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gomem.plugin.items import PLAN

if TYPE_CHECKING:
    from pytest_gomem.plugin.measured import MeasuredItem
    from pytest_gomem.plugin.session import PluginSession

_MEASURED: pytest.StashKey[MeasuredItem] = pytest.StashKey()


class Measuring:
    """Starts measuring each planned item, and ends with the item's last report."""

    def __init__(self, session: PluginSession) -> None:
        self._session = session

    def of(self, item: pytest.Item) -> MeasuredItem | None:
        """The measured item; None for a test that uses nothing of ours."""
        plan = item.stash.get(PLAN, None)
        if plan is None:
            return None
        if _MEASURED not in item.stash:
            from pytest_gomem.plugin.diagnosing import refusals
            from pytest_gomem.plugin.measured import MeasuredItem
            from pytest_gomem.plugin.rounds import purpose_of, strategy_of

            session = self._session
            baselines, handover = session.baselines.references(), session.baselines.handover()
            strategy = strategy_of(item, plan, session.settings, baselines)
            refusal = refusals(item, session.settings.diagnose, lambda: session.folder.path)
            item.stash[_MEASURED] = MeasuredItem(
                item,
                plan,
                session.run,
                session.settings,
                strategy=strategy,
                purpose=purpose_of(item, plan, session.settings, strategy, refusal),
                baselines=baselines,
                handover=handover,
            )
        return item.stash[_MEASURED]

    def call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """The test body is the window of its service, once for each round."""
        measured = self.of(item)
        if measured is None:
            return (yield)
        from pytest_gomem.plugin import rounds

        return (yield from rounds.call(item, measured))

    def before_teardown(self, item: pytest.Item) -> None:
        """Fixtures that fail after an observed round fail no test."""
        if _MEASURED in item.stash:
            from pytest_gomem.plugin import rounds

            rounds.tear_down_observed(item, item.stash[_MEASURED])

    def report(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """The report with the test's record; our errors show no frames of ours, and one line in summaries."""
        if call.excinfo is None or PLAN not in item.stash:
            report = yield
        else:
            from pytest_gomem.plugin.body_errors import abridge, hide_our_frames

            is_skipped = call.excinfo.errisinstance(pytest.skip.Exception)
            if call.when == "setup" and _MEASURED in item.stash and not is_skipped:
                item.stash[_MEASURED].report_set_up()
            hide_our_frames(call.excinfo.value)
            report = yield
            abridge(report, call.excinfo.value, item.location)  # a TestCase with several may have another one now
        self._attach_record(item, call, report)
        return report

    def _attach_record(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        """Attach the record of a test that is over or never began."""
        stage = item.stash[_MEASURED].stage if _MEASURED in item.stash else ""
        if stage == "in the body" and report.failed and call.excinfo is not None:
            item.stash[_MEASURED].fail_subtest(report, call.excinfo.value)
        if stage:
            return
        if report.when == "teardown" and _MEASURED in item.stash:
            if report.failed:
                report.gomem = item.stash[_MEASURED].record(report)  # type: ignore[attr-defined]
            del item.stash[_MEASURED]  # if the test runs again, by rerunfailures say, it is measured anew
        if report.when == "teardown" or (report.when == "setup" and report.passed):
            return
        measured = self.of(item)
        if measured is not None:
            report.gomem = measured.record(report)  # type: ignore[attr-defined]
