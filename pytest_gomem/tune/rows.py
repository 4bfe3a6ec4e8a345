"""The results of a search as rows of a table, and whether each setting keeps the bounds."""

from __future__ import annotations

from pytest_gomem.tune.lines import CONFIRM
from pytest_gomem.tune.model import Model
from pytest_gomem.tune.records import Bound, Ended, Row
from pytest_gomem.tune.table import Cell, Table

_SURE = 1.65  # sigmas: 19 of 20


def rows_of(table: Table) -> tuple[Row, ...]:
    """A row of each setting that ran, from the most memory to the least; with memory to spare comes first."""
    model = Model(table)
    cells = sorted(table.all.values(), key=lambda cell: (cell is not table.comfortable, *_least_memory_last(cell)))
    return tuple(_row(table, model, cell) for cell in cells)


def keeps(model: Model, bound: Bound, cell: Cell) -> bool | None:
    """Whether the runs of a setting keep a bound; None if it cannot be told for their scatter, and few of them."""
    if cell.is_bad:
        return False
    excess = model.shown(bound, cell)
    if excess is None or (cell.ok < CONFIRM and abs(excess.value) < _SURE * excess.error):
        return None
    return excess.value <= 0


def _row(table: Table, model: Model, cell: Cell) -> Row:
    return Row(
        cell.setting,
        len(cell.runs),
        cell.count(Ended.KILLED),
        cell.count(Ended.THRASHING),
        cell.count(Ended.FAILED),
        cell.middles(),
        {str(bound): keeps(model, bound, cell) for bound in table.question.kept},
        comfortable=cell is table.comfortable,
    )


def _least_memory_last(cell: Cell) -> tuple[float, float, float]:
    def size(value: object, without: float) -> float:
        return -float(value) if isinstance(value, int) else without

    setting = cell.setting
    return (
        size(setting.memory_limit, float("-inf")),
        size(setting.gomemlimit, float("-inf")),
        size(setting.gogc, float("-inf") if setting.gogc == "off" else -100.0),
    )
