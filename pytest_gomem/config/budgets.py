"""Budgets as you declare them: the limits of a metric, their place, and how they are parsed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.names import nearest
from pytest_gomem.base.units import (
    BYTES,
    COUNT,
    RATIO,
    Quantity,
    Unit,
)
from pytest_gomem.config import json_schema as schema
from pytest_gomem.config.fields import Fields, Located, Mistakes, flag, located, members, quantity
from pytest_gomem.config.own_metrics import is_own, own_metric, parsed

# The sample types of heap profiles (runtime/pprof); a budget on one is a mapping of function globs to limits.
_OF_PROFILES: Mapping[str, Unit] = MappingProxyType(
    {"inuse_space": BYTES, "inuse_objects": COUNT, "alloc_space": BYTES, "alloc_objects": COUNT}
)
PER_FUNCTION = frozenset(_OF_PROFILES)
# What a heap dump counts of Go types; a budget on one is a mapping of type globs to limits.
_OF_DUMPS: Mapping[str, Unit] = MappingProxyType({"objects": COUNT, "object_bytes": BYTES})
PER_TYPE = frozenset(_OF_DUMPS)
PER_GLOB = PER_FUNCTION | PER_TYPE  # of observed rounds

MIN_HEADROOM, HEADROOM = "min_headroom", "memory_headroom"  # min_headroom: 20MiB is memory_headroom: ">= 20MiB"
# Read at the edges of a window alone.
_OF_WHOLE_WINDOWS = frozenset({"leaked_goroutines", "cgroup_peak", "cgroup_anon_peak", MIN_HEADROOM, HEADROOM})

PHASES = "phases"

_LIMITS = schema.LIMITS
TIME_TO_LIMIT = "time_to_limit"
_MEMORY = "limit"
# A ceiling of these would be a mistake.
_FLOORS = {
    TIME_TO_LIMIT: "the least time that the memory lasts",
    HEADROOM: "the least that is left of a limit",
}
_EXAMPLES = {TIME_TO_LIMIT: ">= 24h", HEADROOM: ">= 20MiB"}
# What a limit has beside these, of functions and of the time to a limit.
_CUM: schema.Keys = {"cum": schema.flag("Whether what the functions call counts too")}
_OF_TIME: schema.Keys = {_MEMORY: schema.quantity("The memory that it is about, such as 512MiB", BYTES)}
UNITS_OF_OTHERS: Mapping[str, Unit] = MappingProxyType({**_OF_PROFILES, **_OF_DUMPS, MIN_HEADROOM: BYTES})  # no metrics


@dataclass(frozen=True)
class Budget:
    """Limits of one metric: each is inclusive (equal to the limit passes); None where not set.

    function: a glob over function names for a per-function budget of the profile metrics, "" otherwise.
    cum: whether the functions that they call count too.
    type: a glob over Go types for a budget on live objects, "" otherwise.
    regression: the largest allowed relative worsening against the baseline, a ratio.
    phase: its phase, "" for the whole window; once judged, the one that was, such as "login#2".
    memory: of time_to_limit, the limit that is not to be reached; None for the one that is in force.
    scope: what declared it, such as "marker on function" or "tests glob". place: file, line and key.
    """

    metric: str
    max: Quantity | None
    min: Quantity | None
    warn: Quantity | None
    regression: Quantity | None
    function: str
    scope: str
    place: Place
    cum: bool = False
    phase: str = ""
    type: str = ""
    memory: Quantity | None = None

    @property
    def glob(self) -> str:
        """Of functions or types, which only an observed round can count; "" for a budget on a plain metric."""
        return self.function or self.type


def parse_budget(
    metric: str, value: object, *, units: Mapping[str, Unit], scope: str, place: Place
) -> tuple[Budget, ...]:
    """Read "1.8GB", "<= 1.8GB" or a number in base units (a ceiling), ">= 24h" (a floor), {max, min, warn, regression}.

    units: every metric's unit, by name; of a metric that the service publishes itself the name tells it. A metric of
    functions or types takes a mapping of glob to any of these and gives one budget for each; `phases` takes a mapping
    of phase to budgets. `warn` belongs to the ceiling where there is one, else to the floor.
    Raises ConfigErrors with every mistake in the value.
    """
    node, mistakes, found = located(value, place), Mistakes(), list[Budget]()
    if metric == PHASES:
        return _of_phases(node, units, scope)
    if metric == MIN_HEADROOM:
        return (_floor(node, scope),)
    with mistakes.kept():
        metric = str(parsed(metric, node.place)) if is_own(metric) else metric
        unit = unit_of(metric, units)
        if unit is None:
            raise unknown_metric(metric, metric, units, node.place)
        for glob, member in _by_glob(metric, node).items():
            with mistakes.kept():
                found.append(_budget(metric, unit, glob, scope, member))
    mistakes.raise_all()
    return tuple(found)


def _floor(node: Located, scope: str) -> Budget:
    if isinstance(node.value, Mapping):
        raise node.error("min_headroom is one size", "write  memory_headroom: {min: 20MiB, warn: 40MiB}  for more")
    least = quantity(BYTES)(node)
    return Budget(HEADROOM, None, least, None, None, function="", scope=scope, place=node.place)


def unit_of(metric: str, units: Mapping[str, Unit]) -> Unit | None:
    """The unit of a metric's limits, None if there is no such metric; units: by metric."""
    if is_own(metric):
        return own_metric(metric).unit
    return units.get(metric) or UNITS_OF_OTHERS.get(metric)


