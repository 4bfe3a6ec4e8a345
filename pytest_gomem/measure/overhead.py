"""Owns the metrics of what the runtime itself takes from the system: its tables, profile buckets and collector."""

from __future__ import annotations

from pytest_gomem.measure.heap import at_close, closing
from pytest_gomem.measure.metric import Reading, Unavailable
from pytest_gomem.measure.told import told_at_close
from pytest_gomem.measure.window import Window

_FREE = "MSpanSys - MSpanInuse + MCacheSys - MCacheInuse"


@at_close("MSpanSys")
def mspan_sys(window: Window) -> Reading | Unavailable:
    """Part of runtime_overhead: the descriptors of the heap's spans."""
    return closing(window, "MSpanSys", "mspan_sys")


@at_close("MCacheSys")
def mcache_sys(window: Window) -> Reading | Unavailable:
    """Part of runtime_overhead: the allocation caches of the processors."""
    return closing(window, "MCacheSys", "mcache_sys")


@at_close("BuckHashSys")
def profile_buckets(window: Window) -> Reading | Unavailable:
    """Part of runtime_overhead: the buckets of the memory, block and mutex profiles."""
    return closing(window, "BuckHashSys", "buck_hash_sys")


@at_close("GCSys")
def gc_sys(window: Window) -> Reading | Unavailable:
    """Part of runtime_overhead: the collector's own tables, mark bits and work buffers."""
    return closing(window, "GCSys", "gc_sys")


@at_close("OtherSys")
def other_sys(window: Window) -> Reading | Unavailable:
    """Part of runtime_overhead: what has no field of its own, such as specials and the runtime's allocator."""
    return closing(window, "OtherSys", "other_sys")


@at_close(_FREE)
def runtime_free(window: Window) -> Reading | Unavailable:
    """The part of mspan_sys and mcache_sys that no span and no processor uses now; kept for the next ones."""
    told = told_at_close(window, "mspan_sys", "mcache_sys")
    used = told_at_close(window, "mspan_inuse", "mcache_inuse")
    return Reading(told.value - used.value, f"runtime.MemStats: {_FREE} at the close {told.by}")


METRICS = (mspan_sys, mcache_sys, profile_buckets, gc_sys, other_sys, runtime_free)
