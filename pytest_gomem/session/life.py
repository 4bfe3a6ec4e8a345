"""The window of a program that ended by itself: its whole life, as the kernel, gctrace and the agent in it tell it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, attempt, known
from pytest_gomem.cgroup.reading import GroupReading
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.measure.oom_kill import OomKill, oom_kill
from pytest_gomem.measure.runtime_metrics import NAMES
from pytest_gomem.measure.window import GcTrace, GroupEdges, MemStatsPair, RuntimeMetrics, Window
from pytest_gomem.observe.agent.answers import Answers
from pytest_gomem.observe.agent.client import read_peak
from pytest_gomem.observe.agent.records import Histogram, PeakProfile, Traced
from pytest_gomem.observe.agent.unasked import PEAK, TRACE, Kept, Unasked
from pytest_gomem.observe.records import GcRecord, MemStats, SizeClass
from pytest_gomem.session.capture import HEAP, OPENING, Captured, Profiles
from pytest_gomem.session.instrument import Attached, Instrument
from pytest_gomem.session.own_edges import with_own
from pytest_gomem.session.processes import GCTRACE_IS_OFF, LaunchedProcess, gctrace_is_off
from pytest_gomem.supervisor.protocol import ExitRecord

_SILENT = Unavailable(
    "no line of gctrace was read, and the program is not known as a Go program: what a wrapper started may have run "
    "without GODEBUG; run the Go program itself"
)
_NOT_FORCED = Unavailable("no collection is forced when a program ends by itself: it would take longer to end")


_WHOLE = Unavailable("the program is measured whole, from its start")
_NO_PROFILE = Unavailable("a program that ended by itself can no longer be asked for a profile")


class EndedProgram:
    """A program that has ended by itself. asked: what the agent in it was asked to keep; it is read now."""

    def __init__(self, process: LaunchedProcess, instruments: Sequence[Instrument], asked: Collection[Kept]) -> None:
        self._process = process
        self.profiles = Profiles(process)
        heap = Captured(self.kept(Kept.HEAP) if Kept.HEAP in asked else _NO_PROFILE)
        self.profiles.add({HEAP: heap, OPENING: heap.emptied()})
        self.instruments = Attached(instruments)
        self.instruments.ended(self)

    def window(self, name: str, ops: int | None) -> Window:
        """Its window, from its start to its end."""
        return with_own(_whole_life(self._process, name, ops), self.instruments.own)

    @property
    def group(self) -> GroupReading | None:
        """What its memory cgroup said at its end; None without a limit."""
        return known(attempt(self._process.group))

    def kept(self, asked: Kept) -> bytes | Unavailable:
        """What the agent answered to this request at its end."""
        return attempt(lambda: _asked(self._process).ask(*asked.value))

    def trace(self) -> tuple[Path, Traced]:
        """The execution trace of all of it, if `Kept.TRACE` was asked for; raises ObserveError."""
        traced = Answers(_asked(self._process)).traced()
        assert self._process.unasked is not None
        return self._process.unasked.folder / TRACE, traced

    @property
    def module(self) -> GoModule:
        """What it was built from."""
        built = self._process.built
        return GoModule() if built is None else built.info.module

    def peak_profile(self) -> PeakProfile:
        """Of its highest GC cycle, if `Kept.PEAK` was asked for, even if it was killed; raises ObserveError."""
        if self._process.unasked is None:
            raise ObserveError(f"the profile of the peak needs the agent: {self._process.no_agent}")
        return read_peak(self._process.unasked.folder / PEAK)


def _whole_life(process: LaunchedProcess, name: str, ops: int | None) -> Window:
    ending = process.ending()
    assert ending is not None
    started, memstats = process.since, _memstats(process)
    return Window(
        name=name,
        opened=started,
        closed=ending.t,
        start=_WHOLE,
        end=Unavailable("the program has ended: only what the kernel keeps beyond its end is known"),
        peak_reset=False,
        fresh=True,
        timeline=process.timeline.samples(started, ending.t),
        sample_rate=process.sample_rate,
        gctrace=_gctrace(process, known(memstats)),
        memstats=memstats,
        gomaxprocs=process.gomaxprocs,
        ops=ops,
        lifetime_peak=ending.max_rss,
        lifetime_cpu=ending.cpu,
        tree=process.tree,
        cpus=os.cpu_count() or 1,
        gc_records=_gc_records(process, known(memstats)),
        runtime=attempt(lambda: _runtime(process)),
        startup_peak=Unavailable("a program that is measured whole is never ready: its start is in peak_rss"),
        oom=_kill(process, ending),
        group=attempt(lambda: GroupEdges(None, process.group(), process.group_by)),
        left=Unavailable("the goroutines of a program end with it: none of them can stay"),
    )


def _kill(process: LaunchedProcess, ending: ExitRecord) -> OomKill | None:
    """That it was killed at its memory limit."""
    last = known(attempt(process.group))
    if last is None:
        return None
    cycles = () if process.no_gctrace else process.kept.gc_cycles()[0]
    return oom_kill(ending, None, last, process.group_by, process.since, cycles=cycles)


def _memstats(process: LaunchedProcess) -> MemStatsPair | Unavailable:
    """From nothing at its start to what the agent read when it ended."""
    ending = process.ending()
    assert ending is not None
    try:
        end = replace(Answers(_asked(process)).memstats().common, t=ending.t)
    except ObserveError as error:
        return Unavailable(str(error))
    return MemStatsPair(_nothing(end, process.since), end, _NOT_FORCED, 0, 0, reader="agent")


def _asked(process: LaunchedProcess) -> _AtEnd:
    """What the agent answered when the program ended; raises ObserveError if there is none that could."""
    if process.unasked is None:
        raise ObserveError(f"the agent in a program reads this when it ends, and there is none: {process.no_agent}")
    if process.launched.no_end:
        raise ObserveError(f"the agent cannot read this when the program ends: {process.launched.no_end}")
    return _AtEnd(process, process.unasked)


@dataclass(frozen=True)
class _AtEnd:
    """Says of a request without an answer how the program ended."""

    process: LaunchedProcess
    unasked: Unasked

    def ask(self, *words: str) -> bytes:
        """The answer; raises ObserveError."""
        try:
            return self.unasked.ask(*words)
        except ObserveError as error:
            raise ObserveError(f"{error}: the process {self.process.ending_words()}") from None


def _nothing(end: MemStats, t: float) -> MemStats:
    """MemStats before a program has begun."""
    counts = {field.name: 0 for field in fields(end) if isinstance(getattr(end, field.name), int)}
    classes = tuple(SizeClass(entry.size, 0, 0) for entry in end.by_size)
    return replace(end, **counts, t=t, gc_cpu_fraction=0.0, pauses=(), by_size=classes)


def _runtime(process: LaunchedProcess) -> RuntimeMetrics:
    end = Answers(_asked(process)).metrics(*NAMES)
    start: Mapping[str, int | float | Histogram] = {
        name: Histogram((0,) * len(value.counts), value.buckets) if isinstance(value, Histogram) else 0
        for name, value in end.items()
    }
    return RuntimeMetrics(start, end)


def _gc_records(process: LaunchedProcess, memstats: MemStatsPair | None) -> tuple[GcRecord, ...]:
    if memstats is None:
        return ()
    try:
        records = Answers(_asked(process)).gc_records().cycles
    except ObserveError:
        return ()
    return tuple(record for record in records if record.number <= memstats.end.num_gc)


def _gctrace(process: LaunchedProcess, memstats: MemStatsPair | None) -> GcTrace | Unavailable:
    if gctrace_is_off(process.launched):
        return Unavailable(GCTRACE_IS_OFF)
    cycles, rejected = process.kept.gc_cycles()
    if memstats is not None:
        last = memstats.end.num_gc
        inside = tuple(cycle for cycle in cycles if cycle.number <= last)
        return GcTrace(inside, last - len(inside), rejected)
    is_go = process.built is not None and bool(process.built.info.go_version)
    lost = cycles[-1].number - len(cycles) if cycles else 0
    return GcTrace(cycles, lost, rejected) if cycles or is_go else _SILENT
