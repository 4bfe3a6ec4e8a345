"""A finished run for reporters, made of windows with the figures that your test gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_gomem import __version__
from pytest_gomem.base.errors import Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.config.budgets import parse_budget
from pytest_gomem.judge.decide import failed, judge
from pytest_gomem.measure.metric import Metric, Reading
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.window_record import BuildRecord, GcRecord, MetricValue, WindowRecord


def fake_window_record(
    metrics: Mapping[str, float | str],
    budgets: Mapping[str, object] | None = None,
    *,
    own: Iterable[Metric] = (),
    **values: Any,
) -> WindowRecord:
    """A window of the service `api` as reporters get it, with the fields of WindowRecord that you give.

    metrics: by name a value in base units, or the reason why there is none. budgets: as in the marker; they are judged.
    own: your own metrics, if some of them are in `metrics`.
    """
    registry = Registry([*builtin_metrics(), *own])
    results = {
        name: Unavailable(value) if isinstance(value, str) else Reading(value, "a fake")
        for name, value in metrics.items()
    }
    found = [registry.lookup(name) for name in metrics]
    verdicts = [
        verdict
        for name, written in (budgets or {}).items()
        for budget in parse_budget(
            name, written, units=registry.units(), scope="marker on function", place=Place("test_fake.py", 1, name)
        )
        for verdict in judge(budget, results.get(name, Unavailable("this fake has no figure for it")))
    ]
    usual = {
        "name": "test",
        "service": "api",
        "build": BuildRecord(go_version="go1.26.0"),
        "gc": GcRecord(),
        "ops": 1000,
        "duration": 10.0,
        "metrics": tuple(MetricValue(m.name, m.unit.name, results[m.name], m.definition) for m in found),
        "verdicts": tuple(verdicts),
    }
    return WindowRecord(**{**usual, **values})


def _result(value: float | str) -> Reading | Unavailable:
    return Unavailable(value) if isinstance(value, str) else Reading(value, "a fake")


def fake_run(tests: Mapping[str, Sequence[WindowRecord]]) -> RunRecord:
    """A run of these tests, by their ids; a test has failed if one of its budgets is broken."""
    records = tuple(
        TestRecord(nodeid, "failed" if any(failed(one.verdicts) for one in windows) else "passed", tuple(windows))
        for nodeid, windows in tests.items()
    )
    return RunRecord(__version__, {"go_version": "go1.26.0", "goos": "linux", "goarch": "amd64", "cpus": 2}, records)
