"""Reads from the kernel how long threads waited for a CPU: run delays, stolen time, throttling."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_STAT = Path("/proc/stat")
_NS, _US = 1e-9, 1e-6
# The field of a cgroup's cpu.stat for how long it was throttled, with its unit in seconds, by version.
_THROTTLED = {"throttled_usec": _US, "throttled_time": _NS}


@dataclass(frozen=True)
class Scheduling:
    """How threads got CPU time since each began; all in seconds.

    threads: (ran, waited for a CPU) by thread id; {} if unknown. machine: CPU time of the whole machine, all kinds
    together, and how much of it the hypervisor gave to others (steal); None if unknown.
    throttled: for each cgroup of the process, how long its CPU quota stopped it, summed over the CPUs.
    """

    threads: Mapping[int, tuple[float, float]]
    machine: tuple[float, float] | None
    throttled: Mapping[str, float]


def scheduling(pids: Iterable[int]) -> Scheduling:
    """A reading of these processes, which takes some 15 us for each thread."""
    members = list(pids)
    threads = {tid: times for pid in members for tid, times in _threads(pid)}
    return Scheduling(threads, _machine(), {str(f): s for f in _cpu_stats(members) if (s := _throttled(f)) is not None})


def _threads(pid: int) -> Iterator[tuple[int, tuple[float, float]]]:
    """Run times by thread. A kernel without CONFIG_SCHED_INFO has no such file; one that does not count gives zeros."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return
    for task in tasks:
        try:
            ran, waited, slices = (task / "schedstat").read_bytes().split()
        except (OSError, ValueError):
            continue
        if slices != b"0":
            yield int(task.name), (int(ran) * _NS, int(waited) * _NS)


def _machine() -> tuple[float, float] | None:
    try:
        with _STAT.open("rb") as file:
            ticks = [int(field) for field in file.readline().split()[1:9]]  # what guests ran is in the first two
        return sum(ticks) / os.sysconf("SC_CLK_TCK"), ticks[7] / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


def _cpu_stats(pids: Iterable[int]) -> list[Path]:
    """cpu.stat of the processes' groups, and of those above: any of them may have a quota."""
    found: dict[Path, None] = {}
    for pid in pids:
        for top, group in _groups(pid):
            folder = top / group.strip("/")
            found.update(dict.fromkeys(at / "cpu.stat" for at in (folder, *folder.parents) if at.is_relative_to(top)))
    return list(found)


def _groups(pid: int) -> Iterator[tuple[Path, str]]:
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            yield _CGROUPS, group
        elif "cpu" in controllers.split(","):
            yield _CGROUPS / "cpu", group  # controllers that share a folder have links to it


def _throttled(cpu_stat: Path) -> float | None:
    try:
        fields = dict(line.split(maxsplit=1) for line in cpu_stat.read_text().splitlines() if " " in line)
        return next((int(fields[name]) * unit for name, unit in _THROTTLED.items() if name in fields), None)
    except (OSError, ValueError):
        return None
