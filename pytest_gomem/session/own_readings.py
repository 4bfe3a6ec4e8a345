"""What our own readings within a window have done to its process; all of it is left out of the window's figures."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from pytest_gomem.base.unavailable import Unavailable, known
from pytest_gomem.measure.window import RuntimeValues
from pytest_gomem.observe.records import MemStats
from pytest_gomem.session.readings import Readings, grown
from pytest_gomem.session.settling import Settled


class OwnReadings:
    """Readings in one window, and their sums.

    count: readings of the runtime, each of which costs the same. cycles: numbers of the GC cycles that were forced.
    allocated, objects, runtime: what was allocated, and how counters rose, while they were forced. seconds, cpu: wall
    time, and CPU of the process, in which a test waited for them.
    """

    def __init__(self, readings: Readings) -> None:
        self._readings = readings
        self.count = 0
        self.cycles: set[int] = set()
        self.allocated = self.objects = 0
        self.runtime: dict[str, float] = {}
        self.seconds = self.cpu = 0.0

    def inside(self) -> tuple[RuntimeValues | Unavailable, MemStats | Unavailable]:
        """runtime/metrics and MemStats."""
        self.count += 1
        return self._readings.inside()

    def settled(
        self, runtime: RuntimeValues | Unavailable, before: MemStats | Unavailable, at_rest: int | None
    ) -> Settled[MemStats] | Unavailable:
        """MemStats after forced collections; all that is allocated meanwhile counts as theirs.

        runtime, before: read right before. at_rest: see `Readings.settled`.
        """
        settled = self._readings.settled(at_rest)
        start, end = known(before), known(settled)
        if start is not None and end is not None:
            self._add(start, end.last)
            if known(runtime) is not None:
                self._add_runtime(runtime, self.inside()[0])
        return settled

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """Whatever happens to the process inside the block is ours, its time too."""
        began, kernel = self._readings.now(), known(self._readings.kernel())
        runtime, before = self.inside()
        yield
        runtime_after, after = self._readings.inside()  # its cost is in the difference
        start, end = known(before), known(after)
        if start is not None and end is not None:
            self._add(start, end)
            self._add_runtime(runtime, runtime_after)
        ended = known(self._readings.kernel())
        if kernel is not None and ended is not None:
            self.cpu += max(ended.cpu - kernel.cpu, 0.0)
        self.seconds += self._readings.now() - began

    def _add(self, start: MemStats, end: MemStats) -> None:
        self.cycles.update(range(start.num_gc + 1, end.num_gc + 1))
        self.allocated += end.total_alloc - start.total_alloc
        self.objects += end.mallocs - start.mallocs

    def _add_runtime(self, before: RuntimeValues | Unavailable, after: RuntimeValues | Unavailable) -> None:
        for name, rise in grown(before, after).items():
            self.runtime[name] = self.runtime.get(name, 0.0) + rise
