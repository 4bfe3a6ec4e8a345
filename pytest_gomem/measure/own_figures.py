"""Finds the figure that a budget names on one page, or says why it is not there and what is near."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.names import nearest
from pytest_gomem.base.printable import printable
from pytest_gomem.config.own_metrics import COUNTER, GAUGE, OwnMetric
from pytest_gomem.observe.text_format import HISTOGRAM, SUMMARY, UNTYPED, Labels, TextPage

if TYPE_CHECKING:
    from pytest_gomem.observe.own_page import Published, Variables

_SHOWN = 5
_APPEARS = "a counter with labels appears with its first increment: have the service set it to 0 when it starts"


@dataclass(frozen=True)
class Found:
    """kind: "counter" or "gauge". values: of each series by its labels; of a variable the one under ().

    note: what is remarkable about them.
    """

    kind: str
    values: Mapping[Labels, float]
    note: str = ""


def find_figure(metric: OwnMetric, page: Published) -> Found:
    """The figure on this page; raises ObserveError with the reason and the nearest names."""
    return in_text_page(metric, page) if isinstance(page, TextPage) else in_variables(metric, page)


def in_text_page(metric: OwnMetric, page: TextPage) -> Found:
    """The series that have all the labels of the metric. Several are summed if they count, and refused otherwise."""
    every = page.series(metric.name)
    if not every:
        raise ObserveError(_no_such_metric(metric.name, page))
    found = {labels: value for labels, value in every.items() if _has_all(labels, metric.labels)}
    kind = _kind_of(metric, page)
    if not found:
        return Found(kind, {}, _not_yet(metric, every, kind))
    if metric.name.endswith("_bucket") and kind == COUNTER and not any(name == "le" for name, _ in metric.labels):
        raise ObserveError(f"{metric.name} counts anew for each bound: name one, as in {metric.name}{{le=0.5}}")
    if kind == GAUGE and len(found) > 1:
        raise ObserveError(
            f"{len(found)} series of {metric.series} are gauges, which have no sum: {_told_apart(found)}"
        )
    return Found(kind, found, f"sum of {len(found)} series" if len(found) > 1 else "")


def values_before(metric: OwnMetric, page: Published) -> Mapping[Labels, float]:
    """What a counter had counted on an earlier page: a series that was not there yet had counted nothing."""
    if isinstance(page, TextPage):
        every = page.series(metric.name)
        return {labels: value for labels, value in every.items() if _has_all(labels, metric.labels)}
    try:
        return in_variables(metric, page).values
    except ObserveError:
        return {}


def _has_all(labels: Labels, asked: Labels) -> bool:
    """An empty value means a series without the label, as it does in Prometheus."""
    own = dict(labels)
    return all(own.get(name, "") == value for name, value in asked)


def _kind_of(metric: OwnMetric, page: TextPage) -> str:
    typed = page.type_of(metric.name)
    if typed == SUMMARY and any(name == "quantile" for name, _ in metric.labels):
        typed = GAUGE
    if typed in (HISTOGRAM, SUMMARY):
        raise ObserveError(f"{metric.name} is a {typed}: name {_parts(metric.name, page)}")
    if typed not in (COUNTER, GAUGE):
        if metric.kind or metric.per_op:
            return metric.kind or COUNTER
        words = "gives it no TYPE" if typed == UNTYPED else f"says that it is of type '{printable(typed)}'"
        raise ObserveError(f"the page {words}: say what it is, '{metric} counter' or '{metric} gauge'")
    if metric.kind and metric.kind != typed:
        raise ObserveError(f"the page says that {metric.name} is a {typed}, and the budget that it is a {metric.kind}")
    if typed == GAUGE and metric.per_op:
        raise ObserveError(f"{metric.name} is a gauge, which has no figure per operation")
    return typed


def _parts(name: str, page: TextPage) -> str:
    quantile = [f"{name}{{quantile=...}}"] if name in page.names else []
    return " or ".join([*page.parts(name), *quantile])


def _no_such_metric(name: str, page: TextPage) -> str:
    if parts := page.parts(name):
        return f"{name} is a {page.types.get(name, HISTOGRAM)}: name {' or '.join(parts)}"
    near = nearest(name, page.names)
    shown = f"did you mean {near}?" if near else f"it has {len(page.names)} others ({_APPEARS})"
    return f"the page has no metric {name}: {shown}"


def _not_yet(metric: OwnMetric, every: Mapping[Labels, float], kind: str) -> str:
    """The note on a counter whose label has not had this value yet; raises ObserveError if it is something else."""
    names = {name for labels in every for name, _ in labels}
    for name, value in metric.labels:
        if value and name not in names:
            near = nearest(name, names)
            has = f"did you mean {near}?" if near else f"it has {_listed(names) or 'none'}"
            raise ObserveError(f"no series of {metric.name} has a label {name}: {has}")
    values = "; ".join(f"{name} is {_listed(_values(every, name))}" for name, _ in metric.labels)
    if kind == GAUGE:
        raise ObserveError(f"no series is {metric.series}: {printable(values)}")
    return printable(f"no series is {metric.series} yet, so it has counted nothing: {values}")


def _values(every: Iterable[Labels], label: str) -> set[str]:
    return {value for labels in every for name, value in labels if name == label}


def _told_apart(found: Mapping[Labels, float]) -> str:
    names = {name for labels in found for name, _ in labels}
    several = {name: values for name in sorted(names) if len(values := _values(found, name)) > 1}
    return printable("name one by " + "; ".join(f"{name}: {_listed(values)}" for name, values in several.items()))


def _listed(names: Iterable[str]) -> str:
    every = sorted(names)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more


def in_variables(metric: OwnMetric, page: Variables) -> Found:
    """The number at that path. The budget says if it is a counter: the page does not."""
    value = _at(metric.name, metric.name, page.values)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        kinds = {str: "text", bool: "true or false", list: "a list", dict: "a map", type(None): "null"}
        inner = f", which has {_listed(map(printable, value))}" if isinstance(value, dict) else ""
        raise ObserveError(f"{metric.name} is {kinds[type(value)]} and no number{inner}")
    return Found(COUNTER if metric.per_op else metric.kind or GAUGE, {(): _float(value)})


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _at(whole: str, path: str, values: object) -> object:
    """The value at a path; where names have dots themselves, the longest name that is there is taken."""
    if isinstance(values, list):
        values = {str(at): value for at, value in enumerate(values)}
    if not isinstance(values, dict):
        raise ObserveError(f"{whole} has nothing below it that is called {path}")
    for name, rest in _splits(path):
        if name in values:
            return _at(whole, rest, values[name]) if rest else values[name]
    first = path.partition(".")[0]
    near = nearest(path, values) or nearest(first, values)
    names = printable(f"did you mean {near}?" if near else f"there are {_listed(values) or 'none'}")
    raise ObserveError(f"the page has no variable {whole}, as it has no {first}: {names}")


def _splits(path: str) -> Iterator[tuple[str, str]]:
    """The path as a name and what follows it, the longest name first."""
    parts = path.split(".")
    return ((".".join(parts[:at]), ".".join(parts[at:])) for at in range(len(parts), 0, -1))
