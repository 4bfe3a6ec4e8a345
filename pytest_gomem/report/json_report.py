"""Owns the JSON report, schema_version 1: plain dictionaries made from the report model, and their writing."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

from pytest_gomem.errors import ConfigError, Place
from pytest_gomem.judge.culprits import Culprit
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Unavailable
from pytest_gomem.report.json_read import test_from_dict
from pytest_gomem.report.model import (
    BillRecord,
    LoadSummary,
    MetricValue,
    PeakMoment,
    PhaseRecord,
    RunRecord,
    Series,
    TestRecord,
    WindowRecord,
)
from pytest_gomem.report.text import finite, known

__all__ = ["ENVIRONMENT_KEYS", "SCHEMA_VERSION", "schema", "test_from_dict", "test_to_dict", "to_dict", "write_json"]

SCHEMA_VERSION = 1
ENVIRONMENT_KEYS = ("go_version", "goos", "goarch", "kernel", "cpus", "page_size", "thp")


def to_dict(run: RunRecord) -> dict[str, Any]:
    """The whole report as plain JSON data in base units; what is not finite or not known is None, with a reason."""
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": _plain_dict({"name": "pytest-gomem", "version": run.tool_version}),
        "environment": _plain_dict({**dict.fromkeys(ENVIRONMENT_KEYS), **run.environment}),
        "tests": [test_to_dict(test) for test in run.tests],
    }


def test_to_dict(test: TestRecord) -> dict[str, Any]:
    """One test as plain JSON data: an entry of the report's `tests`, and what an xdist worker sends home."""
    return _plain_dict(
        {
            "nodeid": test.nodeid,
            "outcome": test.outcome,
            "matrix": test.matrix,
            "windows": [_window_to_dict(window) for window in test.windows],
        }
    )


def _window_to_dict(window: WindowRecord) -> dict[str, Any]:
    return {
        "name": window.name,
        "service": window.service,
        "build": {
            "ref": window.build.ref,
            "go_version": window.build.go_version,
            "revision": window.build.revision,
            "flags": window.build.flags,
        },
        "gc": {"requested": window.gc.requested, "effective": window.gc.effective},
        "ops": window.ops,
        "duration": window.duration,
        "phases": [_phase_to_dict(phase) for phase in window.phases],
        "metrics": {metric.name: _metric_to_dict(metric) for metric in window.metrics},
        "rounds": [],
        "verdicts": [_verdict_to_dict(verdict) for verdict in window.verdicts],
        "culprits": [_culprit_to_dict(culprit) for culprit in window.culprits],
        "culprit_summaries": window.culprit_summaries,
        "load": _load_total(window.loads),
        "loads": [_load_to_dict(load) for load in window.loads],
        "series": {name: _series_to_dict(series) for name, series in window.series.items()},
        "artifacts": window.artifacts,
        "peak_moment": _moment_to_dict(window.peak_moment),
        "notes": window.notes,
        "log_tail": window.log_tail,
        "bill": _bill_to_dict(window.bill),
    }


def _metric_to_dict(metric: MetricValue) -> dict[str, Any]:
    result = finite(metric.result)
    if isinstance(result, Unavailable):
        absent = dict.fromkeys(("value", "source", "precision", "note"))
        return {"unit": metric.unit, **absent, "reason": result.reason}
    return {
        "unit": metric.unit,
        "value": result.value,
        "source": result.source,
        "precision": result.precision,
        "note": result.note,
        "reason": None,
    }


def _verdict_to_dict(verdict: Verdict) -> dict[str, Any]:
    budget, actual, reason = verdict.budget, verdict.actual, verdict.reason
    if actual is None or not math.isfinite(actual):
        reason = reason or ("no reason was given" if actual is None else f"not a finite number: {actual}")
    return {
        "metric": budget.metric,
        "function": budget.function,
        "scope": budget.scope,
        "declared_at": str(budget.place),
        "place": {"file": budget.place.file, "line": budget.place.line, "key": budget.place.key},
        "kind": verdict.kind,
        "limit": verdict.limit.value,
        "written": verdict.limit.written,
        "unit": verdict.limit.unit.name,
        "actual": actual,
        "status": verdict.status.value,
        "over": verdict.over,
        "headroom": verdict.headroom,
        "reason": reason or None,
        "baseline": None,
        "change": None,
        "interval": None,
        "rounds_needed": None,
    }


