"""The name of a window in every round and every run, and what the outcome of its test means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from pytest_gomem.judge.conditions import ATTACHED, PROCESS
from pytest_gomem.judge.decide import failed
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import WindowRecord

Key = tuple[str, str, int]  # service, window, and which of the windows of that name in its round


def numbered(key: Key) -> str:
    """The window's name, and "test#2" for the second of that name."""
    _, name, at = key
    return name + (f"#{at + 1}" if at else "")


def by_window(rounds: Sequence[Sequence[WindowRecord]]) -> dict[Key, list[WindowRecord]]:
    """The windows of all rounds, grouped by name, in the order of their first appearance."""
    found: dict[Key, list[WindowRecord]] = {}
    for windows in rounds:
        for key, window in zip(keys(windows), windows, strict=True):
            found.setdefault(key, []).append(window)
    return found


def keys(windows: Iterable[WindowRecord]) -> Iterator[Key]:
    """The name of each window of a round, the same in every round.

    A process that is not ours has its id or URL as its name, which changes every time; all of these share one name.
    """
    seen: Counter[tuple[str, str]] = Counter()
    for window in windows:
        name = (ATTACHED if window.conditions.get(PROCESS) == ATTACHED else window.service, window.name)
        yield (*name, seen[name])
        seen[name] += 1


EXPECTED = frozenset({"xfailed", "xpassed"})  # outcomes of tests that are expected to fail
FINE = frozenset({"passed", "skipped"}) | EXPECTED
WITHOUT_RESULT = frozenset({"crashed", "interrupted", "not run"})


def ran_to_its_end(test: TestRecord) -> bool:
    """A test that fails for its budgets has complete figures; one that fails otherwise stopped before its end."""
    judged = any(failed(window.verdicts) for window in test.windows)
    return test.outcome == "passed" or judged
