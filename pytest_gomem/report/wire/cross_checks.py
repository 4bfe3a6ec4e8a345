"""Cross-checks of two sources as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_gomem.measure.cross_checks import CrossCheck
from pytest_gomem.report.wire.plain import number


def cross_check_to_dict(check: CrossCheck) -> dict[str, Any]:
    """A cross-check; values in the order of the sources."""
    return {
        "quantity": check.quantity,
        "sources": check.sources,
        "values": check.values,
        "precision": check.precision,
        "agrees": check.agrees,
    }


def cross_check_from_dict(data: Mapping[str, Any]) -> CrossCheck:
    """The cross-check that was sent."""
    first, second = data["sources"]
    values = (number(data["values"][0]), number(data["values"][1]))
    return CrossCheck(data["quantity"], (first, second), values, data["precision"], data["agrees"])
