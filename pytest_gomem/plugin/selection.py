"""Which tests a run has, and what is declared for tests that do not exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.base.names import means_test, was_looked_for
from pytest_gomem.config.accepted import Acceptance, Entry
from pytest_gomem.config.gomem_yaml import GomemConfig
from pytest_gomem.judge.precedence import unmatched
from pytest_gomem.plugin.items import test_id
from pytest_gomem.plugin.use import given_by_controller

_ASKED_FOR_ALL, _LEFT_OUT, _LOOKED_INTO = "gomem_asked_for_all", "gomem_left_out", "gomem_looked_into"
_LOOKED_EVERYWHERE = "gomem_looked_everywhere"
# --ignore and --lf skip tests before collection, so they are never reported as deselected.
_SKIPPING = ("ignore", "ignore_glob", "lf")
_DESELECTING = ("keyword", "markexpr", "deselect")


class Selection:
    """The tests of one pytest run, registered as a plugin of its own; xdist workers report to the controller."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._left_out = False
        self._has_unknown = False
        self._found: tuple[pytest.Item, ...] = ()
        self._looked_into: set[str] = set()
        self._ran: set[str] = set()
        self.collected: tuple[str, ...] = ()

    def asks_for_all(self) -> bool:
        """Whether neither the command line nor the current folder narrows the run."""
        asked_for_all = given_by_controller(self._config).get(_ASKED_FOR_ALL)
        if asked_for_all is not None:
            return bool(asked_for_all)
        return self._looks_everywhere() and not any(self._config.getoption(name, None) for name in _DESELECTING)

    def _looks_everywhere(self) -> bool:
        looks = given_by_controller(self._config).get(_LOOKED_EVERYWHERE)
        if looks is not None:
            return bool(looks)
        named = self._config.args_source is pytest.Config.ArgsSource.ARGS
        skips = any(self._config.getoption(name, None) for name in _SKIPPING)
        return self._config.rootpath.is_relative_to(self._config.invocation_params.dir) and not (named or skips)

    def saw_all(self) -> bool:
        """Whether all existing tests were collected, also those that were left out since."""
        return self._looks_everywhere() and not self._has_unknown

    def has_all(self) -> bool:
        """Whether all existing tests were collected, and none was left out since."""
        return self.asks_for_all() and not self._left_out

    def found(self) -> tuple[str, ...]:
        """The ids of the tests that were collected here, also of those that were left out since."""
        return tuple(map(test_id, self._found))

    def left_out(self, items: Iterable[pytest.Item]) -> list[pytest.Item]:
        """The tests that were collected here and are not among these."""
        kept = set(map(id, items))
        gone = [item for item in self._found if id(item) not in kept]
        names = set(map(test_id, items)) if gone else ()
        gone = [item for item in gone if test_id(item) not in names]
        self._left_out |= bool(gone)
        return gone

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note all tests: a plugin that splits a run may leave some out without a word."""
        self._found = tuple(items)

    def was_looked_for(self, test: str) -> bool:
        """Whether a test, or all tests of a glob, would be collected if it existed."""
        return was_looked_for(test, self._config.rootpath, self._looked_into)

    def ran_all(self) -> bool:
        """Whether all existing tests ran to the end of their teardown."""
        return self.has_all() and bool(self.collected) and self._ran.issuperset(self.collected)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Note tests that -k, -m, --deselect or a plugin leaves out."""
        self._left_out |= bool(items)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a module that is broken or skipped as a whole: its tests are unknown."""
        self._has_unknown |= not report.passed
        self._left_out |= not report.passed
        self._looked_into.add(report.nodeid)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note the tests that will run here."""
        self.collected = tuple(item.nodeid for item in session.items)
        self._found = ()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note that a test is over, after its teardown."""
        if report.when == "teardown":
            self._ran.add(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        """On a worker, report whether it left tests out, and where it collected."""
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput[_LEFT_OUT] = self._left_out
            self._config.workeroutput[_LOOKED_INTO] = sorted(self._looked_into)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell the worker whether the run is narrowed: pytest-xdist passes it folders as if they were named."""
        node.workerinput[_ASKED_FOR_ALL] = self.asks_for_all()
        node.workerinput[_LOOKED_EVERYWHERE] = self._looks_everywhere()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        """Note the tests of a worker; all workers collect the same."""
        self.collected = tuple(ids)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Note what a worker reports; one that died reports nothing, and its tests did not run."""
        output = getattr(node, "workeroutput", {})
        self._left_out |= bool(output.get(_LEFT_OUT))
        self._looked_into.update(output.get(_LOOKED_INTO, ()))


def without_a_test(
    config: GomemConfig, nodeids: Sequence[str], was_looked_for: Callable[[str], bool]
) -> list[ConfigError]:
    """Entries of gomem.yaml and gomem_accepted.yaml for tests that would be collected but do not exist."""
    budgets = [
        ConfigError(f"the budget of '{glob}' matches no test", place)
        for glob, place in unmatched(config.budgets, nodeids)
        if was_looked_for(glob)
    ]
    accepted = [
        ConfigError(f"the test '{entry.test}' is gone: remove what is accepted of its {_what(entry)}", entry.place)
        for entry in gone((*config.accepted, *config.known_leaks), nodeids)
        if was_looked_for(entry.test)
    ]
    return budgets + accepted


def _what(entry: Entry) -> str:
    return entry.metric if isinstance(entry, Acceptance) else f"{entry.kind} '{entry.glob}'"


def gone(entries: Iterable[Entry], nodeids: Sequence[str]) -> tuple[Entry, ...]:
    """The entries of gomem_accepted.yaml that match no existing test."""
    return tuple(entry for entry in entries if not any(means_test(entry.test, nodeid) for nodeid in nodeids))
