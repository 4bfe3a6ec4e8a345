"""Reads gctrace from a program's stderr: whole lines become GcCycles, all other bytes stay in the log.

The runtime prints a line in some forty writes. Other output to stderr can get between them: log lines of the program,
look-alikes in them, a child that inherited GODEBUG. So a line counts only if it is whole, has a number that can come
next, begins after the last cycle ended, and was read at the time when its own clock says that it ended.
"""

from __future__ import annotations

import re

from pytest_gomem.observe.records import GcCycle

_TOLERANCE = 0.25  # seconds from a cycle's end to the line's arrival, for delays of runtime and scheduler
_STARTUP = 1.0  # seconds from exec to the runtime's start, where `@` is 0
_CLOCK_STEP = 0.001  # `@` is cut to whole milliseconds

_MAX_LINE = 1024
_START = b"gc "
# Printed in one write, exactly once a cycle: outside of a whole line, each one belongs to a torn line.
_PIECE = b" MB globals, "
_SEAM = len(_PIECE) - 1

_INT = rb"(0|[1-9][0-9]{0,19})"
# runtime.fmtNSAsMS: two digits and at most three decimals, from 10 ms on whole milliseconds.
_MS = rb"(0|0\.0[0-9]{2}|0\.[1-9][0-9]|[1-9]\.[0-9]|[1-9][0-9]{1,19})"
_LINE = re.compile(
    b"gc INT @((?:0|[1-9][0-9]{0,19})\\.[0-9]{3})s INT%(?: \\(checking for goroutine leaks\\))?: "
    b"MS\\+MS\\+MS ms clock, MS\\+MS/MS/MS\\+MS ms cpu, INT->INT->INT MB, "
    b"INT MB goal, INT MB stacks, INT MB globals, INT P( \\(forced\\))?\n".replace(b"INT", _INT).replace(b"MS", _MS)
)


class GctraceReader:
    """Reads a program's stderr from its first byte on; it never changes the bytes between accepted lines.

    started: CLOCK_MONOTONIC seconds when the program was executed; None if unknown, as in a recorded stream or after a
    wrapper that takes more than a second: then a line is judged only by its number and its `@`.
    joins: whether another reader had the stream before, so that the first line may have any number.
    rejected: gctrace lines that were not accepted: torn ones, look-alikes and other programs' lines.
    """

    def __init__(self, started: float | None = None, *, joins: bool = False) -> None:
        self.rejected = 0
        self._arrival = None if started is None else _Arrival(started)
        self._held = b""
        self._seam = b""
        self._number = 0
        self._joins = joins
        self._end = 0.0
        self._missing = 0

    def feed(self, chunk: bytes, t: float | None = None, looked: float | None = None) -> tuple[list[GcCycle], bytes]:
        """The cycles that `chunk` completes, and the bytes that now belong in the log.

        t: CLOCK_MONOTONIC seconds when the chunk was read. A line may have waited since the stream was last read: since
        `looked`, when it was empty, or else since the last call.
        """
        if self._arrival is not None and t is not None:
            self._arrival.read(t, looked)
        data = self._held + chunk
        log: list[bytes] = []
        cycles: list[GcCycle] = []
        done = 0
        for line in _LINE.finditer(data):
            if not self._starts_line(data, line.start()):
                continue
            log.append(self._passed(data[done : line.start()]))
            done = line.end()
            cycle = _cycle(line, t)
            if self._accepts(cycle, timed=t is not None):
                cycles.append(cycle)
            else:
                log.append(line[0])
        cut = self._unfinished_line(data)
        log.append(self._passed(data[done:cut]))
        self._held = data[cut:]
        return cycles, b"".join(log)

    def close(self) -> bytes:
        """The unfinished last line, for the log."""
        held, self._held = self._held, b""
        return self._passed(held)

    def _starts_line(self, data: bytes, at: int) -> bool:
        before = data[at - 1 : at] if at else self._seam[-1:]
        return before in (b"", b"\n")

    def _unfinished_line(self, data: bytes) -> int:
        """Where an unfinished line begins that can still become a gctrace line; else the end of `data`."""
        at = data.rfind(b"\n") + 1
        tail = data[at : at + _MAX_LINE + 1]
        may_become_one = tail.startswith(_START) or _START.startswith(tail)
        return at if may_become_one and len(tail) <= _MAX_LINE and self._starts_line(data, at) else len(data)

    def _passed(self, text: bytes) -> bytes:
        """`text`, after counting its torn lines; a piece may straddle two texts."""
        torn = text.count(_PIECE) + (self._seam + text[:_SEAM]).count(_PIECE)
        self.rejected += torn
        self._missing += torn
        self._seam = (self._seam + text[-_SEAM:])[-_SEAM:]
        return text

    def _accepts(self, cycle: GcCycle, timed: bool) -> bool:
        """Whether this is the program's own next cycle; each missing line leaves room for one more number.

        A line that is rejected for its times may have been true, and counts as missing. Otherwise a single wrong
        rejection would reject all lines that follow.
        """
        possible = self._joins or self._number < cycle.number <= self._number + 1 + self._missing
        end = cycle.since_start + cycle.pause + cycle.concurrent_mark
        in_order = cycle.since_start + _CLOCK_STEP >= self._end
        if possible and in_order and (not timed or self._arrival is None or self._arrival.fits(end)):
            self._number, self._end, self._missing, self._joins = cycle.number, end, 0, False
            return True
        self.rejected += 1
        self._missing += possible
        return False


class _Arrival:
    """Checks that a line was read when its own clock says that its cycle ended; all times in seconds.

    The runtime's `@` begins some time after exec. Each accepted line bounds that moment. Then lines of a child, which
    started later, no longer fit.
    """

    def __init__(self, started: float) -> None:
        self._started = started
        self._latest_zero = started + _STARTUP
        self._read_at = started
        self._late = 0.0

    def read(self, t: float, looked: float | None = None) -> None:
        """Note a read of the pipe. After a long pause, lines that piled up arrive over several reads."""
        if looked is not None and looked > self._read_at:
            self._late = max(0.0, self._late - (looked - self._read_at))
            self._read_at = looked
        pause = t - self._read_at
        self._late = max(pause, self._late - pause)
        self._read_at = t

    def fits(self, end: float) -> bool:
        """Whether a cycle that ended at `end` on the program's clock can arrive now."""
        zero = self._read_at - end
        if not self._started - _CLOCK_STEP <= zero <= self._latest_zero + self._late + _TOLERANCE:
            return False
        self._latest_zero = min(self._latest_zero, zero)
        return True


def _cycle(line: re.Match[bytes], t: float | None) -> GcCycle:
    number, since_start, util, *figures, procs, forced = line.groups()
    seconds = [float(ms) / 1e3 for ms in figures[:8]]
    size = [int(mib) << 20 for mib in figures[8:]]
    return GcCycle(
        number=int(number),
        t=t,
        since_start=float(since_start),
        util=int(util),
        stw_sweep_term=seconds[0],
        concurrent_mark=seconds[1],
        stw_mark_term=seconds[2],
        cpu_sweep_term=seconds[3],
        cpu_assist=seconds[4],
        cpu_background=seconds[5],
        cpu_idle=seconds[6],
        cpu_mark_term=seconds[7],
        heap_start=size[0],
        heap_mark_end=size[1],
        heap_live=size[2],
        heap_goal=size[3],
        stacks=size[4],
        globals=size[5],
        procs=int(procs),
        forced=forced is not None,
    )
