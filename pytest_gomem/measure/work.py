"""The metrics of the work done (operations, latencies, errors, CPU time, goroutines left), and each load in figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, known, required
from pytest_gomem.base.units import COUNT, PER_SECOND, RATIO, SECONDS, SECONDS_PER_OP
from pytest_gomem.measure.metric import Better, Noise, Prior, Reading, metric
from pytest_gomem.measure.quantiles import nearest_rank, p99_note
from pytest_gomem.measure.window import Window
from pytest_gomem.measure.window_sources import (
    AT_REST,
    CPU_CLOCK,
    LOAD,
    PROMETHEUS,
    RESTLESS,
    RUSAGE,
    at_rest,
    by,
    duration,
    edges_of,
    increase,
    joined,
    memstats,
    operations,
    value_at_close,
    whole_life,
)

if TYPE_CHECKING:
    from pytest_gomem.load.spec import LoadRecord
    from pytest_gomem.measure.left_goroutines import LeftGoroutines

_OPS = "counted operations"
_PROFILE = "/debug/pprof/goroutine"
_NUM_GOROUTINE = "runtime.NumGoroutine by the agent"
_STACKS = "the stacks of all goroutines"
_AND_MORE = "and there are more: Go writes at most 64 MiB of them"
_CPU_PRECISION = "1 ns on Linux, up to one scheduler tick (1-10 ms) per running thread behind; elsewhere 10 ms"

_work_metric = partial(metric, group="work", better=Better.LOWER, noise=Noise.NOISY)
_latency_metric = partial(
    _work_metric,
    unit=SECONDS,
    sources=(LOAD,),
    precision="measured at the client: its own cost and scheduling are in it",
    of_wall_time=True,
)


@_work_metric(unit=COUNT, better=Better.HIGHER, noise=Noise.NEAR_EXACT, sources=(_OPS,), precision="exact")
def ops(window: Window) -> Reading | Unavailable:
    """Operations done in the window, as get, post, load, count(n) or ops= counted them."""
    return Reading(operations(window), _OPS)


@_work_metric(
    unit=PER_SECOND,
    better=Better.HIGHER,
    sources=(f"{_OPS} / wall time",),
    precision="exact for this window's work",
    of_wall_time=True,
)
def throughput(window: Window) -> Reading | Unavailable:
    """Operations per second of the window's wall time, whatever else the test did in it included."""
    return Reading(operations(window) / duration(window), f"{_OPS} / wall time")


def _latencies(window: Window) -> list[float]:
    latencies = [latency for load in window.loads for latency in load.latencies]
    if not latencies:
        raise ObserveError("no request was timed in this window: get, post and load time theirs")
    return latencies


@_latency_metric()
def latency_p50(window: Window) -> Reading | Unavailable:
    """Median time of the window's finished requests, by nearest rank, as the client saw it."""
    return Reading(nearest_rank(_latencies(window), 50), LOAD)


@_latency_metric()
def latency_p99(window: Window) -> Reading | Unavailable:
    """99th percentile of the times of the window's finished requests, by nearest rank, as the client saw it."""
    latencies = _latencies(window)
    return Reading(nearest_rank(latencies, 99), LOAD, note=p99_note(len(latencies), "requests"))


@_work_metric(unit=RATIO, noise=Noise.NEAR_EXACT, sources=(LOAD,), precision="exact: whole requests are counted")
def error_rate(window: Window) -> Reading | Unavailable:
    """Share of the window's requests that failed."""
    requests = sum(load.requests for load in window.loads)
    if not requests:
        raise ObserveError("no request was made in this window by get, post or load")
    errors = sum(load.errors for load in window.loads)
    return Reading(errors / requests, LOAD, note=f"{errors} of {requests}")


def process_cpu(window: Window) -> tuple[float, str]:
    """User + system seconds of the process in the window and their source; raises ObserveError."""
    if whole_life(window) and window.lifetime_cpu is not None:
        return window.lifetime_cpu, RUSAGE
    if known(window.start) is None and window.sources:
        found = increase(window, "cpu")
        return max(found.value - window.own_cpu, 0.0), f"{CPU_CLOCK} {found.by}"
    spent = required(window.end).cpu - required(window.start).cpu - window.own_cpu
    if spent < 0:
        # Summed over a tree, the clock of a child that has ended drops out.
        raise ObserveError("a process of the tree ended in the window, and its CPU time with it")
    return spent, CPU_CLOCK


@_work_metric(unit=SECONDS, sources=(CPU_CLOCK, RUSAGE), precision=_CPU_PRECISION)
def cpu_time(window: Window) -> Reading | Unavailable:
    """User and system CPU time of the process in the window."""
    seconds, source = process_cpu(window)
    return Reading(seconds, source, note=_tree_note(window))


