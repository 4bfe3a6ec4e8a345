"""A process on which you can open windows without Go, a fork or a pause; it notes each reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from math import inf
from pathlib import Path
from typing import Any, Literal

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.cgroup.reading import GroupReading
from pytest_gomem.launch.ending import describe
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.observe.endpoint import PprofEndpoint
from pytest_gomem.observe.records import GcCycle, KernelReading, MemStats, Sample
from pytest_gomem.observe.smaps import Resident, SmapsTotals
from pytest_gomem.observe.sources import Source
from pytest_gomem.observe.system import System
from pytest_gomem.session.readers import Readers
from pytest_gomem.session.window import OpenWindow
from pytest_gomem.supervisor.protocol import ExitRecord
from pytest_gomem.testing.fake_agent import fake_agent, source_of
from pytest_gomem.testing.fake_window import MIB, OPENED, fake_gc_cycle, fake_kernel_reading, fake_memstats

READING_TIME = 0.001  # seconds that each reading takes
MEMSTATS_COST, GC_COST = (1000, 10), (100, 1)  # bytes and objects that each of them allocates
GC_CPU = 0.001  # seconds that a collection takes of the CPU
_KERNEL_FIELDS = {field.name for field in fields(KernelReading)} - {"t"}


class FakeProcess:
    """A process to open windows on, with a clock of its own that stands still between readings.

    inside: the source of its MemStats; None: it has none. sources: read in addition. folder: for the files of its
    agent. bases: `http://HOST:PORT` of its ports. values: what it holds at first, see `change`.

    events: what was read of it and done to it, in order. slept: the pauses made meanwhile, in seconds. failing: by the
    name of an event, the reason why it fails from now on.
    """

    pid = 4242
    tree = False
    sample_rate = 50.0
    may_reset_peak = True
    gomaxprocs: int | None = 2
    no_agent = "it was not built here"
    no_gctrace = ""
    startup_peak: int | Unavailable = 60 * MIB

    def __init__(
        self,
        *,
        inside: Literal["agent", "pprof"] | None = "agent",
        sources: Sequence[Source] = (),
        folder: Path = Path("no folder of a fake process"),
        bases: Sequence[str] = (),
        **values: Any,
    ) -> None:
        self.system: System = _FakeSystem(self)
        self.time = OPENED
        self.events: list[str] = []
        self.slept: list[float] = []
        self.failing: dict[str, str] = {}
        self.profiles: dict[str, bytes] = {}  # by kind, such as "heap"
        self.program = "first"  # another one stands for an exec
        self.group_reading: GroupReading | None = None  # of its memory cgroup, if it has a limit
        self.group_by = "cgroup v2"
        self.memory_limit: int | None = None
        self.limit_above: int | None = None  # of the groups that its own lies in
        self.connections_closing = 0
        self.stopped = ""  # that it is stopped, in words
        self.folder = folder
        self.kernel, self.memstats = fake_kernel_reading(), fake_memstats(heap_released=12 * MIB)
        self.gc_cpu = 0.0
        self._live, self._live_objects = self.memstats.heap_alloc, self.memstats.heap_objects
        self._cycles: list[GcCycle] = []
        self._samples: list[Sample] = []
        self._later: list[tuple[float, dict[str, Any]]] = []
        self._exit: ExitRecord | None = None
        self._bases = tuple(bases)
        client = fake_agent(self)
        self._agent = client if inside == "agent" else None
        own = [] if inside is None else [source_of(inside, client)]
        self.readers = Readers([*own, *sources], self, self.system)
        self.change(**values)

    def open_window(self, name: str = "window", ops: int | None = None, **options: Any) -> OpenWindow:
        """Open a real window; its `close()` returns the `Window`. options: those of OpenWindow."""
        return OpenWindow(self, name, ops, **{"fresh": True, **options})

    def work(
        self, seconds: float = 1.0, *, allocate: int = 0, objects: int = 0, keep: int = 0, gc: int = 0, **values: Any
    ) -> None:
        """Let it work: allocate so many bytes and keep `keep` of them alive, then run `gc` cycles; then `change`."""
        self.allocate(allocate, objects)
        self._live += keep
        self._live_objects += objects * keep // allocate if allocate else 0
        self.pass_time(seconds)
        self.collect(gc)
        self.change(**values)

    def change(self, **values: Any) -> None:
        """Set what it holds from now on: fields of KernelReading (`rss`, `cpu`) and MemStats (`goroutines`) by name.

        The kernel's peak follows the RSS.
        """
        of_kernel = {name: value for name, value in values.items() if name in _KERNEL_FIELDS}
        of_memstats = {name: value for name, value in values.items() if name not in _KERNEL_FIELDS}
        self.kernel = replace(self.kernel, **of_kernel)
        if self.kernel.hwm is not None:
            self.kernel = replace(self.kernel, hwm=max(self.kernel.hwm, self.kernel.rss))
        self.memstats = replace(self.memstats, **of_memstats)
        kernel = self.kernel
        self._samples.append(Sample(self.time, kernel.rss, kernel.hwm, kernel.threads, kernel.fds))

    def later(self, seconds: float, **values: Any) -> None:
        """`change` after so many seconds on its clock, as when goroutines end by themselves."""
        self._later.append((self.time + seconds, values))
        self._later.sort(key=lambda change: change[0])

    def end(self, code: int | None = 0, signal: int | None = None) -> None:
        """Let it end: every reading fails from now on."""
        self._exit = ExitRecord(self.time, code, signal, self.kernel.hwm, self.kernel.cpu, oom="")

    def record(self, event: str) -> None:
        """Note an event and let a reading's time pass; raises ObserveError if the event is to fail. For sources."""
        self.events.append(event)
        self.pass_time(READING_TIME)
        if self._exit is not None:
            raise ObserveError(f"process {self.pid} has ended")
        if event in self.failing:
            raise ObserveError(self.failing[event])

    def pass_time(self, seconds: float) -> None:
        """Move its clock on, and make the changes that fall due."""
        until = self.time + seconds
        while self._later and self._later[0][0] <= until:
            self.time, values = self._later.pop(0)
            self.change(**values)
        self.time = until

    def collect(self, cycles: int, *, forced: bool = False) -> None:
        """Run GC cycles, which leave the live heap."""
        for _ in range(cycles):
            self.allocate(*GC_COST)
            number = self.memstats.num_gc + 1
            self._cycles.append(fake_gc_cycle(number, t=self.time, forced=forced))
            self.gc_cpu += GC_CPU
            self.memstats = replace(
                self.memstats,
                num_gc=number,
                num_forced_gc=self.memstats.num_forced_gc + forced,
                heap_alloc=self._live,
                heap_objects=self._live_objects,
                frees=self.memstats.mallocs - self._live_objects,
            )

    def allocate(self, size: int, objects: int) -> None:
        """Allocate, and keep nothing."""
        stats = self.memstats
        self.memstats = replace(
            stats,
            total_alloc=stats.total_alloc + size,
            mallocs=stats.mallocs + objects,
            heap_alloc=stats.heap_alloc + size,
            heap_objects=stats.heap_objects + objects,
        )

    def read_memstats(self) -> MemStats:
        """The result of a reading of MemStats; the next reading includes its cost."""
        self.record("memstats")
        found = replace(self.memstats, t=self.time)
        self.allocate(*MEMSTATS_COST)
        return found

    @property
    def timeline(self) -> FakeProcess:
        """The object that has its samples."""
        return self

    @property
    def kept(self) -> FakeProcess:
        """The object that has its gctrace lines."""
        return self

    def samples(self, since: float, until: float) -> tuple[Sample, ...]:
        """One for each change."""
        return tuple(sample for sample in self._samples if since <= sample.t <= until)

    def gc_cycles(self, since: float = 0.0, until: float = inf) -> tuple[tuple[GcCycle, ...], int]:
        """All cycles; no line is lost."""
        return tuple(cycle for cycle in self._cycles if since <= (cycle.t or 0.0) <= until), 0

    def agent(self) -> AgentClient | None:
        """The agent, if its MemStats come from it."""
        return self._agent

    def endpoint(self) -> PprofEndpoint:
        """Raises ObserveError: nothing listens."""
        raise ObserveError("a fake process has no pprof endpoint")

    def last_cycle(self) -> int:
        """Number of its last GC cycle."""
        return self.memstats.num_gc

    def group(self, *, reset_peak: bool = False) -> GroupReading:
        """The reading that you gave it; a reset begins its peaks anew."""
        found = self.group_reading
        if found is None:
            raise ObserveError("a fake process has no memory limit until it gets a group_reading")
        if self._exit is None:
            self.record("group")
        if reset_peak:
            self.group_reading = replace(found, peak=found.current, anon_peak=found.anon, peak_since=self.time)
        return found

    def kill(self) -> None:
        """It has ended by SIGKILL."""
        self.end(code=None, signal=9)

    def raise_limit(self, limit: int) -> None:
        """Its reading has the new limit."""
        self.record("raise limit")
        self.group_reading = replace(self.group(), limit=limit)

    def url_of(self, source: str) -> str | None:
        """None: it is in no gomem.yaml."""
        return None

    def bases(self) -> Sequence[str]:
        """The addresses that you gave it."""
        return self._bases

    def ending(self, within: float = 0.0) -> ExitRecord | None:
        """How it ended, None while it lives."""
        return self._exit

    def ending_words(self) -> str:
        """How it ended, in words."""
        return "is running" if self._exit is None else describe(self._exit, "")


