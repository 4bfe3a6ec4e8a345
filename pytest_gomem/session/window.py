"""Opens and closes a window on a process, in the reading order that disturbs least."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_gomem.base.errors import MeasureError, ObserveError
from pytest_gomem.base.unavailable import Unavailable, attempt, known, required
from pytest_gomem.cgroup.reading import GroupReading
from pytest_gomem.load.spec import Unanswered
from pytest_gomem.measure.oom_kill import OomKill, oom_kill
from pytest_gomem.measure.peak import held_from_earlier
from pytest_gomem.measure.window import (
    GcTrace,
    GroupEdges,
    MemoryLimit,
    MemStatsPair,
    RuntimeMetrics,
    SourceEdges,
    Window,
)
from pytest_gomem.observe.records import GcCycle, GcRecord, KernelReading, MemStats, Sample
from pytest_gomem.observe.smaps import SmapsTotals
from pytest_gomem.session.capture import Profiles
from pytest_gomem.session.instrument import Attached, Closes, Instrument, Opens
from pytest_gomem.session.operations import Operations
from pytest_gomem.session.own_edges import with_own
from pytest_gomem.session.own_readings import OwnReadings
from pytest_gomem.session.phases import Phases
from pytest_gomem.session.readers import OtherSources
from pytest_gomem.session.readings import Calibrated, Readings, runtime_pair
from pytest_gomem.session.settling import Settled
from pytest_gomem.session.subject import Subject
from pytest_gomem.session.work_cycles import WorkCycles
from pytest_gomem.supervisor.protocol import ExitRecord

if TYPE_CHECKING:
    from pytest_gomem.session.measurement import Measurement

_NOT_OPEN = Unavailable("the window is not open yet")
_NO_LIMIT = (
    "no limit of its memory is known: set memory_limit or GOMEMLIMIT, or name one, as in "
    "time_to_limit: {min: 24h, limit: 512MiB}"
)
_REPLACED = Unavailable("the service replaced itself by another program (exec) in the window: both began to count anew")


@dataclass(frozen=True)
class _Closing:
    """The closing readings, in the order of reading; `t` is when the window closed, CLOCK_MONOTONIC."""

    kernel: KernelReading | Unavailable
    t: float
    group: GroupReading | Unavailable
    smaps: SmapsTotals | Unavailable
    runtime: RuntimeMetrics | Unavailable
    memstats: MemStatsPair | Unavailable
    sources: tuple[SourceEdges, ...]
    after: KernelReading | Unavailable


class OpenWindow:
    """A window that is being measured. It opens with MemStats first and the kernel last, and closes in reverse.
    So neither the garbage nor the peak of our own readings is inside.

    instruments: attached to it, each at its points of that order. collecting: the phases that force collections when
    they end. limit: of the memory, bytes; None for the one in force. measurement: set once it is judged. disturbed: why
    its figures say nothing of the service, "" if they do.
    """

    def __init__(
        self,
        subject: Subject,
        name: str,
        ops: int | None = None,
        *,
        fresh: bool,
        pss: bool = False,
        instruments: Sequence[Instrument] = (),
        collecting: frozenset[str] = frozenset(),
        limit: int | None = None,
    ) -> None:
        self.subject = subject
        self.name = name
        self.declared_ops = ops
        self.fresh = fresh
        self._system = subject.system
        self.instruments = Attached(instruments)
        self.readings = Readings(subject, pss=pss, paused=self.instruments.paused)
        self.profiles = Profiles(subject)
        self.opening: Calibrated | Unavailable = _NOT_OPEN
        self.measurement: Measurement | None = None
        self._collecting = collecting
        self._limit = limit
        self.instruments.open(Opens.BEFORE, self)
        self._begin()
        self.instruments.open(Opens.LAST, self)

    def restart(self) -> None:
        """Open anew: what was recorded before no longer counts."""
        self._begin()
        self.instruments.reopened(self)

    def _begin(self) -> None:
        self.subject.readers.ask_again()
        self.disturbed, self._is_replaced = self.instruments.disturbs, False
        self.operations = Operations()
        self.profiles = Profiles(self.subject)
        self.instruments.open(Opens.FIRST, self)
        self._at_rest = self.readings.settled()  # a process that cannot, or is dead, shows below
        self.own = OwnReadings(self.readings)
        self.phases = Phases(self.readings, self.own, self._collecting, at_rest=_goroutines(self._at_rest))
        self.readings.free()  # what has just ended is free too
        self._others = OtherSources(self.subject.readers)
        self._runtime, self.opening = self.readings.calibrated()
        self._opening_smaps = self.readings.smaps()
        opening, collected = known(self.opening), known(self._at_rest) is not None
        stats = None if opening is None else opening.memstats
        self._held = held_from_earlier(stats, known(self._opening_smaps), collected=collected)
        self._peak_reset = self.readings.reset_peak()
        self._group = self.readings.group(reset_peak=True)
        self._start = self.readings.kernel()
        self._image = self._system.image()
        self.opened = self._system.now()
        self.work_cycles = WorkCycles(self.readings, self.own, self.opened, _goroutines(self._at_rest))

    def end_cycle(self) -> None:
        """A cycle of the test's work is over; raises MeasureError inside a phase."""
        if self.phases.open_one:
            raise MeasureError(f"a cycle ends within phase '{self.phases.open_one}': put the phase into the loop")
        own = self.own.seconds
        self.work_cycles.end(self.operations.total(None), lambda number: self.instruments.cycled(self, number))
        self.operations.wait(self.own.seconds - own)

    def enter_phase(self, name: str, ops: int | None) -> None:
        """A phase begins; raises MeasureError if one is open."""
        own = self.own.seconds
        if not self.phases.open_one:
            self.instruments.phase_begins(self, name)
        self.phases.enter(name, ops)
        self.operations.wait(self.own.seconds - own)

    def leave_phase(self, *, collect: bool) -> None:
        """The open phase is over; nothing happens if the window has reopened meanwhile."""
        own, name = self.own.seconds, self.phases.open_one
        self.phases.leave(collect=collect)
        if name:
            self.instruments.phase_ended(self, name)
        self.operations.wait(self.own.seconds - own)

    def close(self) -> Window:
        """Take the closing readings and collect what was recorded; of a dead process, all that can still be read."""
        self.instruments.close(Closes.FIRST, self)
        self.phases.abandon()
        self.subject.readers.heed_stop()
        return self._gathered(self._read_at_close())

    def _read_at_close(self) -> _Closing:
        end = self.readings.kernel()
        closed = self._system.now()
        group = self.readings.group()
        now = self._system.image()
        self._is_replaced = bool(now and self._image) and now != self._image
        smaps = self.readings.smaps()
        runtime, memstats = self._end_inside()
        sources = self._others.close()
        after = self.readings.kernel() if sources else Unavailable("no further source was read")
        memstats = self._settled(memstats, compared=bool(sources))
        pair = known(memstats)
        if pair is None or known(pair.after_gc) is None:
            sources = self._others.at_rest(sources, self.readings.closing)
        self.instruments.close(Closes.LAST, self)
        return _Closing(end, closed, group, smaps, runtime, memstats, sources, after)

    def _gathered(self, closing: _Closing) -> Window:
        subject, peak, timeline = self.subject, self.phases.peak(), self._timeline(closing.t)
        ops = self.operations.total(self.declared_ops)
        window = Window(
            name=self.name,
            opened=self.opened,
            closed=closing.t,
            start=self._start,
            end=_raised(closing.kernel, self._peak_before_exec(peak, timeline)),
            peak_reset=self._peak_reset,
            fresh=self.fresh,
            timeline=timeline,
            sample_rate=subject.sample_rate,
            gctrace=self._gctrace(closing.memstats, closing.t),
            memstats=closing.memstats,
            gomaxprocs=subject.gomaxprocs,
            ops=ops,
            loads=self.operations.records(),
            lifetime_peak=_lifetime_peak(subject.ending(), peak),
            tree=subject.tree,
            cpus=os.cpu_count() or 1,
            gc_records=self._gc_records(closing.memstats),
            smaps=closing.smaps,
            opening_smaps=self._opening_smaps,
            sources=closing.sources,
            after=closing.after,
            runtime=closing.runtime,
            own_cycles=frozenset(self.own.cycles),
            held=self._held,
            startup_peak=subject.startup_peak,
            work_cycles=self.work_cycles.finished(ops),
            own_seconds=self.own.seconds,
            own_cpu=self.own.cpu,
            limit=self._memory_limit(),
            group=attempt(lambda: GroupEdges(required(self._group), required(closing.group), subject.group_by)),
            disturbed=self.disturbed,
            oom=self.kill(known(closing.group)),
        )
        left = self.instruments.left
        window = window if left is None else replace(window, left=left)
        window = replace(window, phases=self.phases.finished(window))
        return with_own(window, self.instruments.own, _REPLACED if self._is_replaced else None)

    def kill(self, last: GroupReading | None = None) -> OomKill | None:
        """The kill at the memory limit within the window, None if there was none. last: read at the close."""
        subject, start = self.subject, known(self._group)
        last = last or known(self.readings.group())
        if start is None or last is None:
            return None
        doing = self.operations.unanswered or Unanswered("")
        told = partial(oom_kill, subject.ending(), start, last, subject.group_by, self.opened, doing)
        found = told()
        if found is None or found.is_child:
            return found
        trace = known(self._gctrace(_NOT_OPEN, self._system.now()))
        return told(() if trace is None else trace.cycles)

    def _memory_limit(self) -> MemoryLimit | Unavailable:
        """The one that was asked for, else that of the service, else GOMEMLIMIT in force, which the agent knows."""
        if self._limit is not None:
            return MemoryLimit(self._limit, "the limit of the budget")
        if (group := known(self._group)) is not None:
            return MemoryLimit(group.limit, "memory_limit", of_group=True)
        agent = self.subject.agent()
        if agent is None:
            return Unavailable(f"{_NO_LIMIT} (GOMEMLIMIT is read by the agent: {self.subject.no_agent})")
        try:
            limit = agent.settings().gomemlimit
        except ObserveError as error:
            return Unavailable(str(error))
        return Unavailable(_NO_LIMIT) if limit is None else MemoryLimit(limit, "GOMEMLIMIT")

    def _peak_before_exec(self, peak: int | None, timeline: Sequence[Sample]) -> int | None:
        """Exec begins a new peak in the kernel; of the time before, only the samples are known."""
        if not self._is_replaced:
            return peak
        return max([peak or 0, *(sample.hwm for sample in timeline if sample.hwm is not None)])

    def _settled(self, memstats: MemStatsPair | Unavailable, *, compared: bool) -> MemStatsPair | Unavailable:
        """The pair with what forced collections leave at rest. If none can be forced and sources were compared with it,
        it has one more reading."""
        if isinstance(memstats, Unavailable):
            return memstats
        settled = self.readings.settled(at_rest=_goroutines(self._at_rest))
        if isinstance(settled, Unavailable):
            later = self.readings.memstats() if compared else None
            return replace(memstats, after_gc=settled, later=later)
        return replace(memstats, after_gc=settled.last, unrest=settled.unrest)

    def _timeline(self, closed: float) -> tuple[Sample, ...]:
        """The samples, and the readings at the phases' edges, which include the highest before each reset."""
        if self.subject.timeline is None:
            return ()
        samples = self.subject.timeline.samples(self.opened, closed)
        own = self.phases.samples()
        return tuple(sorted((*samples, *own), key=lambda sample: sample.t)) if own else samples

    def _end_inside(self) -> tuple[RuntimeMetrics | Unavailable, MemStatsPair | Unavailable]:
        """The pairs without what forced collections will leave: sources compared with it are read before them."""
        opening = self.opening
        if isinstance(opening, Unavailable):
            return opening, opening
        if self._is_replaced:
            return _REPLACED, _REPLACED
        runtime, end = self.readings.inside()
        both = runtime_pair(self._runtime, runtime, self.own.runtime)
        at_rest = known(self._at_rest)
        if isinstance(end, Unavailable):
            return both, end
        reader, readings = self.subject.readers.inside().reader, 1 + self.own.count
        return both, MemStatsPair(
            opening.memstats,
            end,
            Unavailable("not read yet"),
            opening.read_bytes,
            opening.read_objects,
            reader,
            readings=readings,
            own_bytes=self.own.allocated,
            own_objects=self.own.objects,
            opening_unrest="" if at_rest is None else at_rest.unrest,
        )

    def _gc_records(self, memstats: MemStatsPair | Unavailable) -> tuple[GcRecord, ...]:
        agent, pair = self.subject.agent(), known(memstats)
        if agent is None or pair is None:
            return ()
        try:
            records = agent.gc_records(since=pair.start.num_gc).cycles
        except ObserveError:
            return ()
        return tuple(record for record in records if record.number <= pair.end.num_gc)

    def _gctrace(self, memstats: MemStatsPair | Unavailable, closed: float) -> GcTrace | Unavailable:
        kept = self.subject.kept
        if kept is None or self.subject.no_gctrace:
            return Unavailable(self.subject.no_gctrace)
        if self._is_replaced:
            return _REPLACED
        pair = known(memstats)
        if pair is None:
            cycles, rejected = kept.gc_cycles(self.opened, closed)
            return GcTrace(cycles, _gaps(cycles), rejected)
        first, last = pair.start.num_gc, pair.end.num_gc
        cycles, rejected = kept.gc_cycles(self.opened - 1.0)
        own = self.own.cycles
        inside = tuple(cycle for cycle in cycles if first < cycle.number <= last and cycle.number not in own)
        return GcTrace(inside, last - first - len(own) - len(inside), rejected)


def _raised(end: KernelReading | Unavailable, peak: int | None) -> KernelReading | Unavailable:
    """The closing reading with the window's own peak: the last reset in the window forgot what was before it."""
    if peak is None or isinstance(end, Unavailable) or end.hwm is None:
        return end
    return replace(end, hwm=max(end.hwm, peak))


def _goroutines(settled: Settled[MemStats] | Unavailable) -> int | None:
    at_rest = known(settled)
    return None if at_rest is None else at_rest.last.goroutines


def _lifetime_peak(ending: ExitRecord | None, peak: int | None) -> int | None:
    """The peak of an ended process: from its end, and from phases before they reset it."""
    if ending is None:
        return None
    return max(ending.max_rss or 0, peak or 0) or None


def _gaps(cycles: Sequence[GcCycle]) -> int | None:
    """Cycles missing between the first and the last one seen; None if none was."""
    return cycles[-1].number - cycles[0].number + 1 - len(cycles) if cycles else None
