"""The folder of groups of one supervisor, named so that the next run finds and removes it if nobody else did."""

from __future__ import annotations

import contextlib
import os
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from pytest_gomem.cgroup.group import clear, groups_below

_NAME = re.compile(r"pytest-gomem-(\d+)-(\d+)-(\d+)")
_MOST_GROUPS = 5000  # groups that are looked at: a host of containers has some hundreds, at 20 us each


def own_name() -> str:
    """The name for this process's folder: its pid, when it started, and the namespace in which that pid is its own."""
    return f"pytest-gomem-{os.getpid()}-{_started(os.getpid())}-{_pid_namespace()}"


def owned(path: Path) -> bool:
    """Whether a folder is one of some supervisor."""
    return _NAME.fullmatch(path.name) is not None


def remove_leftovers(root: Path) -> list[Path]:
    """Kill and remove what supervisors that are gone have left below `root`; returns their folders."""
    left = [folder for folder in _folders(root) if _is_orphan(folder)]
    for folder in left:
        clear(folder)
    return left


def _folders(root: Path) -> Iterator[Path]:
    waiting, looked = deque([root]), 0
    while waiting and looked < _MOST_GROUPS:
        for folder in groups_below(waiting.popleft()):
            looked += 1
            if owned(folder):
                yield folder
            else:
                waiting.append(folder)


def _is_orphan(folder: Path) -> bool:
    found = _NAME.fullmatch(folder.name)
    assert found is not None
    pid, started, namespace = map(int, found.groups())
    return namespace == _pid_namespace() and _started(pid) != started


def _started(pid: int) -> int | None:
    """Clock ticks from boot to the start of a process, field 22 of /proc/PID/stat; None if there is no such process."""
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        fields = stat[stat.rindex(")") + 2 :].split()
        return None if fields[0] in "ZX" else int(fields[19])
    return None


def _pid_namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino
