"""Owns what functions hold or made as a figure of a round: its name, its unit, and how far its estimates scatter.

An estimate is unbiased at whatever rate it was sampled, and each round keeps the interval of its own beside it. So two
sides compare also where their profile rates differ; the wider of their intervals is what a change must stand out of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from pytest_gomem.attribution.sampling import SIGMAS
from pytest_gomem.base.units import Unit, format_value
from pytest_gomem.config.budgets import PER_FUNCTION, Budget, unit_of
from pytest_gomem.judge.functions import FunctionValue
from pytest_gomem.measure.metric import Better, Metric, Noise, Prior, Unavailable
from pytest_gomem.measure.window import Window

_NAME = re.compile(r"(\w+)\[.+\](?: cum)?(?: interval)?", re.DOTALL)
_INTERVAL = " interval"
# What is left where every allocation is sampled, one sigma: of all that a connection's goroutine calls, by
# benchmarks/function_budgets.py; of a function that calls nothing it is an object or two.
_EXACT: Mapping[str, Prior] = MappingProxyType({"bytes": Prior(1.5e3, 6e-5), "count": Prior(4, 2e-4)})


def figure_of(budget: Budget) -> str:
    """What a round calls the figure of a budget: a metric's name, alloc_space[main.encode*], or that and cum."""
    return _name(budget.metric, budget.function, budget.cum) if budget.function else budget.metric


def figures_of(values: Iterable[FunctionValue]) -> dict[str, float]:
    """The estimates in bytes or objects, by name, and half the width of their 2 sigma intervals as "NAME interval"."""
    found: dict[str, float] = {}
    for value in values:
        name = _name(value.metric, value.function, value.cum)
        found |= {name: value.value, name + _INTERVAL: value.interval}
    return found


def figure_unit(name: str) -> Unit | None:
    """The unit of such a figure; None for what is none."""
    match = _NAME.fullmatch(name)
    return unit_of(match[1], {}) if match and match[1] in PER_FUNCTION else None


def figure_metric(name: str, rounds: Iterable[Mapping[str, float]]) -> Metric | None:
    """The figure as a metric that can be compared; None for what is none, and for an interval.

    rounds: of both sides. The widest of their intervals makes the prior of the scatter, with what is left of it where
    nothing is sampled.
    """
    unit = figure_unit(name)
    if unit is None or name.endswith(_INTERVAL):
        return None
    interval = max((one.get(name + _INTERVAL, 0.0) for one in rounds), default=0.0)
    exact = _EXACT[unit.name]
    width = format_value(interval, unit)
    return Metric(
        name=name,
        group="profile",
        unit=unit,
        better=Better.LOWER,
        noise=Noise.NEAR_EXACT,
        sources=("heap profiles",),
        doc="What the functions of a glob hold, or made",
        compute=_of_profiles,
        precision=f"sampling alone leaves +- {width}, which a finer profile_rate narrows" if interval else "",
        prior=Prior(interval / SIGMAS + exact.absolute, exact.relative),
    )


def _name(metric: str, function: str, cum: bool) -> str:
    return f"{metric}[{function}]" + (" cum" if cum else "")


def _of_profiles(_: Window) -> Unavailable:
    return Unavailable("it is read from heap profiles, by a budget")
