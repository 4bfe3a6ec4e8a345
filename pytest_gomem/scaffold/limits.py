"""Limits close above what was measured: wide enough for the noise, and narrower than what a selftest adds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from pytest_gomem.base.units import Unit, format_value, scale_of
from pytest_gomem.comparison.visible import smallest_visible
from pytest_gomem.judge.regressions import in_every_round
from pytest_gomem.measure.metric import Metric
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.selftest.gate import RAISED
from pytest_gomem.stats.decision import ENOUGH, FEWEST

USUAL_SHARE = 0.05  # what `gomem selftest` adds if nothing else is said
_ROOM = 0.04  # of the level: less than that
_SPARE = 1.75  # the rounds of a selftest may scatter more than these few
_OF_PROGRAMS = ("total_alloc", "allocs", "peak_rss")


@dataclass(frozen=True)
class Limits:
    """Limits by metric as a marker takes them, the levels that they stand above, and what must be added to be seen.

    share: None where a selftest cannot add anything.
    """

    limits: Mapping[str, str]
    levels: Mapping[str, str]
    share: float | None


def limits_of(window: WindowRecord, metrics: Mapping[str, Metric], *, ends: bool) -> Limits:
    """Limits for what was measured in several rounds; none for a metric that was not. ends: a program that ended."""
    limits, levels, shares = dict[str, str](), dict[str, str](), list[float]()
    for name in _OF_PROGRAMS if ends else RAISED:
        values = in_every_round(name, window.rounds)
        if not values or name not in metrics or not (level := median(values)):
            continue
        visible, of_few = (
            smallest_visible(metrics[name], values, ops=window.ops, enough=enough) or 0.0 for enough in (ENOUGH, FEWEST)
        )
        unit = metrics[name].unit
        limits[name] = limit_text(max(values) + max(_SPARE * visible, _ROOM * level), unit)
        levels[name] = format_value(level, unit)
        shares.append(max(_SPARE * visible, of_few) / level)
    return Limits(limits, levels, None if ends or not shares else _share(max(shares)))


def _share(visible: float) -> float:
    """The usual share, or the next multiple of it that stands out of the noise."""
    steps = math.ceil(max(visible, USUAL_SHARE) / USUAL_SHARE - 1e-9)
    return steps * USUAL_SHARE


def limit_text(value: float, unit: Unit) -> str:
    """The value in three digits, rounded up, as one writes it: "1.53 kB/op", "15.7/op"."""
    factor, suffix = scale_of(value, unit)
    if unit.name.startswith("count") and value < 1e4:
        factor, suffix = 1.0, suffix.lstrip("kMG")
    scaled = value / factor
    decimals = max(0, 2 - math.floor(math.log10(scaled * 1.001))) if scaled > 0 else 0
    return f"{math.ceil(scaled * 10**decimals - 1e-9) / 10**decimals:.{decimals}f}{suffix}"