class _FakeSystem(System):
    def __init__(self, process: FakeProcess) -> None:
        super().__init__(process.pid)
        self._process = process

    def now(self) -> float:
        return self._process.time

    def sleep(self, seconds: float) -> None:
        self._process.slept.append(seconds)
        self._process.pass_time(seconds)

    def read(self, *, pss: bool) -> KernelReading:
        self._process.record("kernel")
        kernel = self._process.kernel
        return replace(kernel, t=self.now(), pss=kernel.rss if pss else None)

    def smaps(self) -> SmapsTotals:
        self._process.record("smaps")
        stats, none = self._process.memstats, Resident()
        heap = Resident(stats.heap_sys - stats.heap_released)
        rest = Resident(max(self._process.kernel.rss - heap.rss, 0))
        return SmapsTotals(self.now(), heap, none, none, none, none, none, rest, none, none)

    def reset_peak(self) -> bool:
        try:
            self._process.record("reset peak")
        except ObserveError:
            return False
        self._process.kernel = replace(self._process.kernel, hwm=self._process.kernel.rss)
        return True

    def closing_connections(self) -> int:
        self._process.record("connections")
        return self._process.connections_closing

    def image(self) -> str:
        try:
            self._process.record("image")
        except ObserveError:
            return ""
        return self._process.program

    def has_ended(self) -> bool:
        return self._process.ending() is not None

    def stopped_words(self) -> str:
        return self._process.stopped
