"""The metrics of Go's runtime/metrics: what a cycle scans, each stop of the world, waiting for a processor."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, required
from pytest_gomem.base.units import BYTES, SECONDS
from pytest_gomem.measure.metric import Better, Metric, Noise, Reading, metric
from pytest_gomem.measure.quantiles import BUCKETS, Bucket, gained, p99_note, quantile, total
from pytest_gomem.measure.window import Window, number_of
from pytest_gomem.measure.window_sources import joined
from pytest_gomem.observe.agent.records import Histogram

_SCANS = {part: f"/gc/scan/{part}:bytes" for part in ("heap", "stack", "globals", "total")}  # Go 1.21
_LATENCIES = "/sched/latencies:seconds"
_STOPS = ("/sched/pauses/total/gc:seconds", "/gc/pauses:seconds")  # from Go 1.22 on; before
# Go 1.20; estimates in seconds of its processors, which move when a cycle ends.
_CLASSES = ("total", "idle", "gc/total", "gc/pause", "gc/mark/assist", "gc/mark/idle")
CPU_CLASSES = tuple(f"/cpu/classes/{name}:cpu-seconds" for name in _CLASSES)
CYCLES, GOMAXPROCS = "/gc/cycles/total:gc-cycles", "/sched/gomaxprocs:threads"
LIMITER = "/gc/limiter/last-enabled:gc-cycle"  # Go 1.19
HEAP_GOAL, HEAP_LIVE = "/gc/heap/goal:bytes", "/gc/heap/live:bytes"  # the second from Go 1.21 on
NAMES = (
    *_SCANS.values(),
    _LATENCIES,
    *_STOPS,
    *CPU_CLASSES,
    CYCLES,
    GOMAXPROCS,
    LIMITER,
    HEAP_GOAL,
    HEAP_LIVE,
)

_histogram_metric = partial(
    metric, unit=SECONDS, better=Better.LOWER, noise=Noise.NOISY, precision=BUCKETS, of_wall_time=True
)


def _gained(window: Window, *names: str) -> tuple[str, tuple[Bucket, ...]]:
    """The first of these histograms that this Go has, and its increase in the window."""
    runtime = required(window.runtime)
    for name in names:
        start, end = runtime.start.get(name), runtime.end.get(name)
        if isinstance(start, Histogram) and isinstance(end, Histogram):
            return name, gained(start, end)
    raise ObserveError(f"this Go release has no {names[0]}")


def histograms(window: Window) -> Mapping[str, tuple[Bucket, ...]]:
    """The window's histograms by name: gc_stops (each stop of the world for the collector) and sched_latency."""
    found = {}
    for name, sources in {"gc_stops": _STOPS, "sched_latency": (_LATENCIES,)}.items():
        try:
            found[name] = _gained(window, *sources)[1]
        except ObserveError:  # the metrics of these say why
            continue
    return found


def _scan_metric(part: str, doc: str) -> Metric:
    source = f"{_SCANS[part]} by the agent"

    def read(window: Window) -> Reading:
        return Reading(number_of(required(window.runtime).end, _SCANS[part]), source)

    return Metric(
        f"scan_{part}",
        group="gc",
        unit=BYTES,
        better=Better.LOWER,
        noise=Noise.MODERATE,
        sources=(source,),
        doc=doc,
        compute=read,
        precision="as the last cycle before the close left it",
    )


@_histogram_metric(group="gc", sources=_STOPS)
def gc_stop_p50(window: Window) -> Reading | Unavailable:
    """Median time of one stop of the world for the collector; each cycle has two."""
    return _stop_quantile(window, 50)


@_histogram_metric(group="gc", sources=_STOPS)
def gc_stop_p99(window: Window) -> Reading | Unavailable:
    """99th percentile of the time of one stop of the world for the collector, by nearest rank."""
    return _stop_quantile(window, 99)


def _stop_quantile(window: Window, percent: int) -> Reading:
    name, stops = _gained(window, *_STOPS)
    source = f"{name} by the agent"
    if not stops:
        return Reading(0.0, source, "exact", "no GC cycle stopped the world in the window")
    forced = len(window.own_cycles)
    note = joined(
        p99_note(total(stops), "stops") if percent == 99 else "",
        f"the stops of {forced} cycles that phases forced are in it" if forced else "",
    )
    return Reading(quantile(stops, percent), source, note=note)


@_histogram_metric(group="work", sources=(_LATENCIES,))
def sched_latency_p99(window: Window) -> Reading | Unavailable:
    """99th percentile of the time that goroutines waited for a processor once they could run, by nearest rank."""
    name, waits = _gained(window, _LATENCIES)
    if not waits:
        raise ObserveError("no goroutine became ready to run in the window")
    note = p99_note(total(waits), "waits")
    return Reading(quantile(waits, 99), f"{name} by the agent", note=note)


METRICS = (
    _scan_metric(
        "heap", "Heap that a GC cycle has to scan: what may hold pointers of the live objects, at the window's close."
    ),
    _scan_metric("stack", "Stacks that the last GC cycle scanned, at the window's close."),
    _scan_metric("globals", "Global variables that a GC cycle has to scan."),
    _scan_metric("total", "All that a GC cycle has to scan, heap, stacks and globals, at the window's close."),
    gc_stop_p50,
    gc_stop_p99,
)
WORK_METRICS = (sched_latency_p99,)
