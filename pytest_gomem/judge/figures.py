"""The figures of budgets on functions and on Go types: their names in rounds, and how they compare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from pytest_gomem.attribution.sampling import SIGMAS
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import Unit, format_value
from pytest_gomem.config.budgets import PER_GLOB, PER_TYPE, Budget, unit_of
from pytest_gomem.config.own_metrics import is_own
from pytest_gomem.measure.metric import Better, Metric, Noise, Prior
from pytest_gomem.measure.own_metrics import declared
from pytest_gomem.measure.window import Window

if TYPE_CHECKING:
    from pytest_gomem.judge.functions import FunctionValue
    from pytest_gomem.judge.objects import TypeValue


_NAME = re.compile(r"(\w+)\[.+\](?: cum)?(?: interval)?", re.DOTALL)
_INTERVAL = " interval"
# One sigma of what scatters even if every allocation is sampled: for all that a connection's goroutine calls, by
# benchmarks/function_budgets.py. For a function that calls nothing it is an object or two.
_EXACT: Mapping[str, Prior] = MappingProxyType({"bytes": Prior(1.5e3, 6e-5), "count": Prior(4, 2e-4)})


class Asked(NamedTuple):
    """What a budget asks for: a sample type or what to count of objects, a glob, and for functions if callees count."""

    metric: str
    glob: str
    cum: bool = False

    @property
    def name(self) -> str:
        """Of its figure: alloc_space[main.encode*], followed by cum for cumulative ones."""
        return f"{self.metric}[{self.glob}]" + (" cum" if self.cum else "")


def asked_by(budget: Budget) -> Asked:
    """What a budget on functions or types asks for."""
    return Asked(budget.metric, budget.glob, budget.cum)


def value_of(asked: Asked, values: Iterable[FunctionValue | TypeValue]) -> FunctionValue | TypeValue | None:
    """The value that was asked for; None if it is not among them."""
    return next((value for value in values if value.asked == asked), None)


def median_of(rounds: Sequence[FunctionValue | TypeValue]) -> FunctionValue | TypeValue:
    """The median of several rounds, with the interval of the round nearest to it, if anything too wide."""
    middle = median(value.value for value in rounds)
    nearest_to_it = min(rounds, key=lambda value: abs(value.value - middle))
    return replace(nearest_to_it, value=round(middle))


def figure_of(budget: Budget) -> str:
    """The name of a budget's figure in a round: alloc_space[main.encode*], followed by cum for cumulative ones."""
    return asked_by(budget).name if budget.glob else budget.metric


def figures_of(values: Iterable[FunctionValue | TypeValue]) -> dict[str, float]:
    """The values by name, and for functions half the width of their 2 sigma intervals as "NAME interval"."""
    found: dict[str, float] = {}
    for value in values:
        name = value.asked.name
        found[name] = value.value
        if value.asked.metric not in PER_TYPE:
            found[name + _INTERVAL] = value.interval
    return found


def figure_unit(name: str) -> Unit | None:
    """The unit of such a figure; None for another name."""
    match = _NAME.fullmatch(name)
    return unit_of(match[1], {}) if match and match[1] in PER_GLOB else None


def is_observed(name: str) -> bool:
    """Whether it names a figure of functions or types, which observed rounds have, or the interval of one."""
    return figure_unit(name) is not None


def figure_metric(name: str, rounds: Iterable[Mapping[str, float]]) -> Metric | None:
    """The figure as a metric to compare, and any that a service publishes itself; None for other names, and intervals.

    rounds: of both sides. The prior of the scatter is the widest of their intervals, with the scatter that remains
    without sampling.
    """
    if is_own(name):
        return declared(name)
    unit = figure_unit(name)
    if unit is None or name.endswith(_INTERVAL):
        return None
    interval = max((one.get(name + _INTERVAL, 0.0) for one in rounds), default=0.0)
    exact = _EXACT[unit.name]
    width = format_value(interval, unit)
    of_types = name.partition("[")[0] in PER_TYPE
    return Metric(
        name=name,
        group="heap dump" if of_types else "profile",
        unit=unit,
        better=Better.LOWER,
        noise=Noise.NEAR_EXACT,
        sources=("a heap dump",) if of_types else ("heap profiles",),
        doc="Live objects of the types of a glob" if of_types else "What the functions of a glob hold, or made",
        compute=_of_observed_rounds,
        precision=f"sampling alone leaves +- {width}, which a finer profile_rate narrows" if interval else "",
        prior=Prior(interval / SIGMAS + exact.absolute, exact.relative),
    )


def _of_observed_rounds(_: Window) -> Unavailable:
    return Unavailable("a budget reads it, in observed rounds")
