"""Merges the windows of several rounds: medians, the figures of each round, and verdicts on the medians."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.judge.conditions import of_all
from pytest_gomem.judge.figures import Asked, asked_by, figures_of, median_of, value_of
from pytest_gomem.judge.functions import FunctionValue
from pytest_gomem.judge.objects import TypeValue
from pytest_gomem.judge.regressions import Figures
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.window_sources import joined
from pytest_gomem.report.text import readings, value_text
from pytest_gomem.results.keys import Key, by_window, keys
from pytest_gomem.results.window_record import MetricValue, PhaseRecord, WindowRecord
from pytest_gomem.session.functions import known_functions
from pytest_gomem.session.judging import CHECK_SCOPE, Judging
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.objects import known_types
from pytest_gomem.stats.by_clock import IDLE_WATCH
from pytest_gomem.stats.by_interval import figures_of as bounds_of


def merged(rounds: Sequence[Sequence[WindowRecord]], judging: Judging) -> tuple[WindowRecord, ...]:
    """The windows of a test that ran in several rounds, each once.

    Budgets judge the medians over the rounds. A maximum would grow with the number of rounds, and measuring more would
    break budgets. All else is of the last round.
    """
    return tuple(_merged(like, len(rounds), judging) for like in by_window(rounds).values())


def _merged(rounds: Sequence[WindowRecord], asked: int, judging: Judging) -> WindowRecord:
    last = rounds[-1]
    metrics = tuple(_median(name, [_metric(window, name) for window in rounds]) for name in _names(rounds))
    results = {metric.name: metric.result for metric in metrics}
    # Most budgets on functions and types are judged after these rounds, by observed ones.
    budgets = [b for b in judging.budgets(last.service) if not b.glob or _judges_globs(rounds)]
    counted = {asked: of_rounds(asked, rounds) for asked in (asked_by(b) for b in budgets if b.glob)}
    phases = tuple(_merged_phase(phase, rounds) for phase in last.phases)
    verdicts = (
        *judging.unasked(last, rounds),
        *judging.verdicts(budgets, results, counted, phases),
        *(verdict for verdict in last.verdicts if verdict.budget.scope == CHECK_SCOPE),
    )
    accused = next((window for window in reversed(rounds) if window.culprits), last)
    return replace(
        last,
        metrics=metrics,
        verdicts=verdicts,
        phases=phases,
        functions=known_functions(counted),
        types=known_types(counted),
        rounds=tuple(values(window) for window in rounds),
        conditions=of_all([window.conditions for window in rounds]),
        notes=tuple(_once([*_doubts(rounds, asked), *(note for window in rounds for note in window.notes)])),
        culprits=accused.culprits,
        culprit_summaries=accused.culprit_summaries,
    )


def _judges_globs(rounds: Iterable[WindowRecord]) -> bool:
    """Whether these rounds have figures of functions or types, or verdicts that say why they have none."""
    return any(one.counted or any(v.budget.glob for v in one.verdicts) for one in rounds)


def _merged_phase(last: PhaseRecord, rounds: Sequence[WindowRecord]) -> PhaseRecord:
    """The phase with the medians of its metrics; a metric missing in one round has none."""
    missing = PhaseRecord(last.name, 0.0, 0.0, None)
    like = [next((p for p in window.phases if p.name == last.name), missing) for window in rounds]
    metrics = tuple(_median(name, [_metric(phase, name) for phase in like]) for name in _names(like))
    return replace(last, metrics=metrics)


def values(window: WindowRecord) -> dict[str, float]:
    """The figures of a window by metric; without those that were not measured or are not finite.

    After the metrics come the bounds of estimates, the functions and types that budgets name, and what the service
    allocates when idle.
    """
    measured = {name: one for name, one in readings(window).items() if isinstance(one, Reading)}
    found = {name: one.value for name, one in measured.items()}
    bounds = {
        bound: value
        for name, one in measured.items()
        if one.interval is not None
        for bound, value in bounds_of(name, one.interval).items()
        if math.isfinite(value)
    }
    return {**found, **bounds, **figures_of(window.counted), **window.instruments.get(IDLE_WATCH, {})}


def rounds_of(window: WindowRecord) -> tuple[Figures, ...]:
    """What each round of the window measured; a test that ran once has one round."""
    return window.rounds or (values(window),)


def missing(window: WindowRecord) -> dict[str, str]:
    """Why the window has no figure of a metric; bounded metrics are not included."""
    return _unavailable(window, bounded=False)


def incomparable(window: WindowRecord) -> dict[str, str]:
    """The metrics whose figures do not compare with other rounds, each with the reason."""
    found = {name: one.incomparable for name, one in readings(window).items() if isinstance(one, Reading)}
    bounded = _unavailable(window, bounded=True)
    return {**bounded, **{name: reason for name, reason in found.items() if reason}}


def _unavailable(window: WindowRecord, *, bounded: bool) -> dict[str, str]:
    found = {name: one for name, one in readings(window).items() if isinstance(one, Unavailable)}
    return {name: one.reason for name, one in found.items() if (one.bounds is not None) == bounded}


def last_measurements(rounds: Sequence[Sequence[Measurement]]) -> dict[Key, Measurement]:
    """The last measurement of each window, by its key in all rounds; in the order of first appearance."""
    found: dict[Key, Measurement] = {}
    for one in rounds:
        found.update(zip(keys(measurement.record for measurement in one), one, strict=True))
    return found


def _names(rounds: Sequence[WindowRecord | PhaseRecord]) -> Mapping[str, None]:
    return dict.fromkeys(metric.name for window in rounds for metric in window.metrics)


def _metric(window: WindowRecord | PhaseRecord, name: str) -> MetricValue:
    missing = MetricValue(name, "", Unavailable("it is not among the metrics of this round"))
    return next((metric for metric in window.metrics if metric.name == name), missing)


def _median(name: str, rounds: Sequence[MetricValue]) -> MetricValue:
    """The median with its spread; none if one round has no value: unmeasured is not passed."""
    for number, metric in enumerate(rounds, 1):
        if isinstance(metric.result, Unavailable):
            # What no round could measure has one reason, although each round names another port.
            never = all(isinstance(other.result, Unavailable) for other in rounds)
            reason = metric.result.reason if never else f"in round {number} of {len(rounds)}: {metric.result.reason}"
            return MetricValue(name, metric.unit, Unavailable(reason, _bounds(rounds)), metric.definition)
    found = [metric.result for metric in rounds if isinstance(metric.result, Reading)]
    middle = median(reading.value for reading in found)
    nearest = min(found, key=lambda reading: abs(reading.value - middle))
    note = joined(spread_text([reading.value for reading in found], rounds[0].unit), nearest.note)
    return replace(rounds[-1], result=replace(nearest, value=middle, note=note, interval=_interval(found)))


def _interval(found: Sequence[Reading]) -> tuple[float, float] | None:
    """The medians of the bounds; None if one round has none."""
    intervals = [reading.interval for reading in found if reading.interval is not None]
    if len(intervals) < len(found):
        return None
    return median(low for low, _ in intervals), median(high for _, high in intervals)


def _bounds(rounds: Sequence[MetricValue]) -> tuple[float, float] | None:
    """The bounds of the median; None if one round has none."""
    found = []
    for result in (metric.result for metric in rounds):
        bounds = (result.value, result.value) if isinstance(result, Reading) else result.bounds
        if bounds is None:
            return None
        found.append(bounds)
    return median(low for low, _ in found), median(high for _, high in found)


def of_rounds(asked: Asked, rounds: Sequence[WindowRecord]) -> FunctionValue | TypeValue | Unavailable:
    """The figure for a budget on functions or types; none if one round has no value, as for any metric."""
    found = []
    for number, window in enumerate(rounds, 1):
        value = value_of(asked, window.counted)
        if value is None:
            own = (v.reason for v in window.verdicts if v.budget.glob and asked_by(v.budget) == asked)
            return Unavailable(f"in round {number} of {len(rounds)}: {next(own, 'it was not measured')}")
        found.append(value)
    return median_of(found)


def spread_text(found: Sequence[float], unit: str) -> str:
    """The spread of the rounds: "median of 3 rounds, 61.2 MB to 61.3 MB"."""
    low, high = value_text(min(found), unit), value_text(max(found), unit)
    return f"median of {len(found)} rounds, " + (f"all {low}" if low == high else f"{low} to {high}")


def _once(notes: Iterable[str]) -> Iterable[str]:
    """Each note once: if notes differ only in numbers, the last one, as all else is of the last round."""
    return {re.sub(r"\d+", "0", note): note for note in notes}.values()


def _doubts(rounds: Sequence[WindowRecord], asked: int) -> list[str]:
    doubts = []
    if len(rounds) < asked:
        doubts.append(f"this window was opened in {len(rounds)} of {asked} rounds only")
    ops = {window.ops for window in rounds}
    if len(ops) > 1:
        each = ", ".join("none" if window.ops is None else str(window.ops) for window in rounds)
        doubts.append(f"the rounds did different work: {each} operations")
    return doubts
