"""Owns the measuring of one test item: its windows around the body, its verdicts, its record."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gomem.config.file import BudgetTable
from pytest_gomem.errors import GomemError
from pytest_gomem.items import MATRIX_FIXTURE, SERVICE_FIXTURE, SESSION_FIXTURE
from pytest_gomem.judge.decide import failed
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.report.failure import failure_text
from pytest_gomem.report.json_report import test_to_dict
from pytest_gomem.report.junit import properties
from pytest_gomem.report.model import TestRecord
from pytest_gomem.session.gomem import Gomem
from pytest_gomem.session.measurement import Judging
from pytest_gomem.session.service import Service
from pytest_gomem.session.window import OpenWindow

if TYPE_CHECKING:
    from pytest_gomem.config.marker import Combination
    from pytest_gomem.items import Plan
    from pytest_gomem.session.run import Run

_WINDOW = "test"
_NOT_A_FAILURE = (pytest.skip.Exception, pytest.xfail.Exception)
_LEAVING = (KeyboardInterrupt, SystemExit, GeneratorExit, pytest.exit.Exception)


class MeasuredItem:
    """One test that uses our fixtures; they find it in the item's stash."""

    def __init__(self, item: pytest.Item, plan: Plan, run: Run, *, report_only: bool, artifacts: Path | None) -> None:
        self._item = item
        self._run = run
        self._artifacts = artifacts
        self.plan = plan
        table = run.settings.config.budgets if run.settings.config else BudgetTable()
        self._judging = Judging(item.nodeid, plan.budgets, table, report_only)
        self._gomems: list[Gomem] = []
        self._own = Gomem(run, self._judging)

    def gomem(self, base: Overrides) -> Gomem:
        """A new factory whose windows belong to this test."""
        gomem = Gomem(self._run, self._judging, base, self.plan.service)
        self._gomems.append(gomem)
        return gomem

    @property
    def combination(self) -> Combination | None:
        """The GC settings that the matrix chose for this test."""
        combination: Combination | None = getattr(self._item, "funcargs", {}).get(MATRIX_FIXTURE)
        return combination

    def call(self) -> Generator[None, Any, Any]:
        """Open the windows, run the body, close and judge; a failing body keeps its own error."""
        windows = self._open()
        try:
            result = yield
        except (*_LEAVING, *_NOT_A_FAILURE):
            self._drop(windows)
            raise
        except BaseException as error:
            _hide_our_frames(error)
            self._close_beside(windows)
            raise
        texts = self._close(windows)
        if texts:
            self._save_artifacts()
            pytest.fail("\n\n".join(texts), pytrace=False)
        return result

    def _services(self) -> list[Service]:
        """The services whose window is the body of the test."""
        funcargs = getattr(self._item, "funcargs", {})
        found = [funcargs.get(name) for name in (SERVICE_FIXTURE, SESSION_FIXTURE)]
        return [service for service in found if isinstance(service, Service)]

    def _open(self) -> list[tuple[Service, OpenWindow]]:
        if not self._run.settings.measure:
            return []
        try:
            return [(s, self._own.open(s, _WINDOW, self.plan.ops)) for s in self._services()]
        except GomemError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None

    @staticmethod
    def _drop(windows: list[tuple[Service, OpenWindow]]) -> None:
        for service, _ in windows:
            service.window = None

    def _close(self, windows: list[tuple[Service, OpenWindow]]) -> list[str]:
        """Close the windows; the texts of all that makes the test fail, and no error of ours lost on the way."""
        texts = []
        for service, window in windows:
            try:
                self._own.close_window(service, window)
                service.check_alive()
            except GomemError as error:
                texts.append(str(error))
        return [*texts, *self._verdict_texts()]

    def _verdict_texts(self) -> list[str]:
        if self._judging.report_only:
            return []
        records = [m.record for gomem in self._all() for m in gomem.measurements if m.closed]
        return [failure_text(record, self._item.nodeid)[1] for record in records if failed(record.verdicts)]

    def _close_beside(self, windows: list[tuple[Service, OpenWindow]]) -> None:
        for text in self._close(windows):
            self._item.add_report_section("call", "gomem", text)
        self._save_artifacts()

    def _save_artifacts(self) -> None:
        """What is kept of each measured service of a failed test, for --gomem-artifacts."""
        if self._artifacts is None:
            return
        for gomem in self._all():
            for measurement in gomem.measurements:
                measurement.save_artifacts(self._artifacts, self._item.nodeid)

    def _all(self) -> list[Gomem]:
        return [self._own, *self._gomems]

    def record(self, report: pytest.TestReport) -> dict[str, Any]:
        """The test as plain data, for the report and for xdist's controller; also leaves JUnit its properties."""
        combination = self.combination
        record = TestRecord(
            nodeid=self._item.nodeid,
            outcome=_outcome(report),
            windows=tuple(m.record for gomem in self._all() for m in gomem.measurements if m.closed),
            matrix=dict(combination.written) if combination else {},
        )
        known = dict(self._item.user_properties)
        self._item.user_properties += [pair for pair in properties(record) if pair[0] not in known]
        return test_to_dict(record)


def _outcome(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return "xpassed" if report.passed else "xfailed"
    return "error" if report.when == "setup" and report.failed else report.outcome


def _hide_our_frames(error: BaseException) -> None:
    """End the traceback of an error of ours at the user's own line."""
    if not isinstance(error, GomemError) or error.__traceback__ is None:
        return
    last: TracebackType | None = None
    frame: TracebackType | None = error.__traceback__
    while frame is not None:
        name = frame.tb_frame.f_globals.get("__name__", "")
        if not name.startswith(("pytest_gomem", "contextlib")):
            last = frame
        frame = frame.tb_next
    if last is not None:
        last.tb_next = None
