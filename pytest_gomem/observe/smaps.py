"""Reads /proc/PID/smaps: how much is resident in each kind of mapping, with the Go heap as one kind.

The Go heap has a name if the kernel keeps names (CONFIG_ANON_VMA_NAME, Linux 5.17) and the program is of Go 1.25 or
later (runtime/set_vma_name_linux.go). Else it is found by its place. Arenas are reserved in units of 64 MiB
(heapArenaBytes in runtime/malloc.go). Up to Go 1.25, and with -race, they are asked for at the hints 0xXXc0 << 32
(arm64: 0xXX40 << 32); from Go 1.26 on at a random address in the lower half of the address space
(randomizeHeapBase). glibc's malloc reserves arenas of the same 64 MiB, but where the kernel places them: in the upper
half.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_gomem.base.errors import ObserveError

_ARENA = 64 << 20  # heapArenaBytes on 64-bit Linux, and HEAP_MAX_SIZE of glibc's malloc/arena.c
_HINT_CYCLE = 1 << 40  # the hints differ in the bits above
_HINTS = (0xC0 << 32, 0x40 << 32)
_USUAL_STACK = 0x7FFF << 32  # x86-64, for a process without [stack]

_HEADER = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+ *(.*)$", re.MULTILINE)
_FIELDS = ("Rss", "AnonHugePages", "LazyFree", "Swap")  # in the order of Resident's
_FIELD = re.compile(rf"^({'|'.join(_FIELDS)}): +(\d+) kB$", re.MULTILINE)
_GO = "[anon: Go: "
_GO_HEAP = ("heap]", "heap reservation]", "used]", "unused]")  # the last two: GODEBUG=harddecommit=1
_GO_STACKS = ("OS thread stack]", "goroutine stack (system)]")
_SHARED = ("[anon_shmem:", "/dev/zero", "/memfd:", "/SYSV", "/dev/shm/")


@dataclass(frozen=True)
class Resident:
    """What mappings of one kind hold, bytes.

    rss: resident. Parts of it are huge: in transparent huge pages (AnonHugePages), and lazy_free: given back by
    MADV_FREE, which the kernel takes when it needs it (LazyFree). swap: swapped out, not in rss.
    """

    rss: int = 0
    huge: int = 0
    lazy_free: int = 0
    swap: int = 0


@dataclass(frozen=True)
class SmapsTotals:
    """/proc/PID/smaps summed by kind of mapping; each mapping is in one kind, so that the kinds sum to `rss`.

    go_heap: the arenas: spans of objects and goroutine stacks, idle spans, the collector's work buffers.
    go_runtime: what else the runtime maps, if mappings have names; otherwise it is in `anonymous`.
    stacks: of the main thread, and of other threads if mappings have names.
    malloc: brk's [heap], arenas of glibc's malloc, anonymous memory with a name that is not Go's.
    anonymous: other unnamed anonymous memory: the runtime's tables unless `named`, mmap, C's stacks.
    shared_memory: shared anonymous mappings, memfd, System V and POSIX shared memory.
    binary: text, rodata, data and bss of the executable. files: all other files. kernel: vdso and the like.
    """

    t: float
    go_heap: Resident
    go_runtime: Resident
    stacks: Resident
    malloc: Resident
    anonymous: Resident
    shared_memory: Resident
    binary: Resident
    files: Resident
    kernel: Resident

    @property
    def kinds(self) -> tuple[Resident, ...]:
        """All kinds, each once."""
        return tuple(getattr(self, kind) for kind in _KINDS)

    @property
    def named(self) -> bool:
        """Whether Go's mappings have names: some of its tables are resident in every process."""
        return self.go_runtime.rss > 0

    @property
    def rss(self) -> int:
        """Resident bytes, counted page by page: exact, while VmRSS can lag (see peak_rss)."""
        return sum(kind.rss for kind in self.kinds)

    @property
    def swap(self) -> int:
        """Bytes that are swapped out."""
        return sum(kind.swap for kind in self.kinds)


_KINDS = tuple(name for name in SmapsTotals.__dataclass_fields__ if name != "t")


@dataclass(frozen=True)
class _Mapping:
    start: int
    end: int
    private: bool
    writable: bool
    name: str
    resident: Resident


_Arena = list[_Mapping]


def read_smaps(pid: int) -> SmapsTotals:
    """The process's mappings now, at the price of a walk over its page tables (some ms per GB).

    The process may change its mappings meanwhile. Raises ObserveError if the system is not Linux, or the process has
    ended or cannot be read.
    """
    if sys.platform != "linux":
        raise ObserveError(f"only Linux shows the mappings of a process, this is {sys.platform}")
    t = time.monotonic()
    try:
        exe = str(Path(f"/proc/{pid}/exe").readlink())
        text = Path(f"/proc/{pid}/smaps").read_bytes().decode("utf-8", "surrogateescape")
    except PermissionError:
        raise ObserveError(f"reading the mappings of process {pid} (/proc/{pid}/smaps) is not allowed") from None
    except OSError:
        raise ObserveError(f"process {pid} has ended, or this kernel keeps no /proc/PID/smaps") from None
    if not text:
        raise ObserveError(f"process {pid} has ended")
    return parse_smaps(text, exe, t)


