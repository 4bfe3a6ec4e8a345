"""Owns what a metric is: its declaration, its reading, and the reason when there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from pytest_gomem.measure.window import Window
from pytest_gomem.quantity import Unit


class Better(Enum):
    """The direction in which a metric improves."""

    LOWER = "lower"
    HIGHER = "higher"


class Noise(Enum):
    """How far repeated runs of the same work scatter."""

    NEAR_EXACT = "near-exact"
    MODERATE = "moderate"
    NOISY = "noisy"


@dataclass(frozen=True)
class Reading:
    """A measured value in the metric's unit.

    source: where it came from, in words. precision: how exact it is, in words ("" = as exact as its unit).
    note: what a reader must know, such as "p99 of 40 cycles is their maximum".
    """

    value: float
    source: str
    precision: str = ""
    note: str = ""


@dataclass(frozen=True)
class Unavailable:
    """The metric could not be measured in this window, and why."""

    reason: str


# May also raise ObserveError for a record that is not there: its text becomes the reason (see registry.evaluate).
Compute = Callable[[Window], "Reading | Unavailable"]


@dataclass(frozen=True)
class Metric:
    """A declared metric; `doc` is its one-line definition and `sources` what it can be read from, best first.

    precision: how exact a reading is in general, in words; a Reading that knows better says so itself.
    """

    name: str
    group: str
    unit: Unit
    better: Better
    noise: Noise
    sources: tuple[str, ...]
    doc: str
    compute: Compute
    precision: str = ""


def metric(
    *, group: str, unit: Unit, better: Better, noise: Noise, sources: Sequence[str], precision: str = ""
) -> Callable[[Compute], Metric]:
    """Declare a function as the metric of its own name; the first line of its docstring is the definition."""

    def declare(compute: Compute) -> Metric:
        doc = (compute.__doc__ or "").strip().partition("\n")[0]
        return Metric(compute.__name__, group, unit, better, noise, tuple(sources), doc, compute, precision)

    return declare
