"""Owns opening and closing a window on a process: in which order things are read, so that reading disturbs least."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_gomem.errors import ObserveError
from pytest_gomem.measure.runtime_metrics import NAMES
from pytest_gomem.measure.window import GcTrace, MemStatsPair, Missing, Phase, RuntimeMetrics, Window
from pytest_gomem.observe import kernel
from pytest_gomem.observe.agent.records import Histogram
from pytest_gomem.observe.records import GcCycle, GcRecord, KernelReading, MemStats
from pytest_gomem.observe.smaps import SmapsTotals, read_smaps
from pytest_gomem.session.capture import NOT_ASKED, Profiles, heap_profile
from pytest_gomem.session.operations import Operations
from pytest_gomem.session.readers import Beside
from pytest_gomem.session.subject import Subject

_RuntimeValues = Mapping[str, int | float | Histogram]


class OpenWindow:
    """A window that is being measured. Reading order: MemStats first and the kernel last when it opens, reversed
    when it closes, so that neither the garbage nor the peak of our own readings is inside.

    profile: take a heap profile when it opens, against which one at the close can be held."""

    def __init__(
        self,
        subject: Subject,
        name: str,
        ops: int | None = None,
        *,
        fresh: bool,
        pss: bool = False,
        profile: bool = False,
    ) -> None:
        self.subject = subject
        self.name = name
        self.declared_ops = ops
        self.fresh = fresh
        self._pss = pss
        self._profile = profile
        self.restart()

    def restart(self) -> None:
        """Open, or open anew: what was recorded before is no longer inside."""
        self.operations = Operations()
        self.phases: list[Phase] = []
        self._free()
        self._look_for_peaks()
        base = heap_profile(self.subject) if self._profile else NOT_ASKED
        self.profiles = Profiles(self.subject, base)
        self._beside = Beside(self.subject.readers)
        self._runtime: _RuntimeValues | Missing = Missing("MemStats could not be read when the window opened")
        self._memstats = self._calibrate()
        if not isinstance(self._memstats, Missing):
            self.profiles.opening_cycle = self._memstats[0].num_gc
        pid = self.subject.pid
        self._peak_reset = pid is not None and self.subject.may_reset_peak and self._reset_peak(pid)
        self._start = self._read_kernel()
        self.opened = time.monotonic()

    def _free(self) -> None:
        """Have the agent return what earlier work left to the system, so that this window's peak is its own."""
        agent = self.subject.agent()
        if agent is not None and not self.fresh:
            with contextlib.suppress(ObserveError):  # the readings that follow say why it does not answer
                agent.free()

    def _look_for_peaks(self) -> None:
        """Have the agent keep the heap profile of the highest cycle from now on, if that was asked for."""
        agent, path = self.subject.agent(), self.subject.peak_file
        if agent is None or path is None:
            return
        with contextlib.suppress(ObserveError):  # profiles.peak says what became of it
            agent.start_peak(path)
            agent.reset_peak()

    def _reset_peak(self, pid: int) -> bool:
        try:
            members = kernel.family(pid, self.subject.tree)
        except ObserveError:
            return False
        resets = [kernel.reset_peak(member.pid) for member in members]
        return all(resets)

    def _calibrate(self) -> tuple[MemStats, int, int] | Missing:
        """The starting MemStats, and what one reading allocates in bytes and objects: the second of two in a row."""
        try:
            inside = self.subject.inside()
            with contextlib.suppress(ObserveError):  # expvar forces none; whoever is dead says so below
                inside.settled()
            self._runtime = self._read_runtime()
            first, second = inside.memstats(), inside.memstats()
        except ObserveError as error:
            return Missing(str(error))
        return second, second.total_alloc - first.total_alloc, second.mallocs - first.mallocs

    def _read_runtime(self) -> _RuntimeValues | Missing:
        agent = self.subject.agent()
        if agent is None:
            return Missing(f"runtime/metrics need the agent: {self.subject.no_agent}")
        try:
            return agent.metrics(*NAMES)
        except ObserveError as error:
            return Missing(str(error))

    def _end_runtime(self) -> RuntimeMetrics | Missing:
        if isinstance(self._runtime, Missing):
            return self._runtime
        end = self._read_runtime()
        return end if isinstance(end, Missing) else RuntimeMetrics(self._runtime, end)

    def _read_kernel(self) -> KernelReading | Missing:
        pid = self.subject.pid
        if pid is None:
            return Missing("only a pprof URL is known, no process id to read RSS from")
        try:
            return kernel.read(pid, tree=self.subject.tree, pss=self._pss)
        except ObserveError as error:
            ended = self.subject.ending() is not None
            return Missing(f"the process {self.subject.ending_words()}" if ended else str(error))

    def close(self) -> Window:
        """Take the closing readings and gather what was recorded; a dead process costs only what it took along."""
        end = self._read_kernel()
        closed = time.monotonic()
        smaps = self._read_smaps()
        memstats = self._end_memstats()
        runtime = self._end_runtime()
        sources = self._beside.close()
        after = self._read_kernel() if sources else Missing("no further source was read")
        if isinstance(memstats, MemStatsPair):
            after_gc = self._after_collection()
            later = self._later() if sources and isinstance(after_gc, Missing) else None
            memstats = replace(memstats, after_gc=after_gc, later=later)
        subject = self.subject
        ending = subject.ending()
        return Window(
            name=self.name,
            opened=self.opened,
            closed=closed,
            start=self._start,
            end=end,
            peak_reset=self._peak_reset,
            fresh=self.fresh,
            timeline=subject.timeline.samples(self.opened, closed) if subject.timeline else (),
            sample_rate=subject.sample_rate,
            gctrace=self._gctrace(memstats, closed),
            memstats=memstats,
            gomaxprocs=subject.gomaxprocs,
            ops=self.operations.total(self.declared_ops),
            loads=self.operations.records(),
            lifetime_peak=ending.max_rss if ending else None,
            tree=subject.tree,
            cpus=os.cpu_count() or 1,
            phases=tuple(self.phases),
            gc_records=self._gc_records(memstats),
            smaps=smaps,
            sources=sources,
            after=after,
            runtime=runtime,
        )

    def _read_smaps(self) -> SmapsTotals | Missing:
        pid = self.subject.pid
        if pid is None:
            return Missing("only a pprof URL is known, no process id to read mappings from")
        try:
            return read_smaps(pid)
        except ObserveError as error:
            return Missing(str(error))

    def _end_memstats(self) -> MemStatsPair | Missing:
        """The pair without what the forced collections will leave: whoever is compared with it is read before them."""
        if isinstance(self._memstats, Missing):
            return self._memstats
        start, read_bytes, read_objects = self._memstats
        try:
            inside = self.subject.inside()
            end = inside.memstats()
        except ObserveError as error:
            died = self.subject.ending() is not None
            return Missing(f"the process {self.subject.ending_words()}" if died else str(error))
        return MemStatsPair(start, end, Missing("not read yet"), read_bytes, read_objects, inside.reader)

    def _later(self) -> MemStats | None:
        with contextlib.suppress(ObserveError):
            return self.subject.inside().memstats()
        return None

    def _after_collection(self) -> MemStats | Missing:
        try:
            inside = self.subject.inside()
            stats = inside.settled()
            return stats if stats.goroutines is not None else replace(stats, goroutines=inside.goroutines())
        except ObserveError as error:
            return Missing(str(error))

    def _gc_records(self, memstats: MemStatsPair | Missing) -> tuple[GcRecord, ...]:
        agent = self.subject.agent()
        if agent is None or isinstance(memstats, Missing):
            return ()
        try:
            records = agent.gc_records(since=memstats.start.num_gc).cycles
        except ObserveError:
            return ()
        return tuple(record for record in records if record.number <= memstats.end.num_gc)

    def _gctrace(self, memstats: MemStatsPair | Missing, closed: float) -> GcTrace | Missing:
        kept = self.subject.kept
        if kept is None:
            return Missing("gctrace is read from the stderr of a process that we launched; this one is not ours")
        if not self.subject.gctrace:
            return Missing("gc.godebug switches gctrace off for this service")
        if isinstance(memstats, Missing):
            cycles, rejected = kept.gc_cycles(self.opened, closed)
            return GcTrace(cycles, _gaps(cycles), rejected)
        first, last = memstats.start.num_gc, memstats.end.num_gc
        cycles, rejected = kept.gc_cycles(self.opened - 1.0)
        inside = tuple(cycle for cycle in cycles if first < cycle.number <= last)
        return GcTrace(inside, last - first - len(inside), rejected)


