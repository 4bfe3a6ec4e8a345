"""One launched service in the supervisor's care: its log, GC lines, timeline and end."""

from __future__ import annotations

import os
import resource
import signal
import time
from dataclasses import replace

import psutil

from pytest_gomem.cgroup.ways import Ways
from pytest_gomem.observe import kernel, oom
from pytest_gomem.observe.gctrace import GctraceReader
from pytest_gomem.observe.sampler import Sampler
from pytest_gomem.supervisor.limited import Limited
from pytest_gomem.supervisor.process import FOREVER, DrainedPipe, Kept
from pytest_gomem.supervisor.protocol import ChildState, ExitRecord, LaunchRequest, Message
from pytest_gomem.supervisor.spawn import LAUNCH_MARK, spawn
from pytest_gomem.supervisor.timeline import CycleTable, Timeline

_FIRST = 1 << 16  # bytes: the first lines have version, configuration and often what is wrong


class LogEnds:
    """The log's bytes by their offset since the start: the `first` ones, and the last `limit`."""

    def __init__(self, limit: int, first: int = _FIRST) -> None:
        self._limit = limit
        self._first = first
        self._head = b""
        self._kept = bytearray()
        self.end = 0

    def append(self, chunk: bytes) -> None:
        """Add to the end."""
        self._head += chunk[: max(0, self._first - len(self._head))]
        self._kept += chunk
        self.end += len(chunk)
        # Cut rarely: each cut copies what stays.
        if len(self._kept) > 2 * self._limit:
            del self._kept[: -self._limit]

    def since(self, offset: int) -> bytes:
        """The output from `offset` on, with a line in place of what is not kept."""
        first = self.end - len(self._kept)
        begin = max(offset, self.end - self._limit)
        tail = bytes(self._kept[begin - first :])
        head = self._head[offset:begin]
        lost = begin - offset - len(head)
        return head + b"\n... %d bytes are left out here ...\n" % lost + tail if lost > 0 else head + tail


