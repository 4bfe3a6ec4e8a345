"""Owns a metric's declaration as plain data: all that is known of it, but for the function that computes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.units import UNITS, Unit
from pytest_gomem.measure.metric import Better, Metric, Noise, Prior, Reading
from pytest_gomem.measure.window import Window


def declaration_to_dict(metric: Metric) -> dict[str, Any]:
    """The declaration as plain JSON data."""
    return {
        "name": metric.name,
        "group": metric.group,
        "unit": {"name": metric.unit.name, "suffixes": dict(metric.unit.suffixes), "per": metric.unit.per},
        "better": metric.better.value,
        "noise": metric.noise.value,
        "sources": list(metric.sources),
        "doc": metric.doc,
        "precision": metric.precision,
        "prior": asdict(metric.prior) if metric.prior else None,
        "redefined": list(metric.redefined),
    }


def declaration_from_dict(data: Mapping[str, Any]) -> Metric:
    """The metric that declaration_to_dict was given; it cannot be computed here."""
    unit = Unit(data["unit"]["name"], MappingProxyType(data["unit"]["suffixes"]), data["unit"]["per"])
    known = UNITS.get(unit.name)
    return Metric(
        name=data["name"],
        group=data["group"],
        unit=known if known == unit else unit,
        better=Better(data["better"]),
        noise=Noise(data["noise"]),
        sources=tuple(data["sources"]),
        doc=data["doc"],
        compute=_computed_elsewhere,
        precision=data["precision"],
        prior=Prior(**data["prior"]) if data["prior"] else None,
        redefined=tuple(data["redefined"]),
    )


def _computed_elsewhere(window: Window) -> Reading:
    raise ObserveError("the metric is computed in the pytest run that declares it, and nowhere else")
