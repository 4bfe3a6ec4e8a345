"""Finds the living processes of a launch, and signals all of them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable

import psutil

from pytest_gomem.base.processes import is_stopped
from pytest_gomem.supervisor.spawn import LAUNCH_MARK

_KILL_AGAIN = 0.005
_PATIENCE = 10.0  # seconds for the kernel to end killed processes


class Family:
    """A launched process, its descendants, and orphans with its session or launch mark."""

    def __init__(self, pid: int, mark: str) -> None:
        self.pid = pid
        self._mark = mark

    def members(self) -> list[int]:
        """Living pids."""
        return _twice(self._look)

    def _look(self) -> list[int]:
        family: dict[int, psutil.Process] = {}
        for process in psutil.Process().children(recursive=True):  # parents come before their children
            if self._is_root(process) or _parent(process) in family:
                family[process.pid] = process
        return [pid for pid, member in family.items() if _is_alive(member)]

    def _is_root(self, process: psutil.Process) -> bool:
        try:
            return (
                process.pid == self.pid
                or os.getsid(process.pid) == self.pid
                or process.environ().get(LAUNCH_MARK) == self._mark
            )
        except (psutil.Error, OSError):
            return False

    def terminate(self) -> None:
        """Send SIGTERM to each, and SIGCONT to stopped ones, which could not react to it."""
        members = self.members()
        send(signal.SIGTERM, members)
        send(signal.SIGCONT, filter(is_stopped, members))

    def kill(self, *, reaped: bool) -> bool:
        """Send SIGKILL to each; True if none was left. reaped: whether wait4 has returned the end of the first one.

        A process group is killed in one step, so that a process that forks all the time cannot escape.
        """
        members = self.members()
        # The kernel does not reuse the number of a group, so a process of that number is the first one or foreign.
        if not reaped or not psutil.pid_exists(self.pid):
            _kill_group(self.pid)
        for group in _groups(members) - {os.getpgrp()}:
            _kill_group(group)
        send(signal.SIGKILL, members)
        return reaped and not members


def living_descendants() -> list[int]:
    """Living pids below this process."""

    def look() -> list[int]:
        return [process.pid for process in psutil.Process().children(recursive=True) if _is_alive(process)]

    return _twice(look)


def _twice(look: Callable[[], list[int]]) -> list[int]:
    """Look again if nobody was found: one look can miss the children of a process that dies meanwhile."""
    return look() or look()


def kill_orphans_of(supervisor: int) -> None:
    """Send SIGKILL to what a killed supervisor has left."""
    mark = mark_of(supervisor, "")
    deadline = time.monotonic() + _PATIENCE
    while (orphans := _marked(mark)) and time.monotonic() < deadline:  # new ones may appear meanwhile
        send(signal.SIGKILL, orphans)
        time.sleep(_KILL_AGAIN)


def _marked(mark: str) -> list[int]:
    """Living pids with a launch mark that begins like this."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(LAUNCH_MARK, "").startswith(mark) and _is_alive(process):
                found.append(process.pid)
    return found


def mark_of(supervisor: int, launch: object) -> str:
    """The value of LAUNCH_MARK in all processes of one launch."""
    return f"{supervisor}-{launch}"


def send(number: signal.Signals, pids: Iterable[int]) -> list[int]:
    """Signal each process; returns those that we may not signal."""
    refused = []
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        except PermissionError:
            refused.append(pid)
    return refused


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _groups(pids: Iterable[int]) -> set[int]:
    groups = set()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            groups.add(os.getpgid(pid))
    return groups


def _parent(process: psutil.Process) -> int | None:
    try:
        return int(process.ppid())
    except psutil.Error:
        return None


def _is_alive(process: psutil.Process) -> bool:
    """Whether it is still running; a zombie is not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
