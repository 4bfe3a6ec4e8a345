"""What a bound is about, as a user writes it, and which bounds no search can answer."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.units import Unit, parse_quantity
from pytest_gomem.config.budgets import unknown_metric
from pytest_gomem.tune.records import Bound

# How much memory is in use. It grows with what the service may have; every other cost shrinks.
_OF_MEMORY = ("peak_", "end_rss", "heap_", "cgroup_", "rss_", "memory_headroom")
_OF_PAUSES = ("gc_pause_", "gc_stop_", "sched_latency_")
_BOUND = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(<=|>=)\s*(\S.*?)\s*")
_TIMES = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*x")


def is_of_memory(metric: str) -> bool:
    """Whether a figure grows with the memory that the service may use, rather than with its GC cycles."""
    return metric.startswith(_OF_MEMORY)


def wants_less_memory(bound: Bound) -> bool:
    """Whether a bound breaks at the larger sizes; all others break at the smaller ones."""
    return is_of_memory(bound.metric) and not bound.at_least


def refusal(bound: Bound) -> str:
    """Why no search can keep to a bound, "" if one can."""
    if bound.metric.startswith(_OF_PAUSES):
        return (
            f"a search cannot keep {bound}: from one run to the next a pause scatters by 55% to 700%; "
            "bound cpu_per_op, gc_cpu or latency_p99 instead"
        )
    return ""


def parse_bound(written: str, units: Mapping[str, Unit], place: Place) -> Bound:
    """Read 'cpu_per_op<=1.25x' (of its figure with memory to spare), 'latency_p99<=50ms' or 'memory_headroom>=20MiB'.

    units: every metric's unit, by name. Raises ConfigError.
    """
    hint = "write a metric, <= or >=, and a quantity or a multiple: cpu_per_op<=1.25x, latency_p99<=50ms"
    match = _BOUND.fullmatch(written)
    if match is None:
        raise ConfigError(f"{written!r} is not a bound", place, hint)
    metric, sign, limit = match.groups()
    unit = units.get(metric)
    if unit is None:
        raise unknown_metric(metric, metric, units, place)
    at_least, times = sign == ">=", _TIMES.fullmatch(limit)
    if times is not None:
        bound = Bound(metric, float(times[1]), relative=True, at_least=at_least, written=written.strip())
    else:
        try:
            value = parse_quantity(limit, unit).value
        except ValueError as error:
            raise ConfigError(f"{written!r} is not a bound: {error}", place, hint) from None
        bound = Bound(metric, value, at_least=at_least, written=written.strip())
    beyond = bound.limit > 1 if at_least else bound.limit < 1
    if bound.relative and beyond and not is_of_memory(metric):
        other = "below 1, such as 0.8x" if at_least else "above 1, such as 1.25x"
        raise ConfigError(f"{written!r} is broken with memory to spare already", place, f"write a multiple {other}")
    if reason := refusal(bound):
        raise ConfigError(reason, place)
    return bound
