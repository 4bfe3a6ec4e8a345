"""What a service's memory cgroup says at one moment, and the parsing of the kernel's files."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GroupReading:
    """Bytes of a whole group, which is the service with all processes that it started. None: the source has no figure.

    t: CLOCK_MONOTONIC. current, peak: all that is charged, page cache included; the peak is the kernel's own, never
    sampled, since `peak_since`. It counts pages that a CPU has reserved and not used yet, up to 256 KiB a CPU.
    anon: anonymous pages (v1 `total_rss`, v2 `anon` of memory.stat; simulated: RssAnon of the processes).
    anon_peak: the highest `anon` that the supervisor sampled since `sampled_since`; a shorter spike is missed.
    file: page cache; `shmem` is the part of it that cannot be written back, such as files of a tmpfs; cache_peak: the
    highest `file` without it, sampled as `anon_peak` is. mapped, mapped_peak: now, and the highest of that part of it
    which processes have mapped (simulated: RssFile of the processes), sampled as well.
    kernel: page tables, stacks, slab and sockets (v1 memory.kmem.usage_in_bytes, v2 `kernel` of memory.stat).
    oom_kills: processes of the group that the kernel killed at the limit since the launch (v1 `oom_kill` of
    memory.oom_control, v2 that of memory.events). The victim can be a child of the service.
    """

    t: float
    limit: int
    current: int | None
    peak: int | None
    anon: int | None
    file: int | None
    kernel: int | None
    anon_peak: int | None
    oom_kills: int | None
    peak_since: float
    shmem: int | None = None
    cache_peak: int | None = None
    sampled_since: float = 0.0
    mapped: int | None = None
    mapped_peak: int | None = None


@dataclass(frozen=True)
class FileNames:
    """Where one version of cgroups has each figure: the files of a group, and the names within memory.stat."""

    by: str
    limit: str
    swap: str
    current: str
    peak: str
    events: str
    anon: str
    file: str
    shmem: str
    mapped: str
    kernel: str  # a file on v1, a name within memory.stat on v2


SIMULATED = "simulated"  # holds a limit without a cgroup
STAT = "memory.stat"
V1 = FileNames(
    by="cgroup v1",
    limit="memory.limit_in_bytes",
    swap="memory.memsw.limit_in_bytes",
    current="memory.usage_in_bytes",
    peak="memory.max_usage_in_bytes",
    events="memory.oom_control",
    anon="total_rss",
    file="total_cache",
    shmem="total_shmem",
    mapped="total_mapped_file",
    kernel="memory.kmem.usage_in_bytes",
)
V2 = FileNames(
    by="cgroup v2",
    limit="memory.max",
    swap="memory.swap.max",
    current="memory.current",
    peak="memory.peak",
    events="memory.events",
    anon="anon",
    file="file",
    shmem="shmem",
    mapped="file_mapped",
    kernel="kernel",
)
# Before Linux 5.18 memory.stat of v2 has no sum.
_KERNEL_PARTS = ("kernel_stack", "pagetables", "percpu", "sock", "vmalloc", "slab")


def figure(text: bytes | None, name: str) -> int | None:
    """The number after a name at the begin of a line, as in memory.stat; None where there is none."""
    if text is None:
        return None
    mark = b"\n" + name.encode() + b" "
    at = (b"\n" + text).find(mark)
    if at < 0:
        return None
    begin = at + len(mark) - 1
    return int(text[begin : text.index(b"\n", begin)])


def kernel_part(stat: bytes | None) -> int | None:
    """Bytes of kernel memory by memory.stat of v2; the sum of its parts where the kernel gives no sum."""
    total = figure(stat, V2.kernel)
    if total is not None:
        return total
    parts = [part for name in _KERNEL_PARTS if (part := figure(stat, name)) is not None]
    return sum(parts) if parts else None
