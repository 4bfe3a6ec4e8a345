"""Which measured tests of a run have no result, and why: they crashed, were interrupted, or never ran."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pytest_gomem.use import is_worker

if TYPE_CHECKING:
    from pytest_gomem.results.run_record import TestRecord
    from pytest_gomem.state import State

_FILE = "planned.json"
_CRASH = "???"  # the phase that xdist names in the report of a test whose worker died


@dataclass(eq=False)  # pytest 8.0 hashes its plugins
class Outcomes:
    """What became of each test that was to be measured, registered as a plugin of its own.

    Under xdist a worker leaves the list of these tests in the run's folder; one on another machine has no such folder,
    and its tests are known by their results alone.
    """

    state: State
    interrupted: bool = False
    _planned: tuple[str, ...] = ()
    _started: set[str] = field(default_factory=set)
    _crashed: dict[str, str] = field(default_factory=dict)

    def plan(self, nodeids: Iterable[str]) -> None:
        """The tests that are going to be measured."""
        self._planned = tuple(nodeids)
        if is_worker(self.state.config):
            from pytest_gomem.base.files import write_whole

            write_whole(self.state.run_dir / _FILE, json.dumps(self._planned))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """A test begins, here or on a worker."""
        self._started.add(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A worker died, and xdist says in which test."""
        if report.when == _CRASH:
            self._crashed[report.nodeid] = str(report.longrepr).strip().partition("\n")[0]

    def pytest_keyboard_interrupt(self) -> None:
        """Ctrl-C, or pytest.exit()."""
        self.interrupted = True

    def without_result(self, known: Collection[str], session: pytest.Session) -> tuple[TestRecord, ...]:
        """A record, without windows, of each planned test that is not among the known ones."""
        if self.state.config.option.collectonly:
            return ()
        from pytest_gomem.items import with_and_without_groups

        started = with_and_without_groups(self._started)
        crashed = {one: why for nodeid, why in self._crashed.items() for one in with_and_without_groups([nodeid])}
        return tuple(
            self._record(nodeid, crashed, started, session) for nodeid in self._expected() if nodeid not in known
        )

    def _expected(self) -> tuple[str, ...]:
        file = self.state.run_dir / _FILE
        return self._planned or (tuple(json.loads(file.read_text())) if file.exists() else ())

    @staticmethod
    def _record(nodeid: str, crashed: dict[str, str], started: Collection[str], session: pytest.Session) -> TestRecord:
        from pytest_gomem.results.run_record import TestRecord

        if nodeid in crashed:
            return TestRecord(nodeid, "crashed", (), reason=crashed[nodeid] or "its xdist worker died")
        if nodeid in started:
            return TestRecord(nodeid, "interrupted", (), reason="the run ended while this test ran")
        why = session.shouldfail or session.shouldstop
        return TestRecord(nodeid, "not run", (), reason=str(why) if why else "the run ended before this test began")
