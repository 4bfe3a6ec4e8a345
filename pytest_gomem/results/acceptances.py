"""Finds the entries of gomem_accepted.yaml that have nothing left to accept, in the records of a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from pytest_gomem.config.accepted import Entry
from pytest_gomem.judge.acceptances import Judged, vanished
from pytest_gomem.judge.known_leaks import unused
from pytest_gomem.results.keys import ran_to_its_end
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.whole import Whole


def nothing_to_accept(
    known: Whole, tests: Sequence[TestRecord], today: date, *, whole: bool
) -> tuple[tuple[Entry, str], ...]:
    """The entries to remove, each with the reason. whole: all existing tests ran to the end of their teardown."""
    if not (known.accepted or known.known_leaks):
        return ()
    judged, found = [], []
    for test in tests:
        verdicts = tuple(verdict for window in test.windows for verdict in window.verdicts)
        judged.append(Judged(test.nodeid, ran_to_its_end(test), verdicts))
        found.append((test.nodeid, judged[-1].complete, [leak for one in test.windows for leak in one.known_leaks]))
    return (
        *vanished(known.accepted, judged, today, whole=whole),
        *unused(known.known_leaks, found, today, whole=whole),
    )