def whole_life(subject: Subject, name: str, started: float, ops: int | None) -> Window:
    """The window of a program that has ended by itself, from its start to its end."""
    ending = subject.ending()
    assert ending is not None
    assert subject.kept is not None
    assert subject.timeline is not None
    cycles, rejected = subject.kept.gc_cycles()
    lost = cycles[-1].number - len(cycles) if cycles else 0
    ended = Missing("the program has ended: only what the kernel keeps beyond its end is known")
    return Window(
        name=name,
        opened=started,
        closed=ending.t,
        start=Missing("the program is measured whole, from its start"),
        end=ended,
        peak_reset=False,
        fresh=True,
        timeline=subject.timeline.samples(started, ending.t),
        sample_rate=subject.sample_rate,
        gctrace=GcTrace(cycles, lost, rejected),
        memstats=Missing("MemStats are read from a living process; this one ended by itself"),
        gomaxprocs=subject.gomaxprocs,
        ops=ops,
        lifetime_peak=ending.max_rss,
        lifetime_cpu=ending.cpu,
        tree=subject.tree,
        cpus=os.cpu_count() or 1,
    )


def _gaps(cycles: Sequence[GcCycle]) -> int | None:
    """Cycles missing between the first and the last that were seen; None where none was."""
    return cycles[-1].number - cycles[0].number + 1 - len(cycles) if cycles else None
