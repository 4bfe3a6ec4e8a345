"""What a window allocated by size class, from MemStats.BySize at its edges."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_gomem.base.unavailable import known
from pytest_gomem.measure.window import Window


@dataclass(frozen=True)
class SizeClassGrowth:
    """Objects up to `size` bytes that were allocated and freed in the window, and the bytes allocated for them.

    size: the class's; None for all that is larger than the largest class of MemStats.BySize, of which the objects are
    not counted apart from tiny ones (mallocs and frees None).
    """

    size: int | None
    mallocs: int | None
    frees: int | None
    bytes: int


def size_classes(window: Window) -> tuple[SizeClassGrowth, ...]:
    """The classes in which something was allocated, smallest first; () where nobody tells BySize (agent, expvar).

    An object takes the size of its class, so that the bytes of all classes sum to TotalAlloc exactly. Objects of less
    than 16 bytes without pointers share blocks of 16, which are what is counted.
    """
    pair = known(window.memstats)
    if pair is None or not pair.start.by_size or len(pair.start.by_size) != len(pair.end.by_size):
        return ()
    grown = [
        SizeClassGrowth(
            after.size,
            after.mallocs - before.mallocs,
            after.frees - before.frees,
            after.size * (after.mallocs - before.mallocs),
        )
        for before, after in zip(pair.start.by_size, pair.end.by_size, strict=True)
        if after.size
    ]
    larger = pair.end.total_alloc - pair.start.total_alloc - sum(growth.bytes for growth in grown)
    largest = [SizeClassGrowth(None, None, None, larger)] if larger > 0 else []
    return (*(growth for growth in grown if growth.mallocs), *largest)