class Serving:
    """The process of the family that serves. If it is not the supervisor's child, only its parent knows how it ended.

    Raises psutil.NoSuchProcess.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.exit: ExitRecord | None = None
        self._process = psutil.Process(pid)

    def look(self) -> None:
        """Note its end, if it has ended and we will not learn how."""
        if self.exit is None and self._has_ended():
            self.exit = ExitRecord(time.monotonic(), code=None, signal=None, max_rss=None, cpu=0.0, oom="")

    def _has_ended(self) -> bool:
        try:
            if not self._process.is_running():
                return True
            # An orphan is by now the supervisor's own child, so wait4 reports its end.
            return self._process.status() == psutil.STATUS_ZOMBIE and self._process.ppid() != os.getpid()
        except psutil.NoSuchProcess:
            return True


SPLIT_VARIABLE = "PYTEST_GOMEM_STDERR_FD"
_SETSID = "setsid: "


class Child(Kept):
    """A launched program."""

    def __init__(self, request: LaunchRequest, mark: str, ways: Ways) -> None:
        self.limited = None if request.memory_limit is None else Limited(request.memory_limit, ways)
        self.stdout, self.stderr = DrainedPipe(), DrainedPipe()
        self.split = [DrainedPipe()] if request.split_stderr else []
        self.pipes = [self.stdout, self.stderr, *self.split]
        inherited = [pipe.write_fd for pipe in self.split]
        env = {**request.env, LAUNCH_MARK: mark}
        if inherited:
            env[SPLIT_VARIABLE] = str(inherited[0])
        started = time.monotonic()
        try:
            streams = self.stdout.write_fd, self.stderr.write_fd
            join = self.limited.before_exec if self.limited else None
            spawned = spawn(request.argv, env, request.cwd, *streams, inherited, join)
        except Exception as error:
            said = self.stderr.read(started).decode(errors="replace").strip()
            super().close()
            if self.limited is not None:
                self.limited.close()
            if said.startswith(_SETSID):  # setsid says why the program could not be executed
                raise OSError(said.removeprefix(_SETSID)) from error
            raise
        super().__init__(spawned.pid, mark, started)
        self.log = LogEnds(request.log_bytes)
        self._watching = request.tree, request.sample_rate, self.limited
        self.watch = Watch(self.pid, *self._watching)
        self.serving: Serving | None = None
        self.gctrace = GctraceReader(started) if request.gctrace else None
        self.cycles = CycleTable()
        self._own_peak = spawned.own_peak
        self._looked = started
        self._oom = oom.RecentCounters(self.pid, self.limited.known_counters() if self.limited else {})
        if self.limited is not None:
            self.limited.begin(self.pid)

    def tick(self, now: float) -> float:
        """Sample and read OOM counters if due, and kill if the grace after SIGTERM is over; returns when to call again.

        Called at each turn of the loop, after the pipes are read.
        """
        self._looked = now
        due = self.watch.tick(now)
        if self.is_watched and now >= self._oom.due:
            self._oom.look(now)
        if self.limited is not None:
            due = min(due, self.limited.tick(now, self.kill))
        return min(due, super().tick(now))

    def drain(self) -> int:
        """Move some of the bytes in the pipes to the log and the GC cycles; returns how many."""
        printed = [pipe.read(self._looked) for pipe in (self.stdout, *self.split)]
        for chunk in printed:
            self.log.append(chunk)
        written = self.stderr.read(self._looked)
        if written:
            self._take(written)
        return sum(map(len, printed)) + len(written)

    def _take(self, written: bytes) -> None:
        if self.gctrace is None:
            self.log.append(written)
            return
        cycles, rest = self.gctrace.feed(written, time.monotonic(), self._looked)
        for cycle in cycles:
            self.cycles.append(cycle)
        self.log.append(rest)

    def serve_by(self, pid: int) -> None:
        """Watch another process of the family, the one that serves, from now on. Raises psutil.Error, OSError."""
        self.serving = Serving(pid)
        self.watch.stop()
        self.watch = Watch(pid, *self._watching)
        if self.limited is not None:
            self.limited.serve_by(pid)
        if self.gctrace is not None:
            self.drain()
            self.log.append(self.gctrace.close())
            self.gctrace, self.cycles = GctraceReader(kernel.started(pid), joins=True), CycleTable()
        self._oom = oom.RecentCounters(pid)

    @property
    def is_watched(self) -> bool:
        """Whether the sampled process lives."""
        return (self.exit if self.serving is None else self.serving.exit) is None

    def reaped(self, pid: int, status: int, usage: resource.struct_rusage) -> None:
        """Record the end that wait4 reported, if it is that of this program, and read what is left in the pipes."""
        if self.serving is not None and pid == self.serving.pid:
            self.serving.exit = self._ended(status, usage, own_peak=False)
            self.watch.stop()
        if pid == self.pid and self.exit is None:
            self._reaped(status, usage)
        self._look_at_group()

    def _reaped(self, status: int, usage: resource.struct_rusage) -> None:
        self.exit = self._ended(status, usage, own_peak=self._own_peak)
        if self.serving is None:
            self.watch.stop()
        # At most a pipe's capacity of each: children that it left may write without end.
        left = sum(pipe.capacity for pipe in self.pipes)
        while left > 0 and (moved := self.drain()):
            left -= moved
        if self.gctrace is not None:
            self.log.append(self.gctrace.close())

    def _look_at_group(self) -> None:
        """Read the last figures of the group once the process has ended that is measured."""
        if self.limited is not None and not self.is_watched:
            self.limited.ended(time.monotonic())

    def _ended(self, status: int, usage: resource.struct_rusage, *, own_peak: bool) -> ExitRecord:
        ended = super()._ended(status, usage, own_peak=own_peak)
        if self.limited is not None and self.limited.evidence and ended.signal == signal.SIGKILL:
            return replace(ended, oom=self.limited.evidence, killed=False)
        foreign_kill = ended.signal == signal.SIGKILL and not ended.killed
        return replace(ended, oom=self._oom.evidence()) if foreign_kill else ended

    def state(self) -> ChildState:
        """What the client may know."""
        if self.serving is not None:
            self.serving.look()
            self._look_at_group()
        return replace(
            super().state(),
            log_end=self.log.end,
            stalls=sum(pipe.stalls for pipe in self.pipes),
            stalled=sum(pipe.stalled for pipe in self.pipes),
            serving_exit=self.serving.exit if self.serving else None,
            group=self.limited.state() if self.limited else None,
            group_last=self.limited.last if self.limited else None,
        )

    def gc_message(self, since: float, until: float) -> Message:
        """The accepted cycles read in [since, until], as columns, and the number of rejected lines so far."""
        return {
            "columns": self.cycles.between(since, until),
            "rejected": self.gctrace.rejected if self.gctrace else 0,
        }

    def close(self) -> None:
        """Close pipes and files."""
        self.watch.stop()
        if self.limited is not None:
            self.limited.close()
        super().close()


class Watch:
    """Samples a process at a fixed rate into a timeline; late points are skipped, not made up for.

    All watches of one rate are due at the same time, so that one wake-up serves all.
    """

    def __init__(self, pid: int, tree: bool, rate: float, limited: Limited | None = None) -> None:
        self._limited = limited
        self._sampler = Sampler(pid, tree)
        self._period = 1.0 / rate
        self._due = int(time.monotonic() * rate) / rate
        self.timeline = Timeline()

    def tick(self, now: float) -> float:
        """Take a sample if one is due; returns when the next one is."""
        if now >= self._due:
            missed = int((now - self._due) / self._period)
            self._due += (missed + 1) * self._period
            sample = self._sampler.sample()
            if self._limited is not None:
                self._limited.sample()
            if sample is not None:
                self.timeline.append(sample)
            elif self._sampler.has_ended:
                self.stop()
        return self._due

    def stop(self) -> None:
        """Take no more samples; the timeline stays."""
        self._due = FOREVER
        self._sampler.close()
