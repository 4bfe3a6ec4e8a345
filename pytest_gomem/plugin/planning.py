"""The plans of tests, read from their markers at collection; every mistake is reported before any test runs."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.config.fields import Mistakes
from pytest_gomem.plugin.items import PLAN, combinations, plan_item, test_id
from pytest_gomem.plugin.messages import GomemWarning
from pytest_gomem.plugin.selection import without_a_test
from pytest_gomem.plugin.use import MATRIX_FIXTURE, given_by_controller, is_measured, is_worker, shares_services

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

    from pytest_gomem.config.marker import Combination
    from pytest_gomem.plugin.session import PluginSession


class Planning:
    """Parametrizes and plans the tests of one run."""

    def __init__(self, session: PluginSession) -> None:
        self._session = session
        self._mistakes = Mistakes()

    def parametrize(self, metafunc: pytest.Metafunc) -> None:
        """Make one test per combination of the gomem_gc marker; skip those that must not run, with the reason."""
        with self._mistakes.kept():
            if chosen := combinations(metafunc, self._session.run):
                metafunc.parametrize(MATRIX_FIXTURE, list(map(_param, chosen)))

    def plan(self, pytest_session: pytest.Session, items: list[pytest.Item]) -> None:
        """Read every item's markers; raises all mistakes at once."""
        measured = [item for item in items if is_measured(item)]
        for item in measured:
            with self._mistakes.kept():
                item.stash[PLAN] = plan_item(item, self._session.run)
        shared = [item for item in measured if shares_services(item) and PLAN in item.stash]
        if shared:
            self._session.run.sharing = tuple((test_id(item), item.stash[PLAN].budgets) for item in shared)
        self._look_for_stale(items)
        messages = dict.fromkeys(map(str, self._mistakes.errors))
        if messages:
            self._refuse(pytest_session, items, "\n".join(messages))
        else:
            self._session.outcomes.plan(measured)

    def _refuse(self, pytest_session: pytest.Session, items: list[pytest.Item], text: str) -> None:
        if not is_worker(self._session.config):
            raise pytest.UsageError(text)
        # Pytest shows a UsageError on an xdist worker as an internal error: fail its collection instead.
        report = pytest.CollectReport(pytest_session.nodeid or ".", "failed", longrepr=text, result=[])
        self._session.config.hook.pytest_collectreport(report=report)
        items.clear()

    def _look_for_stale(self, items: Iterable[pytest.Item]) -> None:
        config, selection = self._session.gomem_config, self._session.selection
        self._session.outcomes.leave_out(selection.left_out(items))
        if config is None or not selection.saw_all():
            return
        stale = without_a_test(config, selection.found(), selection.was_looked_for)
        self._session.outcomes.stale = [(error.message, error.place) for error in stale]
        for error in stale if selection.has_all() else ():
            if self._session.settings.strict:
                self._mistakes.add(error)
            else:
                self._warn(error)

    def _warn(self, error: ConfigError) -> None:
        if given_by_controller(self._session.config).get("workerid", "gw0") != "gw0":
            return
        try:
            warnings.warn_explicit(GomemWarning(error.message), None, error.place.file, error.place.line)
        except GomemWarning:
            raise pytest.UsageError(str(error)) from None


def _param(chosen: Combination) -> ParameterSet:
    marks = pytest.mark.skip(reason=chosen.left_out) if chosen.left_out else ()
    return pytest.param(chosen, id=chosen.id, marks=marks)
