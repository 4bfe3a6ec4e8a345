"""Metrics that a service publishes itself: what a counter counted in the window, and a gauge's value at the close."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, required
from pytest_gomem.config.own_metrics import COUNTER, PROM, OwnMetric, is_own, own_metric
from pytest_gomem.measure.metric import Better, Metric, Noise, Reading
from pytest_gomem.measure.own_edges import PageEdges, Told
from pytest_gomem.measure.window import Window
from pytest_gomem.measure.window_sources import joined, operations

if TYPE_CHECKING:
    from pytest_gomem.observe.text_format import Labels

NOT_READ = Unavailable(
    "no limit of the test is on it: the page of the service is read for limits in the marker and in gomem.yaml alone"
)
_SOURCES = {PROM: "prometheus"}


@lru_cache(maxsize=1024)
def declared(name: str) -> Metric:
    """The metric of such a name; raises ConfigError for a malformed one."""
    own = own_metric(name)
    source = _SOURCES.get(own.page, own.page)
    return Metric(
        name=str(own),
        group="own",
        unit=own.unit,
        better=Better.LOWER,
        noise=Noise.NOISY,
        sources=(source,),
        doc=f"{own.series} as the service publishes it",
        compute=partial(_compute, own, source),
    )


def with_own(metrics: Iterable[Metric], names: Iterable[str]) -> Iterator[Metric]:
    """The metrics, and behind them those of these names that services publish themselves, each once."""
    yield from metrics
    yield from map(declared, dict.fromkeys(filter(is_own, names)))


def _compute(metric: OwnMetric, source: str, window: Window) -> Reading:
    from pytest_gomem.measure.own_figures import find_figure

    edges = required(window.own.pages.get(metric.page, NOT_READ))
    found = find_figure(metric, required(edges.end).page)
    if found.kind != COUNTER:
        (value,) = found.values.values()
        return Reading(value, source)
    grown, ours = _counted(metric, edges, found.values)
    note = joined(found.note, f"without {ours:.4g} that reading the page itself has counted" if ours else "")
    return Reading(grown / operations(window) if metric.per_op else grown, source, note=note)


def _counted(metric: OwnMetric, edges: PageEdges, after: Mapping[Labels, float]) -> tuple[float, float]:
    """What a counter has counted in the window without our own readings of its page, and what these have counted."""
    from pytest_gomem.measure.own_figures import values_before

    start, end = required(edges.start), required(edges.end)
    before = values_before(metric, start.page)
    if any(after.get(labels, -math.inf) < value for labels, value in before.items()):
        raise ObserveError(
            f"{metric.series} was less at the close than at the opening: the service has begun to count anew"
        )
    ours = _of_one_reading(metric, edges.in_a_row) * (end.reads - start.reads)
    grown = math.fsum(after.values()) - math.fsum(before.values())
    return max(grown - ours, 0.0), min(ours, grown)


def _of_one_reading(metric: OwnMetric, in_a_row: Iterable[Told]) -> float:
    """What one reading of the page adds: the least that it added each time, since the service may work meanwhile."""
    from pytest_gomem.measure.own_figures import values_before

    sums = [(math.fsum(values_before(metric, told.page).values()), told.reads) for told in in_a_row]
    added = [(after - before) / (then - now) for (before, now), (after, then) in pairwise(sums) if then > now]
    return max(min(added, default=0.0), 0.0)
