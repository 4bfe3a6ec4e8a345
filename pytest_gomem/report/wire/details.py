"""The details of a window as plain data: its GC cycles, what it allocated by size class, its histograms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pytest_gomem.measure.cycles import JoinedCycle
from pytest_gomem.measure.quantiles import Bucket
from pytest_gomem.measure.size_classes import SizeClassGrowth


def cycle_to_dict(cycle: JoinedCycle) -> dict[str, Any]:
    """One GC cycle."""
    return asdict(cycle)


def cycle_from_dict(data: Mapping[str, Any]) -> JoinedCycle:
    """The cycle that was sent."""
    return JoinedCycle(**data)


def size_class_to_dict(growth: SizeClassGrowth) -> dict[str, Any]:
    """One size class."""
    return asdict(growth)


def size_class_from_dict(data: Mapping[str, Any]) -> SizeClassGrowth:
    """The size class that was sent."""
    return SizeClassGrowth(**data)


def bucket_to_dict(bucket: Bucket) -> dict[str, Any]:
    """One bucket of a histogram; an endless side is None."""
    return {"low": bucket.low, "high": bucket.high, "count": bucket.count}


def bucket_from_dict(data: Mapping[str, Any]) -> Bucket:
    """The bucket that was sent."""
    low = -math.inf if data["low"] is None else data["low"]
    return Bucket(low, math.inf if data["high"] is None else data["high"], data["count"])
