"""What the kernel says of waiting for a CPU: run delays of threads, stolen time, throttling."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_STAT = Path("/proc/stat")
_NS, _US = 1e-9, 1e-6
# The value of a cgroup's cpu.stat that counts how long it was throttled, by version, with its unit in seconds.
_THROTTLED = {"throttled_usec": _US, "throttled_time": _NS}


@dataclass(frozen=True)
class Scheduling:
    """What threads have got of the CPUs since each began; all in seconds.

    threads: (ran, waited for a CPU) by thread id; {} where the kernel does not tell. machine: CPU time of the whole
    machine, all kinds together, and of it what the hypervisor gave to others (steal); None where unknown.
    throttled: by cgroup, how long its CPU quota stopped it, added up over the CPUs: all groups that the process is in.
    """

    threads: Mapping[int, tuple[float, float]]
    machine: tuple[float, float] | None
    throttled: Mapping[str, float]


def scheduling(pids: Iterable[int]) -> Scheduling:
    """One look at these processes, some 15 us for each of their threads."""
    members = list(pids)
    threads = {tid: times for pid in members for tid, times in _threads(pid)}
    return Scheduling(threads, _machine(), {str(f): s for f in _cpu_stats(members) if (s := _throttled(f)) is not None})


def _threads(pid: int) -> Iterator[tuple[int, tuple[float, float]]]:
    """A kernel without CONFIG_SCHED_INFO has no such file; one that was told not to count gives zeros."""
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
    """cpu.stat of the groups that the processes are in, and of those above: a quota may stand on any of them."""
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
            yield _CGROUPS / "cpu", group  # where controllers share a folder, a link of each one's name leads there


def _throttled(cpu_stat: Path) -> float | None:
    try:
        fields = dict(line.split(maxsplit=1) for line in cpu_stat.read_text().splitlines() if " " in line)
        return next((int(fields[name]) * unit for name, unit in _THROTTLED.items() if name in fields), None)
    except (OSError, ValueError):
        return None
