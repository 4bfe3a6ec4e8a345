"""Chooses the budget that applies: of all for a metric and a test, the one declared closest to the test."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from pytest_gomem.base.errors import ConfigError, ConfigErrors, Place
from pytest_gomem.base.names import literal_prefix, means_test
from pytest_gomem.config.budgets import Budget

Key = tuple[str, str, str]  # phase, metric and the glob over functions or types


class BudgetTable(Protocol):
    """The budgets of gomem.yaml: for all, by service name, and by glob over test ids."""

    @property
    def defaults(self) -> Sequence[Budget]:
        """Budgets of every window."""

    @property
    def services(self) -> Mapping[str, Sequence[Budget]]:
        """Budgets of every window of a service."""

    @property
    def tests(self) -> Mapping[str, Sequence[Budget]]:
        """Budgets of the tests whose id the glob matches."""


def resolve(nodeid: str, service: str, markers: Sequence[Sequence[Budget]], table: BudgetTable) -> tuple[Budget, ...]:
    """The budgets of one test on one service, one per metric (and glob).

    Rank: markers (closest first: function, class, module), then the matching `tests` globs, longest literal prefix
    first, then `services`, then `defaults`. A budget of higher rank replaces the whole budget of that metric, with all
    its limits. Raises ConfigErrors if two globs of equal rank would decide a metric.
    """
    chosen: dict[Key, Budget] = {}
    for budgets in markers:
        _fill(chosen, budgets)
    ties: list[ConfigError] = []
    for level in _levels(nodeid, table.tests):
        ties += _ties(nodeid, chosen, level)
        for budgets in level.values():
            _fill(chosen, budgets)
    if ties:
        raise ConfigErrors(ties)
    _fill(chosen, table.services.get(service, ()))
    _fill(chosen, table.defaults)
    return tuple(chosen[key] for key in sorted(chosen))


def _fill(chosen: dict[Key, Budget], budgets: Iterable[Budget]) -> None:
    for budget in budgets:
        chosen.setdefault(_key(budget), budget)


def _key(budget: Budget) -> Key:
    return budget.phase, budget.metric, budget.glob


def _levels(nodeid: str, tests: Mapping[str, Sequence[Budget]]) -> list[dict[str, Sequence[Budget]]]:
    """The globs that match, grouped by rank, highest first; sorted within a rank."""
    levels: dict[int, dict[str, Sequence[Budget]]] = {}
    for glob in sorted(tests):
        if means_test(glob, nodeid):
            levels.setdefault(len(literal_prefix(glob)), {})[glob] = tests[glob]
    return [levels[length] for length in sorted(levels, reverse=True)]


def _ties(nodeid: str, chosen: Mapping[Key, Budget], level: Mapping[str, Sequence[Budget]]) -> list[ConfigError]:
    claims: dict[Key, list[tuple[str, Budget]]] = {}
    for glob, budgets in level.items():
        for budget in budgets:
            claims.setdefault(_key(budget), []).append((glob, budget))
    return [_tie(nodeid, rivals) for key, rivals in claims.items() if len(rivals) > 1 and key not in chosen]


def _tie(nodeid: str, rivals: Sequence[tuple[str, Budget]]) -> ConfigError:
    first = rivals[0][1]
    named = " and ".join(f"'{glob}' ({budget.place})" for glob, budget in rivals)
    return ConfigError(
        f"two budgets of equal rank on {first.metric} for {nodeid}: {named}",
        first.place,
        "make the part before the first * or ? of one of them longer, or remove one",
    )


def unmatched(table: BudgetTable, nodeids: Iterable[str]) -> list[tuple[str, Place]]:
    """The `tests` globs that match none of the ids, with the place of their first budget, in the file's order."""
    known = list(nodeids)
    return [
        (glob, budgets[0].place if budgets else Place())
        for glob, budgets in table.tests.items()
        if not any(means_test(glob, nodeid) for nodeid in known)
    ]