def unknown_metric(written: str, name: str, units: Mapping[str, Unit], place: Place) -> ConfigError:
    """The error for an unknown metric, with the nearest name; name: what is written, without a glob."""
    near = nearest(name, units)
    own = 'of the service\'s own pages: "prom:NAME{label=value}", "expvar:PATH"; ' if ":" in name else ""
    hint = own + (f"did you mean {near}?  " if near else "") + "all names: pytest --gomem-metrics"
    return ConfigError(f"unknown metric '{written}'", place, hint)


def parse_budgets(node: Located, units: Mapping[str, Unit], scope: str) -> tuple[Budget, ...]:
    """Read a mapping of metric to budget. Raises ConfigErrors with every mistake in it."""
    mistakes, found = Mistakes(), list[Budget]()
    refuse_twice(members(node), mistakes)
    for metric, member in members(node).items():
        with mistakes.kept():
            found += parse_budget(metric, member, units=units, scope=scope, place=member.place)
    mistakes.raise_all()
    return tuple(found)


def refuse_twice(said: Mapping[str, Located], mistakes: Mistakes) -> None:
    """Keep a mistake if a metric is budgeted by both of its names."""
    if MIN_HEADROOM in said and HEADROOM in said:
        mistakes.add(said[MIN_HEADROOM].error("memory_headroom is budgeted too, and both are one metric", "keep one"))


def limit_schema(metric: str, unit: Unit) -> schema.Schema | None:
    """What may be written for a metric; None for what any metric of its unit takes."""
    if metric == MIN_HEADROOM:
        return schema.quantity("What must be left of memory_limit at the peak, such as 20MiB", BYTES)
    if metric in _FLOORS:
        some, text, mapped = schema.limit(unit, _OF_TIME if metric == TIME_TO_LIMIT else None)["anyOf"]
        del some, mapped["properties"]["max"]
        return {"anyOf": [{**text, "pattern": text["pattern"].replace("([<>]=)?", ">=")}, mapped]}
    if metric in PER_GLOB:
        limit = schema.limit(unit, _CUM if metric in PER_FUNCTION else None)
        of = "functions" if metric in PER_FUNCTION else "types"
        return schema.named(f"By glob over {of}", limit, type="object", minProperties=1)
    return None


def may_be_of_phase(metric: str) -> bool:
    """Whether a phase can have a budget on it."""
    return metric != PHASES and metric not in PER_GLOB and metric not in _OF_WHOLE_WINDOWS


def _of_phases(node: Located, units: Mapping[str, Unit], scope: str) -> tuple[Budget, ...]:
    mistakes, found = Mistakes(), list[Budget]()
    with mistakes.kept():
        for phase, member in members(node).items():
            with mistakes.kept():
                found += _of_phase(phase, member, units, scope)
    mistakes.raise_all()
    return tuple(found)


def _of_phase(phase: str, node: Located, units: Mapping[str, Unit], scope: str) -> list[Budget]:
    if not phase or "#" in phase:
        raise node.error(f"{phase!r} is not the name of a phase", "give the name that the test gives to phase()")
    for metric, limits in members(node).items():
        if not may_be_of_phase(metric):
            raise limits.error(f"{metric} cannot be budgeted in a phase", "put it on the whole window")
    budgets = parse_budgets(node, units, scope)
    if any(budget.regression is not None for budget in budgets):
        raise node.error("a phase has no baseline to regress from", "use max or min")
    if any(budget.memory is not None for budget in budgets):
        raise node.error("a phase has no limit of its own", "give the limit to time_to_limit of the whole window")
    return [replace(budget, phase=phase) for budget in budgets]


