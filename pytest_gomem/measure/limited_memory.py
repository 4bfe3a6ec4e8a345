"""The metrics of a service under a memory limit: what its memory cgroup held at most, and how much room was left.

What counts in the group is more than the process's memory: the page cache of files that it reads or writes is in it.
The kernel takes that back when the limit is reached, so no service needs room for it.
"""

from __future__ import annotations

import mmap
from functools import partial

from pytest_gomem.base.unavailable import Unavailable, known, required
from pytest_gomem.base.units import BYTES, SECONDS, format_value
from pytest_gomem.cgroup.reading import SIMULATED, GroupReading
from pytest_gomem.config.gc_settings import go_bytes
from pytest_gomem.measure.metric import Better, Noise, Prior, Reading, metric
from pytest_gomem.measure.peak import kernel_peak
from pytest_gomem.measure.window import GroupEdges, Window, once_per_window
from pytest_gomem.measure.window_sources import joined

_RESERVED = 64 * mmap.PAGESIZE  # bytes that a CPU reserves ahead, MEMCG_CHARGE_BATCH in include/linux/memcontrol.h
_AHEAD = "+- 256 KiB per CPU: pages that it has reserved ahead"
_BY_SAMPLES = "as exact as the process's own peak, and the samples of its child processes"
_MUCH = 1 << 20  # bytes of page cache that are worth a word

_group_metric = partial(metric, group="memory", unit=BYTES, noise=Noise.MODERATE)
_PEAK_PRIOR = Prior(150e3, 3e-3)
_HEADROOM_PRIOR = Prior(600e3)  # what is left does not tell how much is used: this is that of a peak of 150 MB


def _bytes(value: float) -> str:
    return format_value(value, BYTES)


@_group_metric(better=Better.LOWER, sources=("peak of the memory cgroup",), precision=_AHEAD, prior=_PEAK_PRIOR)
def cgroup_peak(window: Window) -> Reading | Unavailable:
    """Highest memory of the service's cgroup in the window, page cache included."""
    group = required(window.group)
    peak = group.end.peak
    if group.by == SIMULATED:
        return Unavailable("the memory limit is simulated: there is no memory cgroup, and nothing counts page cache")
    if peak is None:
        return Unavailable("this kernel keeps no peak of a memory cgroup: on cgroup v2 it takes Linux 5.19")
    if not _is_own(group):
        return _of_its_life(group, peak)
    cache = f"page cache of up to {_bytes(_cache(group))} is in it" if _cache(group) > _MUCH else ""
    full = "it came up to the limit, where the kernel takes page cache back" if _is_full(window, group) else ""
    return Reading(peak, f"peak of the memory cgroup ({group.by})", note=joined(_floor(group), cache, full))


@_group_metric(
    better=Better.LOWER,
    sources=("memory.stat of the memory cgroup, sampled",),
    precision="a lower bound: a spike shorter than the time between two samples may be missed",
    prior=_PEAK_PRIOR,
)
def cgroup_anon_peak(window: Window) -> Reading | Unavailable:
    """Highest anonymous memory of the service's cgroup in the window: what page cache is not in."""
    group = required(window.group)
    peak = group.end.anon_peak
    if peak is None:
        return Unavailable("the anonymous memory of the service was never sampled")
    what = "RssAnon of its processes" if group.by == SIMULATED else f"memory.stat of the memory cgroup ({group.by})"
    gap = format_value(1 / window.sample_rate, SECONDS)
    return Reading(peak, f"{what}, sampled", f"a lower bound: a spike shorter than {gap} may be missed")