@_work_metric(unit=SECONDS_PER_OP, sources=(f"{CPU_CLOCK} / operations",), precision=_CPU_PRECISION)
def cpu_per_op(window: Window) -> Reading | Unavailable:
    """User and system CPU time of the process per operation."""
    seconds, source = process_cpu(window)
    return Reading(seconds / operations(window), f"{source} / operations", note=_tree_note(window))


def _tree_note(window: Window) -> str:
    return "processes of the tree that ended before the close are not in it" if window.tree else ""


@_work_metric(
    unit=COUNT,
    noise=Noise.NEAR_EXACT,
    prior=Prior(0.3),
    redefined=AT_REST,
    sources=(_NUM_GOROUTINE, _PROFILE, PROMETHEUS),
    precision="exact at that moment",
)
def goroutines(window: Window) -> Reading | Unavailable:
    """Goroutines that exist after the window, once two readings agree."""
    found = known(window.memstats)
    if found is None or found.reader == "expvar":
        return _from_sources(window)
    pair = memstats(window)
    by_agent = pair.reader == "agent"
    source = _NUM_GOROUTINE if by_agent else _PROFILE
    served = "the agent's own are not counted" if by_agent else "the one or two that serve the reading are counted too"
    precision = f"exact at that moment; {served}"
    calm = known(pair.after_gc)
    if calm is not None and calm.goroutines is not None:
        source = f"{source} after forced collections, once two readings agree"
        return at_rest(window, calm.goroutines, source, precision)
    if pair.end.goroutines is not None:
        return Reading(pair.end.goroutines, f"{source} at the close", precision)
    raise ObserveError("the goroutine profile could not be read")


def _from_sources(window: Window) -> Reading:
    """By a source that forces no collection."""
    for edges in edges_of(window):
        if edges.goroutines is not None:
            source = f"number of goroutines, once two readings agree, {by(edges.source)}"
            return Reading(edges.goroutines, source, RESTLESS if edges.unrest else "", edges.unrest)
    found = value_at_close(window, "goroutines")
    return Reading(found.value, f"number of goroutines at the close {found.by}")


@_work_metric(
    unit=COUNT,
    noise=Noise.NEAR_EXACT,
    prior=Prior(0.3),
    sources=(f"{_STACKS} by the agent", f"{_PROFILE}?debug=2"),
    precision="exact at that moment",
)
def leaked_goroutines(window: Window) -> Reading | Unavailable:
    """Goroutines that are alive 2 s after the work and were not there before it, without known ones."""
    left = required(window.left)
    if not left.before.is_whole:
        return Unavailable(f"before the window, the stacks of {left.before.total} goroutines were read, {_AND_MORE}")
    if not left.after.is_whole:
        return _at_least(left, window)
    since = "after the first cycle" if left.since_first_cycle else "before"
    return Reading(len(left.leaked), f"{_STACKS}, {since} and after", note=joined(*_uncounted(left)))


def _at_least(left: LeftGoroutines, window: Window) -> Unavailable:
    """Goroutines whose stacks were not read can only be more that leaked."""
    reason = f"after the window, the stacks of {left.after.total} goroutines were read, {_AND_MORE}"
    found = known(window.memstats)
    calm = None if found is None else known(found.after_gc)
    if calm is None or calm.goroutines is None:
        return Unavailable(reason)
    count = len(left.leaked)
    return Unavailable(reason, (count, count + max(calm.goroutines - left.after.total, 0)))


def _uncounted(left: LeftGoroutines) -> Iterator[str]:
    from pytest_gomem.measure.left_goroutines import Why

    for (why, name), count in left.uncounted.items():
        words = name if why is Why.KNOWN else f"{why.value} by '{name}'"
        yield f"{count} more not counted: {words}"


METRICS = (
    ops,
    throughput,
    latency_p50,
    latency_p99,
    error_rate,
    cpu_time,
    cpu_per_op,
    goroutines,
    leaked_goroutines,
)


@dataclass(frozen=True)
class LoadSummary:
    """One load in figures; latencies in seconds, rates in requests per second."""

    requests: int
    errors: int
    duration: float
    rate: float
    rate_asked: float | None
    latency_p50: float | None
    latency_p99: float | None
    latency_max: float | None
    statuses: Mapping[str, int] = field(default_factory=dict)


def load_summary(load: LoadRecord) -> LoadSummary:
    """The figures of a load."""
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


def _rate(load: LoadRecord) -> float:
    """Requests per second. Of an open loop: the share of its schedule that it kept, times the rate asked for."""
    if load.rate_achieved is not None:
        return load.rate_achieved
    return load.requests / load.duration if load.duration else 0.0
