"""Owns finding what is declared and has no effect: budgets without a test, acceptances with nothing left to accept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.base.names import means_test
from pytest_gomem.config.accepted import Acceptance
from pytest_gomem.config.file import GomemConfig
from pytest_gomem.judge.precedence import unmatched

if TYPE_CHECKING:
    from pytest_gomem.results.run_record import TestRecord


def without_a_test(
    config: GomemConfig, nodeids: Sequence[str], was_looked_for: Callable[[str], bool]
) -> list[ConfigError]:
    """What gomem.yaml and gomem_accepted.yaml say of tests that were looked for and are not among all there are."""
    budgets = [
        ConfigError(f"the budget of '{glob}' matches no test", place)
        for glob, place in unmatched(config.budgets, nodeids)
        if was_looked_for(glob)
    ]
    accepted = [
        ConfigError(f"the test '{entry.test}' is gone: remove what is accepted of its {entry.metric}", entry.place)
        for entry in gone(config.accepted, nodeids)
        if was_looked_for(entry.test)
    ]
    return budgets + accepted


def gone(acceptances: Iterable[Acceptance], nodeids: Sequence[str]) -> tuple[Acceptance, ...]:
    """The acceptances that mean none of the tests that there are."""
    return tuple(entry for entry in acceptances if not any(means_test(entry.test, nodeid) for nodeid in nodeids))


def nothing_to_accept(
    config: GomemConfig | None, tests: Iterable[TestRecord], *, whole: bool
) -> tuple[tuple[Acceptance, str], ...]:
    """The acceptances to remove, each with the reason; whole: all tests were asked for."""
    if config is None or not config.accepted:
        return ()
    from pytest_gomem.base import clock
    from pytest_gomem.judge.acceptances import Judged, vanished
    from pytest_gomem.results.keys import ran_to_its_end

    judged = [
        Judged(test.nodeid, ran_to_its_end(test), tuple(verdict for one in test.windows for verdict in one.verdicts))
        for test in tests
    ]
    return vanished(config.accepted, judged, clock.today(), whole=whole)
