"""A window as plain data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pytest_gomem.judge.functions import FunctionValue
from pytest_gomem.report.wire.bill import bill_from_dict, bill_to_dict
from pytest_gomem.report.wire.cross_checks import cross_check_from_dict, cross_check_to_dict
from pytest_gomem.report.wire.culprits import culprit_from_dict, culprit_to_dict
from pytest_gomem.report.wire.details import (
    bucket_from_dict,
    bucket_to_dict,
    cycle_from_dict,
    cycle_to_dict,
    size_class_from_dict,
    size_class_to_dict,
)
from pytest_gomem.report.wire.loads import load_from_dict, load_to_dict, load_total
from pytest_gomem.report.wire.metrics import metric_from_dict, metric_to_dict, series_to_dict
from pytest_gomem.report.wire.plain import finite_only, number
from pytest_gomem.report.wire.verdicts import verdict_from_dict, verdict_to_dict
from pytest_gomem.results.window_record import BuildRecord, GcRecord, PeakMoment, PhaseRecord, Series, WindowRecord


def window_to_dict(window: WindowRecord) -> dict[str, Any]:
    """A window with all that hangs on it."""
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
        "phases": [phase_to_dict(phase) for phase in window.phases],
        "metrics": {metric.name: metric_to_dict(metric) for metric in window.metrics},
        "rounds": [finite_only(one) for one in window.rounds],
        "conditions": window.conditions,
        "verdicts": [verdict_to_dict(verdict) for verdict in window.verdicts],
        "culprits": [culprit_to_dict(culprit) for culprit in window.culprits],
        "culprit_summaries": window.culprit_summaries,
        "functions": [asdict(function) for function in window.functions],
        "load": load_total(window.loads),
        "loads": [load_to_dict(load) for load in window.loads],
        "series": {name: series_to_dict(series) for name, series in window.series.items()},
        "artifacts": window.artifacts,
        "peak_moment": moment_to_dict(window.peak_moment),
        "notes": window.notes,
        "log_tail": window.log_tail,
        "bill": bill_to_dict(window.bill),
        "cycles": [cycle_to_dict(cycle) for cycle in window.cycles],
        "size_classes": [size_class_to_dict(growth) for growth in window.size_classes],
        "histograms": {n: [bucket_to_dict(bucket) for bucket in b] for n, b in window.histograms.items()},
        "cross_checks": [cross_check_to_dict(check) for check in window.cross_checks],
        "base": window_to_dict(window.base) if window.base else None,
        "no_base": window.no_base,
    }


def window_from_dict(data: Mapping[str, Any]) -> WindowRecord:
    """The window that was sent, as far as a report can tell."""
    build, moment = data["build"], data["peak_moment"]
    return WindowRecord(
        name=data["name"],
        service=data["service"],
        build=BuildRecord(build["ref"], build["go_version"], build["revision"], tuple(build["flags"])),
        gc=GcRecord(data["gc"]["requested"], data["gc"]["effective"]),
        ops=data["ops"],
        duration=number(data["duration"]),
        metrics=tuple(metric_from_dict(name, metric) for name, metric in data["metrics"].items()),
        verdicts=tuple(verdict_from_dict(verdict) for verdict in data["verdicts"]),
        peak_moment=PeakMoment(moment["earliest"], moment["latest"], moment["floor"] or 0) if moment else None,
        loads=tuple(load_from_dict(load) for load in data["loads"]),
        series={name: Series(tuple(series["t"]), tuple(series["v"])) for name, series in data["series"].items()},
        artifacts=data["artifacts"],
        notes=tuple(data["notes"]),
        log_tail=data["log_tail"],
        phases=tuple(phase_from_dict(phase) for phase in data["phases"]),
        bill=bill_from_dict(data["bill"]) if data["bill"] else None,
        culprits=tuple(culprit_from_dict(culprit) for culprit in data["culprits"]),
        culprit_summaries=data["culprit_summaries"],
        rounds=tuple(data["rounds"]),
        conditions=data["conditions"],
        cycles=tuple(cycle_from_dict(cycle) for cycle in data["cycles"]),
        size_classes=tuple(size_class_from_dict(growth) for growth in data["size_classes"]),
        histograms={n: tuple(bucket_from_dict(bucket) for bucket in b) for n, b in data["histograms"].items()},
        cross_checks=tuple(cross_check_from_dict(check) for check in data["cross_checks"]),
        functions=tuple(FunctionValue(**function) for function in data["functions"]),
        base=window_from_dict(data["base"]) if data["base"] else None,
        no_base=data["no_base"],
    )


def phase_to_dict(phase: PhaseRecord) -> dict[str, Any]:
    """A phase."""
    metrics = {metric.name: metric_to_dict(metric) for metric in phase.metrics}
    return {"name": phase.name, "start": phase.start, "end": phase.end, "ops": phase.ops, "metrics": metrics}


def phase_from_dict(data: Mapping[str, Any]) -> PhaseRecord:
    """The phase that was sent."""
    metrics = tuple(metric_from_dict(name, metric) for name, metric in data["metrics"].items())
    return PhaseRecord(data["name"], number(data["start"]), number(data["end"]), data["ops"], metrics)


def moment_to_dict(moment: PeakMoment | None) -> dict[str, Any] | None:
    """When the peak came; None where that is unknown."""
    if moment is None or not (math.isfinite(moment.earliest) and math.isfinite(moment.latest)):
        return None
    return {"earliest": moment.earliest, "latest": moment.latest, "floor": moment.floor or None}
