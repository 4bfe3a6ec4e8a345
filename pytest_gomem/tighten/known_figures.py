"""What is known of the figures of each test: from baselines, from the history, or from a JSON report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_gomem.base.unavailable import known
from pytest_gomem.baseline.snapshot import by_metric, not_comparable
from pytest_gomem.baseline.store import Store
from pytest_gomem.history.entry import Entry
from pytest_gomem.judge.decide import given_name
from pytest_gomem.measure.metric import Metric
from pytest_gomem.results.keys import by_window, numbered, ran_to_its_end
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import MetricValue, WindowRecord, definitions

_OPS = "ops"


@dataclass(frozen=True)
class Known:
    """The figures of one window, or one of its phases, under one set of conditions: of each round, by metric."""

    nodeid: str
    service: str
    window: str
    figures: Mapping[str, Sequence[float]]
    ops: int | None
    phase: str = ""

    @property
    def name(self) -> str:
        """How it is called in messages."""
        return f"{self.nodeid} / {self.service}/{self.window}" + (f" / {self.phase}" if self.phase else "")


def of_baselines(store: Store, metrics: Sequence[Metric]) -> Iterator[Known]:
    """Every kept window, under each of its conditions; raises ConfigError for a file that cannot be read."""
    for module in store.modules():
        for test, windows in store.tests(module).items():
            for name, snapshots in windows.items():
                service, _, window = name.partition("/")
                for one in snapshots:
                    old = not_comparable(one, metrics)
                    figures = {metric: values for metric, values in one.metrics.items() if metric not in old}
                    yield Known(f"{module}::{test}", service, window, figures, one.ops)


def of_history(entries: Iterable[Entry], metrics: Mapping[str, Metric]) -> Iterator[Known]:
    """Each window as the newest commit measured it that did so to its end, under all the conditions it had there."""
    newest: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in sorted((entry for entry in entries if entry.complete), key=lambda entry: entry.time):
        seen = newest.setdefault((entry.nodeid, entry.service, entry.window), [])
        if seen and (entry.revision != seen[-1].revision or not entry.revision.commit):
            seen.clear()
        seen[:] = [one for one in seen if one.conditions != entry.conditions]
        seen.append(entry)
    for (nodeid, service, window), kept in newest.items():
        for entry in kept:
            figures = _current(_rounds(entry.rounds, entry.metrics), entry.definitions, metrics)
            yield Known(nodeid, service, window, figures, _count(entry.metrics.get(_OPS)))


def of_tests(tests: Iterable[TestRecord], metrics: Mapping[str, Metric]) -> Iterator[Known]:
    """Each window of a report, and each of its phases, of the tests that ran to their end."""
    for test in tests:
        if not ran_to_its_end(test):
            continue
        for key, (window,) in by_window([test.windows]).items():
            name, service = numbered(key), window.service
            figures = _current(_rounds(window.rounds, _values(window.metrics)), definitions(window), metrics)
            yield Known(test.nodeid, service, name, figures, window.ops)
            yield from _phases(test.nodeid, name, window)


def _phases(nodeid: str, name: str, window: WindowRecord) -> Iterator[Known]:
    for phase in window.phases:
        figures = {metric: (value,) for metric, value in _values(phase.metrics).items()}
        yield Known(nodeid, window.service, name, figures, phase.ops, given_name(phase.name))


def _rounds(rounds: Sequence[Mapping[str, float]], metrics: Mapping[str, float]) -> Mapping[str, Sequence[float]]:
    return by_metric(rounds) if rounds else {name: (value,) for name, value in metrics.items()}


def _values(metrics: Iterable[MetricValue]) -> dict[str, float]:
    readings = ((metric.name, known(metric.result)) for metric in metrics)
    return {name: reading.value for name, reading in readings if reading is not None}


def _current(
    figures: Mapping[str, Sequence[float]], recorded: Mapping[str, int], metrics: Mapping[str, Metric]
) -> dict[str, Sequence[float]]:
    """The figures of metrics that have kept their definition."""
    return {
        name: values
        for name, values in figures.items()
        if name not in metrics or metrics[name].definition == recorded.get(name, 1)
    }


def _count(ops: float | None) -> int | None:
    return None if ops is None else round(ops)
