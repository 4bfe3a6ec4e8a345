"""The lines below which a service is killed, or thrashes: each survived so many times that chance does not draw it."""

from __future__ import annotations

from pytest_gomem.tune.records import Ended, Plan
from pytest_gomem.tune.sizes import SMALLEST, at_most, between, shifted
from pytest_gomem.tune.table import Table, setting_of

CONFIRM = 5  # one search of a limit that kills at random is a chance answer: 200 to 230 MiB in a row of them
_DOWN = 0.75  # the next size to try, where none has shown the line yet

KILLED = frozenset({Ended.KILLED})
UNWELL = frozenset(Ended) - {Ended.OK}


def line(table: Table, below: frozenset[Ended]) -> int | None:
    """The smallest size above all that ended so, which ended so in none of CONFIRM runs; None if not known yet."""
    size = _lowest(table, _highest(table, below))
    return size if size is not None and _next(table, below) is None else None


def next_run(table: Table, below: frozenset[Ended]) -> Plan | None:
    """The run that tells most of a line; None once it is known."""
    size = _next(table, below)
    if size is None:
        return None
    what = "killed below" if below == KILLED else "thrashing below"
    return Plan((setting_of(table.question, size),), f"the line '{what}'")


def _next(table: Table, below: frozenset[Ended]) -> int | None:
    bad = _highest(table, below)
    lowest = _lowest(table, bad)
    if lowest is None:
        return shifted(bad, 1)
    if not bad and lowest > SMALLEST:
        return max(min(at_most(lowest * _DOWN), shifted(lowest, -1)), SMALLEST)
    half = between(bad, lowest) if bad else None
    if half is not None:
        return half
    return lowest if table.at(lowest).count(*set(Ended) - below) < CONFIRM else None


def _highest(table: Table, below: frozenset[Ended]) -> int:
    return max((size for size, cell in table.cells.items() if cell.count(*below)), default=0)


def _lowest(table: Table, above: int) -> int | None:
    return min((size for size in table.cells if size > above), default=None)
