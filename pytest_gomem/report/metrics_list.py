"""The list of `pytest --gomem-metrics`: each metric's unit, direction, noise, sources and meaning."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from pytest_gomem.measure.metric import Metric
from pytest_gomem.report.text import columns, wrapped

_HEAD = ("name", "unit", "better", "noise")
_INDENT = " " * 6
_OWN = (
    (
        '"prom:NAME{label=value}"',
        "A metric on the service's Prometheus page: what a counter has counted in the window, a gauge at the close; "
        'followed by " per_op", what one operation has counted',
    ),
    ('"expvar:PATH"', 'A variable of package expvar at the close; with " counter" or " per_op", what it has counted'),
)


def metric_lines(metrics: Sequence[Metric], width: int = 100) -> Iterator[str]:
    """A table per group, in the order of their first metrics; meaning and sources follow each metric.

    Lines are at most `width` wide, if the names fit.
    """
    order = list(dict.fromkeys(metric.group for metric in metrics))
    ordered = sorted(metrics, key=lambda metric: order.index(metric.group))
    rows = [(m.name, m.unit.name, m.better.value, m.noise.value) for m in ordered]
    head, *lines = columns([_HEAD, *rows])
    yield f"  {head}"
    for group, members in groupby(zip(ordered, lines, strict=True), key=lambda pair: pair[0].group):
        yield ""
        yield group
        for metric, line in members:
            yield f"  {line}"
            yield from wrapped(metric.doc, width, _INDENT)
            if metric.sources:
                yield from wrapped(f"from {', '.join(metric.sources)}", width, _INDENT)


def own_metric_lines(width: int = 100) -> Iterator[str]:
    """How metrics are spelled that a service publishes itself, as one more group."""
    yield ""
    yield "own"
    for name, meaning in _OWN:
        yield f"  {name}"
        yield from wrapped(meaning, width, _INDENT)
