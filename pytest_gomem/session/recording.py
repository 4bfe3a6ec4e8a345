"""Turns a closed window and its results into the record for reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from pytest_gomem.base.unavailable import Unavailable, known
from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.judge.conditions import CYCLES
from pytest_gomem.judge.death_spiral import spiral_notes
from pytest_gomem.launch.ending import last_lines
from pytest_gomem.launch.in_repository import module_in_repository
from pytest_gomem.measure.death_spiral import under
from pytest_gomem.measure.own_metrics import with_own
from pytest_gomem.measure.registry import Registry
from pytest_gomem.measure.summary import Metrics, Summary
from pytest_gomem.measure.window import Window
from pytest_gomem.results.bill import window_bill_record
from pytest_gomem.results.window_record import (
    BuildRecord,
    GcRecord,
    MetricValue,
    PhaseRecord,
    WindowRecord,
)
from pytest_gomem.session.conditions import conditions
from pytest_gomem.session.service import Service


def with_shown_texts(window: WindowRecord, shown: Callable[[str], str]) -> WindowRecord:
    """The window with `shown` applied to reasons, notes and log; names, places and figures stay."""
    return replace(
        window,
        metrics=_metrics(window.metrics, shown),
        phases=tuple(replace(phase, metrics=_metrics(phase.metrics, shown)) for phase in window.phases),
        verdicts=tuple(replace(verdict, reason=shown(verdict.reason)) for verdict in window.verdicts),
        culprit_summaries={metric: shown(words) for metric, words in window.culprit_summaries.items()},
        notes=tuple(map(shown, window.notes)),
        log_tail=shown(window.log_tail),
        no_base=shown(window.no_base),
        oom=window.oom and replace(window.oom, request=window.oom.request and shown(window.oom.request)),
        diagnosis=window.diagnosis and replace(window.diagnosis, notes=tuple(map(shown, window.diagnosis.notes))),
    )


def _metrics(metrics: tuple[MetricValue, ...], shown: Callable[[str], str]) -> tuple[MetricValue, ...]:
    return tuple(
        replace(metric, result=replace(metric.result, reason=shown(metric.result.reason)))
        if isinstance(metric.result, Unavailable)
        else metric
        for metric in metrics
    )


_READING = 4 << 20  # bytes that reading MemStats and concurrent work may add to the heap


def window_record(service: Service, window: Window, summary: Summary, registry: Registry) -> WindowRecord:
    """The window for the report, without verdicts and findings of instruments."""
    in_force = _in_force(service, window)
    spiral = under(summary.death_spiral, in_force)
    return WindowRecord(
        name=window.name,
        service=service.name,
        build=_build(service),
        gc=GcRecord(service.process.requested(), in_force),
        ops=window.ops,
        duration=window.duration,
        metrics=_values(summary.metrics, registry),
        peak_moment=summary.peak_moment,
        loads=summary.loads,
        phases=tuple(
            PhaseRecord(p.name, p.start - window.opened, p.end - window.opened, p.ops, _values(metrics, registry))
            for p, metrics in zip(window.phases, summary.phases, strict=True)
        ),
        series=summary.series,
        notes=(*service.process.remarks(), *_untouched(service, window), *summary.notes, *spiral_notes(spiral)),
        log_tail=last_lines(service.shown_log()),
        bill=None if summary.bill is None else window_bill_record(summary.bill, summary.opening_bill),
        conditions={**conditions(service.process, in_force), **_cycles(window)},
        cross_checks=summary.cross_checks,
        cycles=summary.cycles,
        size_classes=summary.size_classes,
        histograms=summary.histograms,
        courses=summary.courses,
        death_spiral=spiral,
        oom=window.oom,
    )


def _cycles(window: Window) -> dict[str, str]:
    found = known(window.work_cycles)
    return {CYCLES: str(len(found))} if found else {}


def _values(metrics: Metrics, registry: Registry) -> tuple[MetricValue, ...]:
    return tuple(
        MetricValue(metric.name, metric.unit.name, metrics[metric.name], metric.definition)
        for metric in with_own(registry, metrics)
        if metric.name in metrics
    )


def _build(service: Service) -> BuildRecord:
    built = service.process.built
    if built is None:
        return BuildRecord()
    info, source = built.info, built.source
    return BuildRecord(
        ref=source.ref or str(built.binary),
        go_version=info.go_version,
        revision=source.revision or info.revision,
        flags=info.flags,
        folder=module_in_repository(source.build, source.base_dir, info.module.path),
    )


def _in_force(service: Service, window: Window) -> dict[str, str]:
    trace, memstats = known(window.gctrace), known(window.memstats)
    cycles = () if trace is None else trace.cycles
    stats = None if memstats is None else known(memstats.after_gc)
    return service.process.in_force(stats, cycles)


def _untouched(service: Service, window: Window) -> Iterator[str]:
    """If it is unknown who serves: a heap larger than the process's memory may be another process's."""
    memstats, end = known(window.memstats), known(window.end)
    if service.process.is_checked or memstats is None or end is None:
        return
    heap, rss = memstats.end.heap_alloc, end.rss
    if heap > rss + _READING:
        yield (
            f"the heap of {format_value(heap, BYTES)} is above the RSS of {format_value(rss, BYTES)}: pages that were "
            f"never touched or are swapped out, or the heap is not that of pid {service.pid}"
        )