def parse_smaps(text: str, exe: str, t: float) -> SmapsTotals:
    """The totals of smaps as read at CLOCK_MONOTONIC `t` from a process that runs the file `exe`.

    Raises ObserveError for another text.
    """
    mappings = list(_mappings(text))
    if not mappings:
        raise ObserveError(f"this is not a /proc/PID/smaps: {text[:60]!r}")
    named = any(mapping.name.startswith(_GO) for mapping in mappings)
    found: dict[str, list[Resident]] = {}
    for kind, mapping in _kinds(mappings, exe, named):
        found.setdefault(kind, []).append(mapping.resident)
    return SmapsTotals(t=t, **{kind: _sum(found.get(kind, ())) for kind in _KINDS})


def _sum(parts: Iterable[Resident]) -> Resident:
    columns = zip(*((part.rss, part.huge, part.lazy_free, part.swap) for part in parts), strict=True)
    return Resident(*map(sum, columns))


def _mappings(text: str) -> Iterator[_Mapping]:
    """Each mapping: a header line, then `Field: N kB` lines (fs/proc/task_mmu.c)."""
    headers = list(_HEADER.finditer(text))
    ends = [*(header.start() for header in headers[1:]), len(text)]
    for header, end in zip(headers, ends, strict=False):
        fields = dict(_FIELD.findall(text, header.end(), end))
        first, last, mode, name = header.groups()
        resident = Resident(*(int(fields.get(field, 0)) * 1024 for field in _FIELDS))
        yield _Mapping(int(first, 16), int(last, 16), mode[3] == "p", mode[1] == "w", name, resident)


def _kinds(mappings: Sequence[_Mapping], exe: str, named: bool) -> Iterator[tuple[str, _Mapping]]:
    """Each mapping with the field of SmapsTotals that counts it."""
    lower, upper = _arenas(mappings)
    go_heap = set() if named else _go_arenas(lower)
    # If the Go heap was not found, one of these may be it: the bill then takes it from the anonymous memory.
    glibc = {part.start for arena in upper for part in arena} if go_heap or named else set()
    before = None
    for mapping in mappings:
        if mapping.name:
            yield _kind_of_name(mapping.name, exe), mapping
        elif mapping.start in go_heap:
            yield "go_heap", mapping
        elif mapping.start in glibc:
            yield "malloc", mapping
        elif before is not None and _is_data(before, exe) and before.end == mapping.start:
            yield "binary", mapping  # bss has no file, and follows the data
        else:
            yield "anonymous", mapping
        before = mapping


def _is_data(mapping: _Mapping, exe: str) -> bool:
    return mapping.name == exe and mapping.writable


def _kind_of_name(name: str, exe: str) -> str:
    if name.startswith(_GO):
        use = name.removeprefix(_GO)
        return "go_heap" if use in _GO_HEAP else "stacks" if use in _GO_STACKS else "go_runtime"
    if name.startswith(_SHARED):
        return "shared_memory"
    if name == "[heap]" or name.startswith("[anon:"):
        return "malloc"
    if name.startswith("["):
        return "stacks" if name.startswith("[stack") else "kernel"
    return "binary" if name == exe else "files"


def _arenas(mappings: Sequence[_Mapping]) -> tuple[list[_Arena], list[_Arena]]:
    """The runs that look like arenas, in the lower and in the upper half of the address space."""
    stack = next((mapping.start for mapping in mappings if mapping.name == "[stack]"), _USUAL_STACK)
    half = 1 << (stack.bit_length() - 1)
    arenas = list(_aligned(mappings))
    return [arena for arena in arenas if arena[0].start < half], [arena for arena in arenas if arena[0].start >= half]


def _aligned(mappings: Sequence[_Mapping]) -> Iterator[_Arena]:
    """Gapless runs of unnamed private memory that begin, and then first end, at a multiple of an arena's size."""
    run: _Arena = []
    for mapping in mappings:
        if mapping.name or not mapping.private or (run and run[-1].end != mapping.start):
            run = []
        if mapping.name or not mapping.private or not (run or mapping.start % _ARENA == 0):
            continue
        run.append(mapping)
        if mapping.end % _ARENA == 0:
            yield run
            run = []


def _go_arenas(lower: Sequence[_Arena]) -> set[int]:
    """Where the mappings of the Go heap start.

    If an arena is at a fixed hint, only those at hints count: the race detector's shadow memory looks like arenas too,
    and is elsewhere. A race build never has a random base.
    """
    hints = {arena[0].start % _HINT_CYCLE for arena in lower} & set(_HINTS)
    base = max(hints, default=0)
    return {part.start for arena in lower if arena[0].start % _HINT_CYCLE >= base for part in arena}