def _by_glob(metric: str, node: Located) -> Mapping[str, Located]:
    if metric not in PER_GLOB:
        return {"": node}
    what, example = ("function", "main.encode*") if metric in PER_FUNCTION else ("type", "*main.Session")
    hint = f'name {what}s by globs, as in  {metric}: {{"{example}": ...}}'
    if not isinstance(node.value, Mapping) or not node.value:
        raise node.error(f"a budget on {metric} is per {what}, not {node.shown}", hint)
    for name, member in node.value.items():
        if not name or name in (*_LIMITS, "cum"):
            raise member.error(f"'{name}' stands where a {what} glob belongs", hint)
    return node.value


def _budget(metric: str, unit: Unit, glob: str, scope: str, node: Located) -> Budget:
    function, of_type = (glob, "") if metric in PER_FUNCTION else ("", glob)
    is_mapping = isinstance(node.value, Mapping)
    of_memory = _memory(node) if is_mapping and metric == TIME_TO_LIMIT else None
    more = _CUM if function else _OF_TIME if metric == TIME_TO_LIMIT else {}
    limits, cum = _mapped(node, unit, more) if is_mapping else (_bound(node, unit), False)
    if metric in _FLOORS and "max" in limits:
        raise node.error(f"{metric} is {_FLOORS[metric]}, not the most", f"write '{_EXAMPLES[metric]}', or min")
    return Budget(
        metric=metric,
        max=limits.get("max"),
        min=limits.get("min"),
        warn=limits.get("warn"),
        regression=limits.get("regression"),
        function=function,
        scope=scope,
        place=node.place,
        cum=cum,
        type=of_type,
        memory=of_memory,
    )


def _memory(node: Located) -> Quantity | None:
    said = members(node).get(_MEMORY)
    if said is None:
        return None
    found = quantity(BYTES)(said)
    if not found.value:
        raise said.error("a limit of 0 bytes is reached from the start", 'give a size, such as "512MiB"')
    return found


def _bound(node: Located, unit: Unit) -> dict[str, Quantity]:
    if not isinstance(node.value, str):
        return {"max": quantity(unit)(node)}
    sign, written = re.fullmatch(r"\s*([<>=!]*)(.*)", node.value, re.DOTALL).groups()  # type: ignore[union-attr]
    if sign not in ("", "<=", ">="):
        raise node.error(
            f"{node.shown} is not a limit", "limits are inclusive: write '<= 64MiB' or plain '64MiB', '>= 24h'"
        )
    return {"min" if sign == ">=" else "max": quantity(unit)(Located(written.strip(), node.place, written.strip()))}


def _mapped(node: Located, unit: Unit, more: schema.Keys) -> tuple[dict[str, Quantity], bool]:
    """The limits, and whether they are on cumulative values. more: keys that this metric has besides the limits."""
    mistakes = Mistakes()
    fields = Fields(node, (*_LIMITS, *more), mistakes)
    cum = fields.read("cum", flag, False)
    read = {key: fields.read(key, quantity(RATIO if key == "regression" else unit), None) for key in _LIMITS}
    mistakes.raise_all()
    limits = {key: limit for key, limit in read.items() if limit is not None}
    if not limits:
        raise node.error("sets no limit", f"give one of {', '.join(_LIMITS)}")
    _check_order(limits, fields)
    return limits, cum


def _check_order(limits: Mapping[str, Quantity], fields: Fields) -> None:
    top, bottom, warn = limits.get("max"), limits.get("min"), limits.get("warn")
    if top and bottom and top.value < bottom.value:
        raise fields.said["max"].error(f"max {top} is below min {bottom}: nothing could pass")
    if warn is None:
        return
    if top is None and bottom is None:
        raise fields.said["warn"].error(f"warn {warn} has no limit to warn before", "give a max or a min too")
    if top and warn.value >= top.value:
        raise fields.said["warn"].error(f"warn {warn} is not below max {top}: it would never be seen")
    if bottom and (warn.value < bottom.value if top else warn.value <= bottom.value):
        raise fields.said["warn"].error(f"warn {warn} is not above min {bottom}: it would never be seen")
