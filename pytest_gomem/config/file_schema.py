"""The keys of gomem.yaml as a whole, and its JSON Schema for the metrics that there are."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_gomem.base.units import UNITS, Unit
from pytest_gomem.config import budgets
from pytest_gomem.config import json_schema as schema
from pytest_gomem.config.goroutine_globs import GOROUTINE_GLOBS
from pytest_gomem.config.own_metrics import NAMES
from pytest_gomem.config.own_metrics import UNITS as OWN_UNITS
from pytest_gomem.config.services import SERVICE

VERSION = 1
_METRICS = {"$ref": "#/$defs/metrics"}
BUDGETS_KEYS: schema.Keys = {
    "defaults": {**_METRICS, "description": "For all windows"},
    "services": schema.named("By service", _METRICS),
    "tests": schema.named("By glob over test ids", _METRICS),
}
FILE_KEYS: schema.Keys = {
    "version": {"description": "The version of this file's format", "const": VERSION},
    "services": schema.named("Services and programs by name", SERVICE, r"^[^\s/]+$"),
    "budgets": schema.mapping("What tests may cost; markers of tests win over these", BUDGETS_KEYS),
    "ignore_goroutines": GOROUTINE_GLOBS,
}


def file_schema(units: Mapping[str, Unit], docs: Mapping[str, str]) -> schema.Schema:
    """The schema (draft 2020-12) of a gomem.yaml. units: every metric's unit, by name; docs: what each one is."""
    every = {**units, **budgets.UNITS_OF_OTHERS}
    plain = {name: _described(name, unit, docs) for name, unit in sorted(every.items())}
    own = {"patternProperties": {NAMES: {"$ref": "#/$defs/limit_of_own"}}}
    phases = schema.named("By phase", {"$ref": "#/$defs/metrics_of_phase"}, "^[^#]+$")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gomem.yaml",
        **schema.mapping("Services of Go, and what their tests may cost", FILE_KEYS, type="object"),
        "required": ["version"],
        "$defs": {
            "metrics": schema.mapping("Limits by metric", {**plain, budgets.PHASES: phases}, **own),
            "metrics_of_phase": schema.mapping(
                "Limits by metric",
                {n: {"$ref": f"#/$defs/metrics/properties/{n}"} for n in plain if budgets.may_be_of_phase(n)},
                **own,
            ),
            "limit_of_own": {
                "description": "A limit on what the service publishes itself, in the unit that its name ends with",
                "anyOf": [{"$ref": f"#/$defs/{_name(unit)}"} for unit in OWN_UNITS],
            },
            **{_name(unit): schema.limit(unit) for unit in UNITS.values()},
        },
    }


def _described(metric: str, unit: Unit, docs: Mapping[str, str]) -> schema.Schema:
    limit = budgets.limit_schema(metric, unit) or {"$ref": f"#/$defs/{_name(unit)}"}
    return {**limit, "description": docs[metric]} if metric in docs else limit


def _name(unit: Unit) -> str:
    return unit.name.replace("/", "_per_")