@_group_metric(
    better=Better.HIGHER,
    sources=("the limit, peaks of the memory cgroup and of the process",),
    precision=_AHEAD,
    prior=_HEADROOM_PRIOR,
)
def memory_headroom(window: Window) -> Reading | Unavailable:
    """How much of the memory limit was left at the peak, without page cache, which the kernel can take back."""
    group = required(window.group)
    source = f"memory_limit of {go_bytes(group.end.limit)} less the peak ({group.by})"
    if (group.end.oom_kills or 0) > ((group.start and group.start.oom_kills) or 0):
        return Reading(0.0, source, "exact", "the kernel killed a process at the limit")
    needed = _needed(window)
    left = group.end.limit - needed
    if group.by == SIMULATED:
        return Reading(left, source, "kernel memory is not known", "the limit is simulated")
    precision = _BY_SAMPLES if _is_full(window, group) else ""
    return Reading(max(left, 0), source, precision, _cache_words(window, left))


def _cache_words(window: Window, left: int) -> str:
    """What page cache has to do with it; left: bytes without it."""
    group = required(window.group)
    if left < _MUCH:
        return ""
    if _is_full(window, group):
        return "the group came up to its limit by page cache, which the kernel takes back"
    sure = group.end.limit - (group.end.peak or 0)
    cache = _bytes(_cache(group))
    return f"page cache of up to {cache} is left out: with it {_bytes(sure)}" if left - sure > _MUCH else ""


@once_per_window
def _needed(window: Window) -> int:
    """Bytes that could not be taken back at the peak; each way to see them can miss some, none counts page cache."""
    group = required(window.group)
    seen = [max(group.end.anon_peak or 0, _of_process(window)) + _beside(group)]
    if group.end.peak is not None and _is_own(group) and not _is_full(window, group):
        seen.append(group.end.peak - _cache(group))
        return min(max(seen), group.end.peak)
    return max(seen)


def _of_process(window: Window) -> int:
    """The process's own peak by the kernel, without the pages of files that it maps; 0 if unknown."""
    start, end = known(window.start), known(window.end)
    if window.tree and end is not None and end.processes > 1:
        return 0  # a sum of peaks that need not have come together
    files = [edge.file for edge in (start, end) if edge is not None and edge.file is not None]
    return max((kernel_peak(window) or 0) - max(files, default=0) - _mapped_between(required(window.group)), 0)


def _mapped_between(group: GroupEdges) -> int:
    """What was mapped of files within the window, and at neither of its edges."""
    edges = [reading.mapped for reading in _readings(group) if reading.mapped is not None]
    return max((group.end.mapped_peak or 0) - max(edges, default=0), 0)


def _beside(group: GroupEdges) -> int:
    """What a process's own memory is not, and nobody can take back: kernel memory, and files of a tmpfs."""
    return max((reading.kernel or 0) + (reading.shmem or 0) for reading in _readings(group))


def _cache(group: GroupEdges) -> int:
    """Page cache that could be taken back, the most that was sampled."""
    return group.end.cache_peak or 0


def _readings(group: GroupEdges) -> tuple[GroupReading, ...]:
    return (group.end,) if group.start is None else (group.start, group.end)


def _is_full(window: Window, group: GroupEdges) -> bool:
    """Whether the group came up to its limit, where the kernel takes page cache back before it kills."""
    return group.end.peak is not None and group.end.peak >= group.end.limit - _RESERVED * window.cpus


def _is_own(group: GroupEdges) -> bool:
    """Whether the kernel's peak came in the window: it was begun anew at the opening, or has risen since."""
    start, end = group.start, group.end
    return start is None or end.peak_since >= start.t or (end.peak or 0) > (start.peak or 0)


def _of_its_life(group: GroupEdges, peak: int) -> Unavailable:
    least = max(reading.current or 0 for reading in _readings(group))
    why = "the peak of the group's life, from before the window: Linux 6.12 is the first that can begin it anew (v2)"
    return Unavailable(f"it lies between {_bytes(least)} and {_bytes(peak)}, {why}", (least, peak))


def _floor(group: GroupEdges) -> str:
    start = group.start
    if start is None or start.current is None or group.end.peak_since < start.t:
        return ""
    return f"floor {_bytes(start.current)}, what the group held at the opening"


METRICS = (cgroup_peak, cgroup_anon_peak, memory_headroom)
