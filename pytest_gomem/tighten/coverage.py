"""Which windows each budget judges: by the tests that pytest collects, their markers, and gomem.yaml."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_gomem.base.errors import Place
from pytest_gomem.config.budgets import Budget
from pytest_gomem.config.gomem_yaml import BudgetTable
from pytest_gomem.judge.decide import FOR_MANY
from pytest_gomem.judge.precedence import resolve
from pytest_gomem.tighten.known_figures import Known

Key = tuple[str, Place, str, str, str]  # scope, place, phase, metric and glob: where a budget stands, and what it is on


@dataclass(frozen=True)
class Collected:
    """A test that pytest collects. service: None if it launches some by hand. markers: their budgets, closest first."""

    nodeid: str
    service: str | None
    markers: tuple[tuple[Budget, ...], ...]


@dataclass
class Covered:
    """A budget with what it judges. windows: with figures. without: the tests of which none are known."""

    budget: Budget
    tests: list[str] = field(default_factory=list)
    windows: list[Known] = field(default_factory=list)
    without: list[str] = field(default_factory=list)


def key_of(budget: Budget) -> Key:
    """What two budgets have in common that are one and the same declaration."""
    return budget.scope, budget.place, budget.phase, budget.metric, budget.glob


def coverage(
    tests: Iterable[Collected],
    known: Iterable[Known],
    table: BudgetTable,
    services: Collection[str],
    *,
    has_phases: bool,
) -> list[Covered]:
    """Every budget, also one that judges nothing, in the order of files and lines.

    services: those of gomem.yaml. has_phases: `known` holds the phases of each window that has some.
    """
    found = {key_of(budget): Covered(budget) for budget in _declared(table)}
    by_test: dict[str, list[Known]] = {}
    for one in known:
        by_test.setdefault(one.nodeid, []).append(one)
    for test in tests:
        for budget, windows in _judged(test, by_test.get(test.nodeid, ()), table, services):
            covered = found.setdefault(key_of(budget), Covered(budget))
            covered.tests.append(test.nodeid)
            covered.windows += windows
            is_for_many = has_phases and budget.phase and budget.scope in FOR_MANY and test.nodeid in by_test
            covered.without += [] if windows or is_for_many else [test.nodeid]
    return sorted(found.values(), key=lambda one: (one.budget.place.file, one.budget.place.line))


def _declared(table: BudgetTable) -> Iterator[Budget]:
    yield from table.defaults
    for named in (*table.services.values(), *table.tests.values()):
        yield from named


def _judged(
    test: Collected, known: Sequence[Known], table: BudgetTable, services: Collection[str]
) -> Iterator[tuple[Budget, list[Known]]]:
    """The budgets that judge a test, each with its windows.

    Of a test whose figures are not known, each budget that could judge it, whichever services it launches.
    """
    launched = [test.service] if test.service is not None else list(services) or [""]
    by_service: Mapping[str, list[Known]] = {one.service: [] for one in known} or {name: [] for name in launched}
    for one in known:
        by_service[one.service].append(one)
    for service, windows in by_service.items():
        for budget in resolve(test.nodeid, service, test.markers, table):
            yield budget, [one for one in windows if one.phase == budget.phase]
