"""The metrics of the Go heap and the runtime's own memory, as the runtime counts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, known
from pytest_gomem.base.units import BYTES, COUNT, RATIO, SECONDS, format_value
from pytest_gomem.measure.bill import window_bill
from pytest_gomem.measure.cycles import last_live, traced_cycles
from pytest_gomem.measure.metric import Better, Metric, Noise, Prior, Reading, metric
from pytest_gomem.measure.window import MemStatsPair, Window
from pytest_gomem.measure.window_sources import (
    AT_REST,
    GCTRACE,
    MEMSTATS,
    ON_RETURNED_MEMORY,
    PROMETHEUS,
    after_gc,
    at_rest,
    by,
    joined,
    memstats,
    value_at_close,
    whole_life,
)

_NO_GOAL = 2**63  # without GC and memory limit the runtime's goal is the largest uint64
_UNTOUCHED = 1 << 20  # bytes: fewer need no note
_heap_metric = partial(metric, group="memory", better=Better.LOWER)


def at_close(
    name: str,
    fields: str,
    doc: str,
    quantities: Sequence[str] = (),
    *,
    less: Sequence[str] = (),
    better: Better = Better.LOWER,
    redefined: tuple[str, ...] = (),
) -> Metric:
    """A metric in bytes that fields of MemStats give at the window's close.

    quantities: summed; () = the one of the metric's own name. less: subtracted.
    """

    def read(window: Window) -> Reading:
        found = value_at_close(window, *(quantities or (name,)))
        value = found.value - (value_at_close(window, *less).value if less else 0)
        return Reading(value, f"{MEMSTATS}.{fields} at the close {found.by}")

    return Metric(
        name,
        group="memory",
        unit=BYTES,
        better=better,
        noise=Noise.MODERATE,
        sources=(f"{MEMSTATS}.{fields} at the close", PROMETHEUS),
        doc=doc,
        compute=read,
        precision="exact at that moment",
        redefined=redefined,
    )


_CALM = f"{MEMSTATS} after forced collections, once two readings agree"
_KEEPS = "objects whose finalizers have not run yet are still counted"


def _calm(window: Window) -> str:
    return f"{_CALM} {by(memstats(window).reader)}"


@_heap_metric(
    unit=BYTES,
    noise=Noise.MODERATE,
    sources=(f"{GCTRACE} and {MEMSTATS}.HeapAlloc at the edges",),
    precision="at most 1 MiB too low: gctrace prints whole MiB; HeapAlloc is exact",
)
def peak_heap(window: Window) -> Reading | Unavailable:
    """Largest heap, live objects and garbage, at the window's edges and at the start and mark end of each cycle."""
    cycles, note = traced_cycles(window)
    edges = () if known(window.memstats) is None else _heap_at_edges(memstats(window))
    sizes = [*edges, *(size for cycle in cycles for size in (cycle.heap_start, cycle.heap_mark_end))]
    if not sizes:
        raise ObserveError("no GC cycle ended in the window, and MemStats is missing, so that no heap size is known")
    if cycles and edges:
        return Reading(max(sizes), f"{GCTRACE} and {MEMSTATS}.HeapAlloc", note=note)
    if cycles:
        return Reading(max(sizes), GCTRACE, note=joined(note, "what grew after the last cycle is not in it"))
    # Without a cycle the heap only grows, so its peak is at the close.
    return Reading(max(sizes), f"{MEMSTATS}.HeapAlloc", "exact", note)


def _heap_at_edges(pair: MemStatsPair) -> tuple[int, int]:
    return pair.start.heap_alloc, pair.end.heap_alloc


@_heap_metric(
    unit=BYTES,
    noise=Noise.NEAR_EXACT,
    prior=Prior(6e3, 3e-5),
    redefined=AT_REST,
    sources=(f"{_CALM}: HeapAlloc",),
    precision=f"exact to the byte, 20 KB from run to run on small services; {_KEEPS}",
)
def live_heap(window: Window) -> Reading | Unavailable:
    """Heap that is still reachable after the window: HeapAlloc after forced collections, once two readings agree."""
    if whole_life(window):
        return _live_at_last_cycle(window)
    live = after_gc(window).heap_alloc
    found = at_rest(window, live, f"{_calm(window)}: HeapAlloc")
    resident = None if known(window.smaps) is None else window_bill(window).find("live_heap")
    if resident is None:
        return found
    untouched = min(live, memstats(window).end.heap_alloc) - resident.bytes  # what came after the mappings were read
    if untouched < _UNTOUCHED:
        return found
    size = format_value(untouched, BYTES)
    return replace(found, note=joined(found.note, f"{size} of it were never touched or are swapped out: see the bill"))


