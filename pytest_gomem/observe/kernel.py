"""Asks the kernel about a process: RSS and its exact peak, threads, descriptors, CPU time, PSS."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

import psutil

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.records import KernelReading
from pytest_gomem.observe.scheduling import scheduling

_RESET_PEAK = b"5"  # fs/proc/task_mmu.c CLEAR_REFS_MM_HIWATER_RSS, Linux 4.0


def keeps_peak() -> bool:
    """Whether this system keeps a peak RSS per process (VmHWM): Linux does, macOS and Windows do not."""
    return sys.platform == "linux"


def peak_rss(pid: int) -> int | None:
    """VmHWM of /proc/PID/status in bytes; None if the system keeps none, or the process has ended."""
    return _figure(_status(pid), b"VmHWM")


def _status(pid: int) -> bytes:
    """Nothing if the system has no such file, or the process has ended."""
    try:
        return Path(f"/proc/{pid}/status").read_bytes() if keeps_peak() else b""
    except OSError:
        return b""


def _figure(status: bytes, name: bytes) -> int | None:
    """Bytes that a line of /proc/PID/status tells."""
    at = status.find(b"\n" + name + b":")
    return int(status[at + len(name) + 2 : status.index(b"kB", at)]) * 1024 if at >= 0 else None


def reset_peak(pid: int) -> bool:
    """Set VmHWM to the current RSS; False if the system or its permissions do not allow it."""
    if not keeps_peak():
        return False
    try:
        Path(f"/proc/{pid}/clear_refs").write_bytes(_RESET_PEAK)
    except OSError:
        return False
    return True


def image(pid: int) -> str:
    """A text that changes only when the process replaces its program by exec; "" if unknown.

    Each exec puts stack and vDSO at new random addresses, which are in the auxiliary vector. The path of the program is
    no such text: it changes when somebody builds it anew.
    """
    try:
        program = Path(f"/proc/{pid}/exe").stat()
        return f"{program.st_dev}:{program.st_ino} {Path(f'/proc/{pid}/auxv').read_bytes().hex()}"
    except OSError:
        return ""


def started(pid: int) -> float:
    """When the process was forked, CLOCK_MONOTONIC seconds in ticks of 10 ms; only on Linux. Raises OSError."""
    stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    since_boot = int(stat[stat.rindex(")") + 2 :].split()[19]) / os.sysconf("SC_CLK_TCK")
    return since_boot - (time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic())


def pids_by_namespace(pid: int) -> tuple[int, ...]:
    """The pids of the process: ours, then those in its own PID namespaces."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return tuple(map(int, line.split()[1:]))
    return (pid,)


def cpu_seconds(process: psutil.Process) -> float:
    """User + system seconds since the process started; in ns steps on Linux, elsewhere in psutil's steps (10 ms)."""
    if sys.platform == "linux":
        # The CPU clock of another process, as clock_getcpuclockid(3) builds its id.
        try:
            return time.clock_gettime(((~process.pid) << 3) | 2)
        except OSError:
            pass
    times = process.cpu_times()
    return float(times.user + times.system)


def family(pid: int, tree: bool) -> list[psutil.Process]:
    """The process, and with `tree` its living descendants; raises ObserveError when it has ended."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            raise ObserveError(f"process {pid} has ended")
        return [process, *(process.children(recursive=True) if tree else ())]
    except psutil.NoSuchProcess:
        raise ObserveError(f"process {pid} has ended") from None
    except psutil.AccessDenied:
        raise _not_ours(pid) from None


def has_ended(pid: int | None) -> bool:
    """Whether the process is known to have ended; a zombie has ended too."""
    try:
        return pid is not None and psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


def stopped_words(pid: int | None) -> str:
    """The message that the process is stopped, and what to do; "" if it is not, or if that is unknown."""
    try:
        status = psutil.Process(pid).status() if pid is not None else ""
    except psutil.Error:
        return ""
    if status == psutil.STATUS_STOPPED:
        return f"process {pid} is stopped (state T): send it SIGCONT"
    return f"process {pid} is stopped by a debugger (state t)" if status == psutil.STATUS_TRACING_STOP else ""


def _not_ours(pid: int) -> ObserveError:
    return ObserveError(f"process {pid} belongs to another user: reading its memory is not allowed")


def read(pid: int, *, tree: bool = False, pss: bool = False) -> KernelReading:
    """One reading; with `tree` the sum over the descendants, where the sum of peaks is an upper bound.

    Raises ObserveError if the process has ended or cannot be read.
    """
    try:
        members = family(pid, tree)
        readings = [one for one in (_read_one(member, pss) for member in members) if one is not None]
    except psutil.AccessDenied:
        raise _not_ours(pid) from None
    if not readings:
        raise ObserveError(f"process {pid} has ended")
    return KernelReading(
        t=readings[0].t,
        rss=sum(one.rss for one in readings),
        hwm=sum_known([one.hwm for one in readings]),
        threads=sum(one.threads for one in readings),
        fds=sum_known([one.fds for one in readings]),
        cpu=sum(one.cpu for one in readings),
        processes=len(readings),
        pss=sum_known([one.pss for one in readings]),
        scheduling=scheduling(member.pid for member in members),
        file=sum_known([one.file for one in readings]),
    )


def sum_known(values: list[int | None]) -> int | None:
    """The sum; None if one is unknown."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _read_one(process: psutil.Process, pss: bool) -> KernelReading | None:
    """One process's reading; None if it has ended: 0 would be wrong."""
    try:
        status = _status(process.pid)
        hwm = _figure(status, b"VmHWM")
        rss = int(process.memory_info().rss)
        if rss == 0 or (hwm is None and keeps_peak()):
            return None
        return KernelReading(
            t=time.monotonic(),
            rss=rss,
            # RSS is read after the peak and may have grown past it in between.
            hwm=None if hwm is None else max(hwm, rss),
            threads=process.num_threads(),
            fds=descriptors(process),
            cpu=cpu_seconds(process),
            pss=_pss(process) if pss else None,
            file=_figure(status, b"RssFile"),
        )
    except psutil.NoSuchProcess:
        return None


def _pss(process: psutil.Process) -> int | None:
    """The PSS; None if the system keeps none, or smaps_rollup belongs to another user."""
    try:
        return getattr(process.memory_full_info(), "pss", None)
    except psutil.AccessDenied:
        return None


def descriptors(process: psutil.Process) -> int | None:
    """How many descriptors a process has open; None if unknown."""
    try:
        return process.num_fds() if os.name == "posix" else None
    except psutil.Error:
        return None


_THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def thp_mode() -> str | None:
    """The mode of transparent huge pages, the chosen word of "always [madvise] never"; None if unknown."""
    try:
        words = _THP.read_text().split()
    except OSError:
        return None
    return next((word.strip("[]") for word in words if word.startswith("[")), None)


def may_print_gctrace(pid: int) -> bool:
    """False if its environment is known and has no gctrace, or if it has ended."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        Path(f"/proc/{pid}/exe").readlink()
    except OSError:
        return True
    return b"gctrace=" in environment
