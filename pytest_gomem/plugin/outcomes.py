"""What became of each test to measure: planned, left out, begun, or lost with an xdist worker."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_gomem.plugin.items import line_of, test_id, with_and_without_groups
from pytest_gomem.plugin.use import is_measured, is_worker

if TYPE_CHECKING:
    from pytest_gomem.base.errors import Place
    from pytest_gomem.plugin.session import PluginSession
    from pytest_gomem.results.run_record import TestRecord
    from pytest_gomem.results.whole import Whole

_FILE = "planned.json"
_CRASH = "???"  # the phase in xdist's report of a test whose worker died


class _Chosen(NamedTuple):
    """The tests to measure, each with its line; those that were left out; what is declared for tests that are none."""

    lines: Mapping[str, int | None]
    deselected: Sequence[str]
    stale: Sequence[tuple[str, Sequence[Any]]] | None


@dataclass(eq=False)  # pytest 8.0 hashes its plugins
class Outcomes:
    """The outcome of each test to measure, registered as a plugin of its own.

    Under xdist a worker writes the list of these tests to the run's folder. A worker on another machine cannot: its
    tests are known only from their results.
    """

    session: PluginSession
    interrupted: bool = False
    stale: Sequence[tuple[str, Place]] | None = None
    _planned: dict[str, int | None] = field(default_factory=dict)
    _deselected: dict[str, None] = field(default_factory=dict)
    _started: set[str] = field(default_factory=set)
    _crashed: dict[str, str] = field(default_factory=dict)

    def plan(self, items: Iterable[pytest.Item]) -> None:
        """Note the tests to measure."""
        self._planned = {test_id(item): line_of(item) for item in items}

    def leave_out(self, items: Iterable[pytest.Item]) -> None:
        """Note tests that are not to be measured after all."""
        self._deselected.update((test_id(item), None) for item in items if is_measured(item))

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note tests that -k, -m or a plugin leaves out, perhaps after they were planned."""
        self.leave_out(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """On a worker, tell the controller."""
        self.leave_out(self.session.selection.left_out(session.items))
        if is_worker(self.session.config):
            from pytest_gomem.base.files import write_whole

            write_whole(self.session.folder.path / _FILE, json.dumps(self._own()))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note that a test begins, here or on a worker."""
        self._started.add(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note that a worker died, and in which test."""
        if report.when == _CRASH:
            self._crashed[report.nodeid] = str(report.longrepr).strip().partition("\n")[0]

    def pytest_keyboard_interrupt(self) -> None:
        """Ctrl-C, or pytest.exit()."""
        self.interrupted = True

    def without_result(self, known: Collection[str], session: pytest.Session) -> tuple[TestRecord, ...]:
        """A record without windows for each planned test that is not known."""
        if self.session.config.option.collectonly:
            return ()
        started = with_and_without_groups(self._started)
        crashed = {one: why for nodeid, why in self._crashed.items() for one in with_and_without_groups([nodeid])}
        return tuple(
            self._record(nodeid, crashed, started, session) for nodeid in self._chosen.lines if nodeid not in known
        )

    @property
    def deselected(self) -> tuple[str, ...]:
        """The tests that would have been measured, and were left out."""
        return tuple(self._chosen.deselected)

    def whole(self) -> Whole:
        """What this run knows for one of all tests."""
        from pytest_gomem.base.errors import Place
        from pytest_gomem.results.whole import Stale, Whole

        config, stale = self.session.gomem_config, self._chosen.stale
        return Whole(
            self.session.settings.strict,
            None if stale is None else tuple(Stale(words, Place(*place)) for words, place in stale),
            config.accepted if config else (),
            config.known_leaks if config else (),
        )

    def _own(self) -> _Chosen:
        left = {nodeid: line for nodeid, line in self._planned.items() if nodeid not in self._deselected}
        return _Chosen(left, tuple(self._deselected), self.stale)

    @cached_property
    def _chosen(self) -> _Chosen:
        own, file = self._own(), self.session.folder.path / _FILE
        return _Chosen(*json.loads(file.read_text())) if not (own.lines or own.deselected) and file.exists() else own

    def _record(
        self, nodeid: str, crashed: dict[str, str], started: Collection[str], session: pytest.Session
    ) -> TestRecord:
        from pytest_gomem.results.run_record import TestRecord

        line = self._chosen.lines[nodeid]
        if nodeid in crashed:
            why = crashed[nodeid] or "its xdist worker died"
            return TestRecord(nodeid, "crashed", (), reason=why, line=line)
        if nodeid in started:
            return TestRecord(nodeid, "interrupted", (), reason="the run ended while this test ran", line=line)
        stop = session.shouldfail or session.shouldstop
        why = str(stop) if stop else "the run ended before this test began"
        return TestRecord(nodeid, "not run", (), reason=why, line=line)
