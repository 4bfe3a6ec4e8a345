"""The metrics of what the runtime itself takes from the system: its tables, profile buckets and collector."""

from __future__ import annotations

from pytest_gomem.measure.heap import at_close

METRICS = (
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