_OF_A_CYCLE = "it is of the last GC cycle, which the next run may end earlier or later in the program's work"


def _live_at_last_cycle(window: Window) -> Reading:
    """Of a program that ended by itself, for which no collection is forced."""
    found = last_live(window)
    early = "" if found.t is None else f", {format_value(max(window.closed - found.t, 0.0), SECONDS)} before the end"
    pair = known(window.memstats)
    held = "" if pair is None else f"at the end the heap had {format_value(pair.end.heap_alloc, BYTES)}, live or not"
    note = joined(f"as of GC cycle {found.number}, the last{early}", held)
    return Reading(found.bytes, found.source, found.precision, note, incomparable=_OF_A_CYCLE)


@_heap_metric(
    unit=COUNT,
    noise=Noise.NEAR_EXACT,
    redefined=AT_REST,
    sources=(f"{_CALM}: HeapObjects",),
    precision=f"exact to 1; {_KEEPS}",
)
def heap_objects(window: Window) -> Reading | Unavailable:
    """Objects still reachable after the window: HeapObjects after forced collections, once two readings agree."""
    return at_rest(window, after_gc(window).heap_objects, f"{_calm(window)}: HeapObjects")


@_heap_metric(
    unit=BYTES,
    noise=Noise.MODERATE,
    sources=(f"{MEMSTATS}.NextGC at the close", PROMETHEUS),
    precision="exact at that moment; it moves with each cycle",
)
def heap_goal(window: Window) -> Reading | Unavailable:
    """Heap size at which the collector, as of the window's close, aims to have finished its next cycle."""
    goal = value_at_close(window, "next_gc")
    if goal.value >= _NO_GOAL:
        return Unavailable("the collector has no goal: GOGC is off and no memory limit is set")
    return Reading(goal.value, f"{MEMSTATS}.NextGC at the close {goal.by}")


@_heap_metric(
    unit=RATIO,
    noise=Noise.MODERATE,
    redefined=AT_REST,
    sources=(f"{_CALM}: (HeapInuse - HeapAlloc) / HeapInuse",),
    precision="exact at that moment; partly filled spans weigh the more the smaller the heap",
)
def heap_fragmentation(window: Window) -> Reading | Unavailable:
    """Share of the spans in use that no live object fills, after forced collections."""
    stats = after_gc(window)
    if not stats.heap_inuse:
        raise ObserveError("no heap span is in use")
    unused = (stats.heap_inuse - stats.heap_alloc) / stats.heap_inuse
    return at_rest(window, unused, f"{_calm(window)}: (HeapInuse - HeapAlloc) / HeapInuse")


METRICS = (
    peak_heap,
    live_heap,
    heap_objects,
    heap_goal,
    at_close("heap_sys", "HeapSys", "Address space that the heap has obtained from the system, at the window's close."),
    at_close(
        "heap_released",
        "HeapReleased",
        "Heap pages that are given back to the system at the window's close; part of heap_sys, not resident.",
        better=Better.HIGHER,
        redefined=ON_RETURNED_MEMORY,
    ),
    heap_fragmentation,
    at_close("stack_inuse", "StackInuse", "Spans that hold goroutine stacks, at the window's close."),
    at_close(
        "runtime_overhead",
        "MSpanSys + MCacheSys + BuckHashSys + GCSys + OtherSys",
        "Memory of the runtime's own tables, profile buckets and collector, at the window's close.",
        ("mspan_sys", "mcache_sys", "buck_hash_sys", "gc_sys", "other_sys"),
    ),
    at_close("mspan_sys", "MSpanSys", "Part of runtime_overhead: the descriptors of the heap's spans."),
    at_close("mcache_sys", "MCacheSys", "Part of runtime_overhead: the allocation caches of the processors."),
    at_close(
        "profile_buckets",
        "BuckHashSys",
        "Part of runtime_overhead: the buckets of the memory, block and mutex profiles.",
        ("buck_hash_sys",),
    ),
    at_close("gc_sys", "GCSys", "Part of runtime_overhead: the collector's own tables, mark bits and work buffers."),
    at_close(
        "other_sys",
        "OtherSys",
        "Part of runtime_overhead: what has no field of its own, such as specials and the runtime's allocator.",
    ),
    at_close(
        "runtime_free",
        "MSpanSys - MSpanInuse + MCacheSys - MCacheInuse",
        "The part of mspan_sys and mcache_sys that no span and no processor uses now; kept for the next ones.",
        ("mspan_sys", "mcache_sys"),
        less=("mspan_inuse", "mcache_inuse"),
    ),
)
