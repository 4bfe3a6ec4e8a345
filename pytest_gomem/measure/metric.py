"""What a metric is: its declaration, its reading, and the reason when there is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import UNITS, Unit
from pytest_gomem.measure.window import Window


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
class Prior:
    """How far rounds of the same work are known to scatter before any of them has run: one sigma.

    absolute: in the metric's unit; with `per_window` it is of the whole window, and is spread over its operations.
    relative: a ratio of the level. Each was measured with benchmarks/a_a.py; docs/how_it_decides.md has the figures.
    """

    absolute: float = 0.0
    relative: float = 0.0
    per_window: bool = False

    def sigma(self, level: float, ops: int | None = None) -> float:
        """One sigma at that level, in the metric's unit; without a number of operations a window counts as one."""
        return self.absolute / ((ops or 1) if self.per_window else 1) + self.relative * abs(level)


# For a metric that declares none: of its unit ("" = any other) and its noise. Noisy ones have no prior to lean on.
_PRIORS = {
    (Noise.NEAR_EXACT, "bytes"): Prior(20e3, 1e-4),
    (Noise.NEAR_EXACT, "count"): Prior(0.3, 1e-4),
    (Noise.NEAR_EXACT, ""): Prior(0.0, 1e-3),
    (Noise.MODERATE, "bytes"): Prior(250e3, 0.01),
    (Noise.MODERATE, "count"): Prior(0.5, 0.01),
    (Noise.MODERATE, ""): Prior(0.0, 0.01),
}


@dataclass(frozen=True)
class Reading:
    """A measured value in the metric's unit.

    source: where it came from, in words. precision: how exact it is, in words ("" = as exact as its unit). note: what a
    reader must know, such as "p99 of 40 cycles is their maximum". incomparable: why it does not compare with that of
    another round, "" if it does. interval: of an estimate, its bounds in the metric's unit: a limit is broken only if
    both break it. Its upper bound may be infinite; None for a figure that is no estimate.
    """

    value: float
    source: str
    precision: str = ""
    note: str = ""
    incomparable: str = ""
    interval: tuple[float, float] | None = None


# May also raise ObserveError for a record that is not there: its text becomes the reason (see registry.evaluate).
Compute = Callable[[Window], "Reading | Unavailable"]


@dataclass(frozen=True)
class Metric:
    """A declared metric; `doc` is its one-line definition, `sources` what it can be read from, best first.

    precision: how exact a reading is in general, in words; a Reading may have a better one. prior: how far its rounds
    scatter, if that is known better than from `noise`. redefined: each change that made older figures incomparable,
    oldest first, in words that follow "recorded before": "peaks opened on returned memory". of_wall_time: CPU that the
    machine withholds changes the reading, so the reading says when that happened. has_interval: each reading is an
    estimate with an interval, and comparisons are judged by these.
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
    prior: Prior | None = None
    redefined: tuple[str, ...] = ()
    of_wall_time: bool = False
    has_interval: bool = False

    @property
    def definition(self) -> int:
        """The version of what the metric means: 1 until it is redefined."""
        return 1 + len(self.redefined)

    def not_comparable(self, definition: int) -> str:
        """Why a figure of that version of the definition does not compare with today's, "" if it does."""
        if definition > self.definition:
            return "recorded by a newer pytest-gomem, which defines it anew"
        changes = self.redefined[definition - 1 :]
        return f"recorded before {', and before '.join(changes)}" if changes else ""

    @property
    def scatter(self) -> Prior:
        """The declared prior, or that of its noise class."""
        known = _PRIORS.get((self.noise, self.unit.name)) or _PRIORS.get((self.noise, "")) or Prior()
        return self.prior or known


def metric(
    *,
    group: str,
    unit: Unit,
    better: Better,
    noise: Noise,
    sources: Sequence[str],
    precision: str = "",
    prior: Prior | None = None,
    redefined: Sequence[str] = (),
    of_wall_time: bool = False,
    has_interval: bool = False,
) -> Callable[[Compute], Metric]:
    """Declare a function as the metric of its own name; the first line of its docstring is the definition."""

    def declare(compute: Compute) -> Metric:
        doc = (compute.__doc__ or "").strip().partition("\n")[0]
        return Metric(
            compute.__name__,
            group,
            unit,
            better,
            noise,
            tuple(sources),
            doc,
            compute,
            precision,
            prior,
            tuple(redefined),
            of_wall_time,
            has_interval,
        )

    return declare


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
        "has_interval": metric.has_interval,
    }


def declaration_from_dict(data: Mapping[str, Any]) -> Metric:
    """The metric from the data of declaration_to_dict; it cannot be computed here."""
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
        has_interval=data.get("has_interval", False),
    )


def _computed_elsewhere(window: Window) -> Reading:
    raise ObserveError("the metric is computed in the pytest run that declares it, and nowhere else")
