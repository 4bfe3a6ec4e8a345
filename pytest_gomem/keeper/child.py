"""Owns one process in the keeper's care: its pipes, log, GC lines, timeline, family and end."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import deque
from dataclasses import astuple

import psutil

from pytest_gomem.keeper.log import LogTail
from pytest_gomem.keeper.pipe import DrainedPipe
from pytest_gomem.keeper.protocol import ChildState, ExitRecord, LaunchRequest, Message
from pytest_gomem.keeper.spawn import small_forker, spawn
from pytest_gomem.keeper.timeline import Timeline
from pytest_gomem.observe import kernel, oom
from pytest_gomem.observe.gctrace import GctraceReader
from pytest_gomem.observe.records import GcCycle

LAUNCH_MARK = "PYTEST_GOMEM_LAUNCH"
MAX_CYCLES = 500_000
_OOM_LOOK_EVERY = 1.0


class Child:
    """A launched program, or with `launched` False one that is only watched and never touched."""

    def __init__(self, request: LaunchRequest, mark: str) -> None:
        self.mark = mark
        self.stdout, self.stderr = DrainedPipe(), DrainedPipe()
        env = {**request.env, LAUNCH_MARK: mark}
        self.started = time.monotonic()
        try:
            self.pid = spawn(request.argv, env, request.cwd, self.stdout.write_fd, self.stderr.write_fd)
        except OSError:
            self.stdout.close()
            self.stderr.close()
            raise
        self.log = LogTail(request.log_bytes)
        self.watch = Watch(self.pid, request.tree, request.sample_rate)
        self.gctrace = GctraceReader(self.started) if request.gctrace else None
        self.cycles: deque[GcCycle] = deque(maxlen=MAX_CYCLES)
        self.exit: ExitRecord | None = None
        self.kill_at: float | None = None
        self.killed = False
        self._oom_before: dict[str, int] = {}
        self._oom_due = 0.0

    def tick(self, now: float) -> None:
        """Drain, sample if due, look at OOM counters once a second, and kill if the grace after SIGTERM is over."""
        if self.exit is None:
            self.drain()
            self.watch.tick(now)
            if now >= self._oom_due:
                self._oom_due = now + _OOM_LOOK_EVERY
                self._oom_before = {**oom.counters(self.pid), **self._oom_before}
        if self.kill_at is not None and now >= self.kill_at:
            self.kill()

    def drain(self) -> bool:
        """Move what waits in the pipes to the log and the GC cycles; False when nothing was waiting."""
        out, err = self.stdout.read(), self.stderr.read()
        self.log.append(out)
        if self.gctrace is None:
            self.log.append(err)
        else:
            # Also without bytes: the reader derives from its last call how long a line may have waited.
            cycles, rest = self.gctrace.feed(err, time.monotonic())
            self.cycles.extend(cycles)
            self.log.append(rest)
        return bool(out or err)

    def ended(self, status: int, usage: object) -> None:
        """Record the end that wait4 reported, and take what is left in the pipes."""
        by_signal = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        proof = oom.rose(self._oom_before) if by_signal == signal.SIGKILL and not self.killed else None
        self.exit = ExitRecord(
            t=time.monotonic(),
            code=None if by_signal is not None else os.WEXITSTATUS(status),
            signal=by_signal,
            max_rss=_max_rss(usage) if small_forker() else None,
            cpu=usage.ru_utime + usage.ru_stime,  # type: ignore[attr-defined]
            oom=proof or "",
        )
        while self.drain():
            pass
        if self.gctrace is not None:
            self.log.append(self.gctrace.close())

    def terminate(self, grace: float) -> None:
        """SIGTERM to the whole family now, SIGKILL to what is left after `grace` seconds."""
        if self.kill_at is None:
            self.kill_at = time.monotonic() + grace
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to the whole family."""
        self.killed = True
        self.kill_at = None
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self.members():
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):
                continue

    def members(self) -> list[int]:
        """Living pids of the family: descendants, and orphans known by the launch mark or the session."""
        roots = [process for process in psutil.Process().children() if self._is_root(process)]
        family = [member for root in roots for member in (root, *_descendants(root))]
        return [member.pid for member in family if is_alive(member)]

    def _is_root(self, process: psutil.Process) -> bool:
        try:
            return (
                process.pid == self.pid
                or os.getsid(process.pid) == self.pid
                or process.environ().get(LAUNCH_MARK) == self.mark
            )
        except (psutil.Error, OSError):
            return False

    def state(self) -> ChildState:
        """What the client may know."""
        return ChildState(
            pid=self.pid,
            started=self.started,
            exit=self.exit,
            log_end=self.log.end,
            stalls=self.stdout.stalls + self.stderr.stalls,
            stalled=self.stdout.stalled + self.stderr.stalled,
        )

    def gc_message(self, since: float, until: float) -> Message:
        """The accepted cycles read in [since, until], as rows, and the number of rejected lines so far."""
        rows = [astuple(cycle) for cycle in self.cycles if cycle.t is not None and since <= cycle.t <= until]
        return {"cycles": rows, "rejected": self.gctrace.rejected if self.gctrace else 0}

    def close(self) -> None:
        """Give the pipes back."""
        self.stdout.close()
        self.stderr.close()


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie does not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


class Watch:
    """Samples a process at a fixed rate into a timeline; a late point is skipped, never caught up in a burst."""

    def __init__(self, pid: int, tree: bool, rate: float) -> None:
        self._sampler = kernel.Sampler(pid, tree)
        self._period = 1.0 / rate
        self.due = time.monotonic()
        self.timeline = Timeline()

    def tick(self, now: float) -> None:
        """Take a sample if one is due."""
        if now < self.due:
            return
        missed = int((now - self.due) / self._period)
        self.due += (missed + 1) * self._period
        sample = self._sampler.sample()
        if sample is not None:
            self.timeline.append(sample)


def _max_rss(usage: object) -> int:
    scale = 1 if sys.platform == "darwin" else 1024
    return int(usage.ru_maxrss) * scale  # type: ignore[attr-defined]