def _culprit_to_dict(culprit: Culprit) -> dict[str, Any]:
    return {
        "function": culprit.function,
        "file": culprit.file,
        "line": culprit.line,
        "metric": culprit.metric,
        "before": culprit.before,
        "after": culprit.after,
        "interval": [culprit.change - culprit.interval, culprit.change + culprit.interval],
        "share": culprit.share,
        "reason": culprit.reason,
        "callers": [caller._asdict() for caller in culprit.callers],
    }


def _load_to_dict(load: LoadSummary) -> dict[str, Any]:
    return {
        "requests": load.requests,
        "errors": load.errors,
        "duration": load.duration,
        "rate": load.rate,
        "rate_asked": load.rate_asked,
        "latency_p50": load.latency_p50,
        "latency_p99": load.latency_p99,
        "latency_max": load.latency_max,
        "statuses": load.statuses,
        "reason": "no request finished, so there is no latency" if known(load.latency_max) is None else None,
    }


def _load_total(loads: Sequence[LoadSummary]) -> dict[str, Any] | None:
    """All loads of the window as one, None when there was none; percentiles of several loads cannot be joined."""
    if len(loads) < 2:
        return _load_to_dict(loads[0]) if loads else None
    duration = known(sum(load.duration for load in loads))
    requests = sum(load.requests for load in loads)
    slowest = [latency for load in loads if (latency := known(load.latency_max)) is not None]
    statuses: dict[str, int] = {}
    for load in loads:
        for status, count in load.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    return {
        "requests": requests,
        "errors": sum(load.errors for load in loads),
        "duration": duration,
        "rate": requests / duration if duration else None,
        "rate_asked": None,
        "latency_p50": None,
        "latency_p99": None,
        "latency_max": max(slowest, default=None),
        "statuses": statuses,
        "reason": f"percentiles of {len(loads)} loads cannot be joined; each load stands in `loads`",
    }


def _phase_to_dict(phase: PhaseRecord) -> dict[str, Any]:
    return {"name": phase.name, "start": phase.start, "end": phase.end, "ops": phase.ops}


def _series_to_dict(series: Series) -> dict[str, Any]:
    points = [(t, v) for t, v in zip(series.t, series.v, strict=False) if math.isfinite(t) and math.isfinite(v)]
    return {"t": [t for t, _ in points], "v": [v for _, v in points]}


def _moment_to_dict(moment: PeakMoment | None) -> dict[str, Any] | None:
    if moment is None or not (math.isfinite(moment.earliest) and math.isfinite(moment.latest)):
        return None
    return {"earliest": moment.earliest, "latest": moment.latest, "floor": moment.floor or None}


def _bill_to_dict(bill: BillRecord | None) -> dict[str, Any] | None:
    if bill is None:
        return None
    rows = [{"name": row.name, "bytes": row.bytes, "share": row.share} for row in bill.rows]
    return {"rows": rows, "rss": bill.rss, "explained": bill.explained, "sentence": bill.sentence}


def _plain_dict(mapping: Mapping[str, object]) -> dict[str, Any]:
    return {str(_plain(key)): _plain(value) for key, value in mapping.items()}


def _plain(value: object) -> object:
    """Strictly valid JSON data: finite numbers, whole ones without a fraction, and text that UTF-8 can hold."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, Mapping):
        return _plain_dict(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) that every report of this version obeys; treat it as read-only."""
    text = resources.files("pytest_gomem.report").joinpath("schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def write_json(run: RunRecord, path: Path) -> None:
    """Write the report to `path`, whole or not at all: readers never see half of it. Parent folders are made.

    A device or pipe (/dev/stdout) is written to directly. Raises ConfigError when the place cannot be written.
    """
    text = json.dumps(to_dict(run), allow_nan=False, ensure_ascii=False, indent=1) + "\n"
    try:
        _write_whole(path, text)
    except OSError as error:
        hint = "name a file in a folder you may write to"
        message = f"the JSON report cannot be written to {path}: {error.strerror or error}"
        raise ConfigError(message, Place(key="--gomem-json"), hint) from error


def _write_whole(path: Path, text: str) -> None:
    if path.exists() and not path.is_file():
        path.write_text(text, "utf-8")
        return
    target = path.resolve()
    if not target.parent.exists():  # a parent that is a file is refused below, in better words
        target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_text(text, "utf-8")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
