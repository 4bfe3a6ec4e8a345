"""The list of metrics, by name and in order, and their evaluation on one window."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace

from pytest_gomem.base.errors import ConfigError, GomemError, ObserveError
from pytest_gomem.base.names import did_you_mean
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import Unit
from pytest_gomem.config.own_metrics import is_own
from pytest_gomem.measure import (
    allocation,
    bill_metrics,
    gc,
    gc_cpu,
    growth,
    heap,
    limited_memory,
    memory,
    runtime_metrics,
    starvation,
    work,
)
from pytest_gomem.measure.metric import Metric, Reading
from pytest_gomem.measure.own_metrics import declared, with_own
from pytest_gomem.measure.window import Window
from pytest_gomem.measure.window_sources import joined

_FIGURES = ("value", "interval")  # of a Reading; the others are words


class Registry:
    """Metrics in the order in which they were added, which is the order of every report."""

    def __init__(self, metrics: Iterable[Metric] = ()) -> None:
        self._metrics: dict[str, Metric] = {}
        for metric in metrics:
            self.add(metric)

    def __iter__(self) -> Iterator[Metric]:
        return iter(self._metrics.values())

    def __len__(self) -> int:
        return len(self._metrics)

    def __contains__(self, name: object) -> bool:
        return name in self._metrics

    def add(self, metric: Metric) -> None:
        """Append a metric; raises GomemError if its name is taken, because one of the two would then never be seen."""
        taken = self._metrics.setdefault(metric.name, metric)
        if taken is not metric:
            raise GomemError(
                f"metric '{metric.name}' is defined twice: by {_origin(taken)} and by {_origin(metric)}\n"
                "  give one of them another name"
            )

    def lookup(self, name: str) -> Metric:
        """The metric of that name, also one that services publish; raises ConfigError with the nearest valid name."""
        if is_own(name):
            return declared(name)
        if name not in self._metrics:
            raise ConfigError(f"unknown metric '{name}'", hint=did_you_mean(name, self._metrics))
        return self._metrics[name]

    def units(self) -> dict[str, Unit]:
        """The unit of each metric, by name."""
        return {metric.name: metric.unit for metric in self}


def _origin(metric: Metric) -> str:
    code = getattr(metric.compute, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else repr(metric.compute)


def builtin_metrics() -> tuple[Metric, ...]:
    """The metrics that come with the package, grouped as in the documentation."""
    of_kernel = (*memory.METRICS, *limited_memory.METRICS)
    memory_metrics = (*of_kernel, *heap.METRICS, *bill_metrics.METRICS, *allocation.METRICS)
    gc_metrics = (*gc.METRICS, *gc_cpu.METRICS, *runtime_metrics.METRICS)
    work_metrics = (*work.METRICS, *runtime_metrics.WORK_METRICS, *starvation.METRICS)
    return (*memory_metrics, *gc_metrics, *work_metrics, *growth.METRICS)


def evaluate(window: Window, registry: Iterable[Metric]) -> dict[str, Reading | Unavailable]:
    """Every metric of the window, by name, and those of its service that budgets name.

    Never raises: a metric that fails is unavailable, with the reason.
    """
    every = with_own(registry, window.own.names)
    if window.disturbed:
        return {metric.name: Unavailable(window.disturbed) for metric in every}
    starved = starvation.withheld(window)
    return {metric.name: _evaluated(metric, window, starved if metric.of_wall_time else "") for metric in every}


def _evaluated(metric: Metric, window: Window, note: str) -> Reading | Unavailable:
    try:
        result = _checked(metric, metric.compute(window))
    except ObserveError as gap:
        return Unavailable(str(gap))
    except Exception as error:
        # A mistake in one metric, above all in a user's own, must not cost the figures of the others.
        return Unavailable(f"computing '{metric.name}' failed: {error!r}")
    return replace(result, note=joined(result.note, note)) if note and isinstance(result, Reading) else result


def _checked(metric: Metric, result: Reading | Unavailable) -> Reading | Unavailable:
    if isinstance(result, Unavailable):
        return result
    if not isinstance(result, Reading):
        return Unavailable(f"'{metric.name}' returned {result!r} instead of a Reading or Unavailable")
    value = result.value if type(result.value) in (int, float) else float(result.value)  # numpy's, say, or a Decimal
    if not math.isfinite(value):
        return Unavailable(f"'{metric.name}' came out as {value}, which is no finite number")
    words = {field.name: getattr(result, field.name) for field in fields(result) if field.name not in _FIGURES}
    words["precision"] = result.precision or metric.precision
    for name, text in words.items():
        if not isinstance(text, str):
            return Unavailable(f"'{metric.name}' returned a Reading whose {name} is {text!r} and no text")
    return Reading(value, **words, interval=result.interval)
