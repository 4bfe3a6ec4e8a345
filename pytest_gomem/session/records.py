"""Turns a closed window and its results into the record that reports are made of."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, known
from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.launch.ending import last_lines
from pytest_gomem.load.spec import LoadRecord
from pytest_gomem.measure.bill import opening_bill, window_bill
from pytest_gomem.measure.cross_checks import cross_checks, disagreement
from pytest_gomem.measure.cycles import joined_cycles
from pytest_gomem.measure.metric import Metric, Reading
from pytest_gomem.measure.peak import peak_moment
from pytest_gomem.measure.quantiles import nearest_rank
from pytest_gomem.measure.registry import Registry, evaluate
from pytest_gomem.measure.runtime_metrics import histograms
from pytest_gomem.measure.series import series_of
from pytest_gomem.measure.size_classes import size_classes
from pytest_gomem.measure.window import Phase, Window
from pytest_gomem.report.bill import window_bill_record
from pytest_gomem.results.window_record import (
    BillRecord,
    BuildRecord,
    GcRecord,
    LoadSummary,
    MetricValue,
    PeakMoment,
    PhaseRecord,
    Series,
    WindowRecord,
)
from pytest_gomem.session.conditions import conditions
from pytest_gomem.session.service import Service


def with_shown_texts(window: WindowRecord, shown: Callable[[str], str]) -> WindowRecord:
    """The window with its reasons, notes and log as `shown` makes of them; names, places and figures stay."""
    return replace(
        window,
        metrics=_metrics(window.metrics, shown),
        phases=tuple(replace(phase, metrics=_metrics(phase.metrics, shown)) for phase in window.phases),
        verdicts=tuple(replace(verdict, reason=shown(verdict.reason)) for verdict in window.verdicts),
        culprit_summaries={metric: shown(words) for metric, words in window.culprit_summaries.items()},
        notes=tuple(map(shown, window.notes)),
        log_tail=shown(window.log_tail),
        no_base=shown(window.no_base),
    )


def _metrics(metrics: tuple[MetricValue, ...], shown: Callable[[str], str]) -> tuple[MetricValue, ...]:
    return tuple(
        replace(metric, result=replace(metric.result, reason=shown(metric.result.reason)))
        if isinstance(metric.result, Unavailable)
        else metric
        for metric in metrics
    )


_WIDE_GAP = 10  # sample periods
_READING = 4 << 20  # bytes that reading MemStats, and what goes on meanwhile, may add to the heap


def window_record(
    service: Service,
    window: Window,
    results: Mapping[str, Reading | Unavailable],
    registry: Registry,
) -> WindowRecord:
    """The window for the report, without verdicts, and without what instruments found."""
    checks, in_force = cross_checks(window), _in_force(service, window)
    return WindowRecord(
        name=window.name,
        service=service.name,
        build=_build(service),
        gc=GcRecord(service.process.requested(), in_force),
        ops=window.ops,
        duration=window.duration,
        metrics=tuple(_value(metric, results) for metric in registry),
        peak_moment=_moment(window),
        loads=tuple(_load(load) for load in window.loads),
        phases=tuple(_phase(phase, window, registry) for phase in window.phases),
        series={name: Series(t, v) for name, (t, v) in series_of(window).items()},
        notes=(
            *service.process.remarks(),
            *_untouched(service, window),
            *_gaps(window),
            *_unrest(window),
            *(disagreement(check) for check in checks if not check.agrees),
        ),
        log_tail=last_lines(service.shown_log()),
        bill=_bill(window),
        conditions=conditions(service.process, in_force),
        cross_checks=checks,
        cycles=joined_cycles(window),
        size_classes=size_classes(window),
        histograms=histograms(window),
    )


def _value(metric: Metric, results: Mapping[str, Reading | Unavailable]) -> MetricValue:
    return MetricValue(metric.name, metric.unit.name, results[metric.name], metric.definition)


def _phase(phase: Phase, window: Window, registry: Registry) -> PhaseRecord:
    results = {} if phase.window is None else evaluate(phase.window, registry)
    metrics = tuple(_value(metric, results) for metric in registry if metric.name in results)
    return PhaseRecord(phase.name, phase.start - window.opened, phase.end - window.opened, phase.ops, metrics)


def _build(service: Service) -> BuildRecord:
    built = service.process.built
    if built is None:
        return BuildRecord()
    info, source = built.info, built.source
    return BuildRecord(source.ref or str(built.binary), info.go_version, source.revision or info.revision, info.flags)


def _in_force(service: Service, window: Window) -> dict[str, str]:
    trace, memstats = known(window.gctrace), known(window.memstats)
    cycles = () if trace is None else trace.cycles
    stats = None if memstats is None else known(memstats.after_gc)
    return service.process.in_force(stats, cycles)


def _bill(window: Window) -> BillRecord | None:
    opening = None
    with contextlib.suppress(ObserveError):
        opening = opening_bill(window)
    try:
        return window_bill_record(window_bill(window), opening)
    except ObserveError:  # each of its metrics gives the reason
        return None


def _moment(window: Window) -> PeakMoment | None:
    moment, start = peak_moment(window), known(window.start)
    return None if moment is None else PeakMoment(*moment, 0 if start is None else start.rss)


def _load(load: LoadRecord) -> LoadSummary:
    latencies = sorted(load.latencies)
    return LoadSummary(
        requests=load.requests,
        errors=load.errors,
        duration=load.duration,
        rate=_rate(load),
        rate_asked=load.rate_asked,
        latency_p50=nearest_rank(latencies, 50) if latencies else None,
        latency_p99=nearest_rank(latencies, 99) if latencies else None,
        latency_max=latencies[-1] if latencies else None,
        statuses=dict(load.statuses),
    )


def _gaps(window: Window) -> Iterator[str]:
    """A timeline that was interrupted: between two samples far apart only the kernel's own peak is known."""
    points = [window.opened, *(sample.t for sample in window.timeline), window.closed]
    widest = max(later - earlier for earlier, later in pairwise(points))
    if widest > _WIDE_GAP / window.sample_rate:
        missing = f"{len(window.timeline)} of some {window.duration * window.sample_rate:.0f} samples were taken"
        yield f"the timeline has a gap of {widest:.2f} s: {missing}"


def _untouched(service: Service, window: Window) -> Iterator[str]:
    """Where nobody could be asked who serves: a heap that the measured process has not in memory may be another's."""
    memstats, end = known(window.memstats), known(window.end)
    if service.process.is_checked or memstats is None or end is None:
        return
    heap, rss = memstats.end.heap_alloc, end.rss
    if heap > rss + _READING:
        yield (
            f"the heap of {format_value(heap, BYTES)} is above the RSS of {format_value(rss, BYTES)}: pages that were "
            f"never touched or are swapped out, or the heap is not that of pid {service.pid}"
        )


def _unrest(window: Window) -> Iterator[str]:
    memstats = known(window.memstats)
    if memstats is None:
        return
    if memstats.opening_unrest:
        yield f"before the window {memstats.opening_unrest}; work from before it may be in its figures"
    if memstats.unrest:
        yield f"after the window {memstats.unrest}; live_heap, heap_objects and goroutines are as last read"


def _rate(load: LoadRecord) -> float:
    """Requests per second: an open loop's is the share of its schedule that was kept, times the rate asked for."""
    if load.rate_achieved is not None:
        return load.rate_achieved
    return load.requests / load.duration if load.duration else 0.0
