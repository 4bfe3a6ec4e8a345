"""The RSS breakdown: rows that sum to a process's RSS, each with what lowers it, and where to look first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_gomem.base.unavailable import known, required
from pytest_gomem.base.units import BYTES, RATIO, format_value
from pytest_gomem.measure.window import Window, once_per_window
from pytest_gomem.measure.window_sources import memstats
from pytest_gomem.observe.records import MemStats
from pytest_gomem.observe.smaps import SmapsTotals

# Of what MemStats counts as mapped for tables, this much at least is never touched: 1.6 to 4.2 MB on Go 1.21, 1.24
# and 1.26, heaps of 1 MB to 1 GB and up to 100 000 goroutines. The lower end, so that no tables pass for C's memory.
_UNTOUCHED_TABLES = 1_500_000

_FOLLOWING = ("garbage", "fragmentation", "free", "huge_pages", "runtime")  # rows that grow with the live heap
_MULTIPLIED = 1.5  # from this growth of the live heap on, it explains the rows that follow it
_CAUSING = 0.25  # of the largest growth: GOGC=100 leaves as much garbage as lives, GOGC=400 four times as much


@dataclass(frozen=True)
class RowKind:
    """What a row of the bill is: its title, where to look, what lowers it, and how exact it is, in words."""

    title: str
    look: str
    remedy: str
    precision: str


_UNTOUCHED = "exact where the whole heap is resident: pages never touched are taken off free pages"

ROW_KINDS: Mapping[str, RowKind] = {
    "live_heap": RowKind(
        "live heap",
        "look in the code",
        "release what it still reaches; the heap profile (inuse_space) names who allocated it",
        f"{_UNTOUCHED}, fragmentation, stacks and garbage first",
    ),
    "garbage": RowKind(
        "garbage awaiting GC",
        "look at GOGC",
        "a lower one, or a GOMEMLIMIT, collects earlier; code that allocates less leaves less",
        f"moves with each cycle; {_UNTOUCHED}, fragmentation and stacks first",
    ),
    "heap_objects": RowKind(
        "live heap and garbage",
        "look in the code, then at GOGC",
        "without MemStats after a forced GC the two cannot be told apart",
        f"moves with each cycle; {_UNTOUCHED}, fragmentation and stacks first",
    ),
    "fragmentation": RowKind(
        "fragmentation",
        "look in the code",
        "a span stays in use while one object in it lives: keep few of many objects in copies",
        f"moves with each cycle; {_UNTOUCHED} first",
    ),
    "free": RowKind(
        "free but not returned",
        "look at the memory limit",
        "near a GOMEMLIMIT the runtime returns pages, debug.FreeOSMemory returns all; a lower peak leaves less",
        "at most: pages never touched are taken off this row first",
    ),
    "stacks": RowKind(
        "stacks",
        "look in the code",
        "end goroutines, or call less deeply; the goroutine profile names who started them",
        f"{_UNTOUCHED} and fragmentation first; stacks of C's threads count as cgo",
    ),
    "runtime": RowKind(
        "runtime tables",
        "look in the code",
        "a smaller heap of fewer objects needs less, and fewer goroutines do",
        "exact where the kernel names Go's mappings, else up to 3 MB too high where there is cgo or mmap",
    ),
    "go": RowKind(
        "Go runtime memory",
        "look at MemStats",
        "without it heap, stacks and free pages cannot be told apart",
        "exact; without names of mappings, the runtime's tables are not in it",
    ),
    "files": RowKind(
        "binary and file pages",
        "look in the code",
        "map less of files, or make the binary smaller; the kernel takes clean pages back when it needs them",
        "exact",
    ),
    "cgo": RowKind(
        "cgo and mmap",
        "look at cgo",
        "C code, C libraries and mmap hold it; neither GOGC nor GOMEMLIMIT reaches them",
        "exact where the kernel names Go's mappings, else up to 3 MB too low",
    ),
    "huge_pages": RowKind(
        "huge pages",
        "look at the system's huge pages",
        "2 MiB stay resident for a part in use; GODEBUG=disablethp=1 keeps the Go heap out of them",
        "at least: what they add within used or free spans is in those rows",
    ),
    "unexplained": RowKind(
        "unexplained",
        "look at the time of the reading",
        "the heap moved between MemStats and smaps",
        "what no other row could take",
    ),
}


@dataclass(frozen=True)
class Row:
    """One row of the bill; `name` is a key of ROW_KINDS, which has the rest."""

    name: str
    bytes: int

    @property
    def kind(self) -> RowKind:
        """Title, place to look, what lowers it, precision."""
        return ROW_KINDS[self.name]


@dataclass(frozen=True)
class Bill:
    """Where the resident memory of a process is: rows of at least 0 bytes that sum to `rss`.

    The rows depend on what was known; a row of 0 bytes is there too. untouched: bytes that the runtime counts in its
    heap and that are not resident: never written, or swapped out. swap: bytes swapped out; in no row.
    """

    rows: tuple[Row, ...]
    untouched: int
    swap: int

    @property
    def rss(self) -> int:
        """Resident bytes by /proc/PID/smaps, the sum of all rows."""
        return sum(row.bytes for row in self.rows)

    @property
    def explained(self) -> int:
        """Resident bytes of all rows but 'unexplained'."""
        return self.rss - (self.find("unexplained") or Row("unexplained", 0)).bytes

    def find(self, name: str) -> Row | None:
        """The row of that name; None if the bill has none."""
        return next((row for row in self.rows if row.name == name), None)


@once_per_window
def window_bill(window: Window) -> Bill:
    """The bill at the window's close; raises ObserveError if the mappings were not read."""
    smaps = required(window.smaps)
    if known(window.memstats) is None:
        return bill(smaps)
    pair = memstats(window)
    return bill(smaps, pair.end, known(pair.after_gc))


def opening_bill(window: Window) -> Bill:
    """The bill at the window's opening; raises ObserveError if the mappings were not read.

    Two collections were forced just before, so all objects of MemStats are live.
    """
    smaps = required(window.opening_smaps)
    if known(window.memstats) is None:
        return bill(smaps)
    pair = memstats(window)
    return bill(smaps, pair.start, known(pair.after_gc) and pair.start)


def live_heap_growth(window: Window) -> int:
    """Bytes that live at the close beyond those at the opening; 0 if they are not known."""
    pair = None if known(window.memstats) is None else memstats(window)
    after = None if pair is None else known(pair.after_gc)
    return 0 if pair is None or after is None else after.heap_alloc - pair.start.heap_alloc


def bill(smaps: SmapsTotals, stats: MemStats | None = None, after_gc: MemStats | None = None) -> Bill:
    """Divide the resident memory among the rows.

    stats: MemStats read at the same moment as smaps; without it all of Go's memory is one row. after_gc: MemStats after
    two forced collections, which separates live heap from garbage.
    """
    if stats is None:
        sizes, untouched = {"go": smaps.go_heap.rss + smaps.go_runtime.rss, "stacks": 0, "unexplained": 0}, 0
        outside = smaps.anonymous.rss
    else:
        sizes, untouched, outside = _go_rows(smaps, stats, after_gc)
    sizes["stacks"] += smaps.stacks.rss
    sizes["files"] = smaps.binary.rss + smaps.files.rss + smaps.kernel.rss
    sizes["cgo"] = outside + smaps.malloc.rss + smaps.shared_memory.rss
    rows = tuple(Row(name, sizes[name]) for name in ROW_KINDS if name in sizes)
    return Bill(rows, untouched, smaps.swap)


def _go_rows(smaps: SmapsTotals, stats: MemStats, after_gc: MemStats | None) -> tuple[dict[str, int], int, int]:
    """The rows that MemStats divides, the bytes it counts that are not resident, and the rest of `anonymous`."""
    claims = _heap_claims(stats, after_gc)
    heap, anonymous = smaps.go_heap.rss, smaps.anonymous.rss
    if not heap:  # a platform with its arenas elsewhere
        heap = min(sum(claims.values()), anonymous)
        anonymous -= heap
    sizes, rest = {}, heap
    for name, claim in claims.items():
        sizes[name] = min(claim, rest)
        rest -= sizes[name]
    untouched = sum(claims.values()) - sum(sizes.values())
    lazy_free, rest = _take(rest, smaps.go_heap.lazy_free)
    sizes["free"] += lazy_free  # the runtime counts it as released
    sizes["huge_pages"], rest = _take(rest, smaps.go_heap.huge)
    # The collector's work buffers are spans of the arenas, and in no other field than GCSys.
    work_buffers, sizes["unexplained"] = _take(rest, stats.gc_sys)
    tables, outside = _tables(smaps, stats, work_buffers, anonymous)
    sizes["runtime"] = tables + work_buffers
    return sizes, untouched, outside


def _heap_claims(stats: MemStats, after_gc: MemStats | None) -> dict[str, int]:
    """What the arenas hold as the runtime counts it, most certainly resident first."""
    objects = {"heap_objects": stats.heap_alloc}
    if after_gc is not None:
        live = min(after_gc.heap_alloc, stats.heap_alloc)
        objects = {"live_heap": live, "garbage": stats.heap_alloc - live}
    return {
        **objects,
        # A stack that grew is twice the size it needed, and its unused part is not resident.
        "stacks": stats.stack_inuse,
        "fragmentation": max(stats.heap_inuse - stats.heap_alloc, 0),
        "free": max(stats.heap_idle - stats.heap_released, 0),
    }


def _take(rest: int, limit: int) -> tuple[int, int]:
    """As much of the rest as the limit allows, and what remains."""
    taken = min(rest, limit)
    return taken, rest - taken


def _tables(smaps: SmapsTotals, stats: MemStats, work_buffers: int, anonymous: int) -> tuple[int, int]:
    """The resident part of the runtime's tables, and the rest of the anonymous memory outside the arenas."""
    if smaps.named:
        return smaps.go_runtime.rss, anonymous
    mapped = stats.mspan_sys + stats.mcache_sys + stats.buck_hash_sys + stats.gc_sys + stats.other_sys
    return _take(anonymous, max(mapped - work_buffers - _UNTOUCHED_TABLES, 0))


def sentence(bill: Bill, baseline: Bill | None = None) -> str:
    """One plain sentence: the row that weighs most, or changed most against the baseline, and where to look."""
    if baseline is None or not bill.rss:
        return _largest(bill)
    if [row.name for row in bill.rows] != [row.name for row in baseline.rows]:
        return f"{_largest(bill)} The baseline's bill has other rows and cannot be compared."
    return _changed(bill, baseline)


def _largest(bill: Bill) -> str:
    row = max(bill.rows, key=lambda row: row.bytes)
    if not row.bytes:
        return "Nothing is resident."
    share = format_value(row.bytes / bill.rss, RATIO)
    largest = f"The largest part of RSS is {row.kind.title}: {_size(row.bytes)} of {_size(bill.rss)} ({share})"
    return f"{largest}; {advice_of(row.name)}."


def _changed(bill: Bill, baseline: Bill) -> str:
    """The sentence on what explains the change of RSS: its cause, or the largest change in the same direction."""
    grown = bill.rss - baseline.rss
    sign = -1 if grown < 0 else 1
    if cause := _grown_live_heap(bill, baseline):
        return f"RSS grew by {_size(grown)} to {_size(bill.rss)}; {cause}; {advice_of('live_heap')}."
    before, after = max(
        zip(baseline.rows, bill.rows, strict=True), key=lambda pair: sign * (pair[1].bytes - pair[0].bytes)
    )
    change = after.bytes - before.bytes
    if not change:
        return f"RSS is {_size(bill.rss)} as in the baseline, row by row."
    size = f"{after.kind.title}, {_size(abs(change))} {'less' if change < 0 else 'more'}"
    moved = f"{'fell' if grown < 0 else 'grew'} by {_size(abs(grown))} to" if grown else "stayed at"
    place = f" ({_size(before.bytes)} to {_size(after.bytes)})"
    advice = "" if change < 0 else f"; {advice_of(after.name)}"
    return f"RSS {moved} {_size(bill.rss)}; the largest change is {size}{place}{advice}."


def _grown_live_heap(bill: Bill, baseline: Bill) -> str:
    """Words for a live heap that grew so much that the row that grew most followed it; "" if it did not.

    How much of the heap is garbage and how much is free depends on when the last collection ran. Their sum follows the
    live heap.
    """
    before, after = baseline.find("live_heap"), bill.find("live_heap")
    if before is None or after is None:
        return ""
    change, others = after.bytes - before.bytes, {name: _growth(bill, baseline, name) for name in _FOLLOWING}
    most = max(others, key=lambda name: others[name])
    if change <= 0 or others[most] <= change or after.bytes < _MULTIPLIED * before.bytes:
        return ""
    if _growth(bill, baseline, *ROW_KINDS) <= 0 or change < _CAUSING * others[most]:
        return ""
    times = f", {after.bytes / before.bytes:.1f} times as much" if before.bytes else ""
    grown = f"the live heap grew by {_size(change)} ({_size(before.bytes)} to {_size(after.bytes)}{times})"
    return f"{grown}, and with it {ROW_KINDS[most].title} by {_size(others[most])}"


def _growth(bill: Bill, baseline: Bill, *names: str) -> int:
    pairs = ((bill.find(name), baseline.find(name)) for name in names)
    return sum(after.bytes - before.bytes for after, before in pairs if after is not None and before is not None)


def advice_of(row: str) -> str:
    """Where to look and what lowers the row of that name."""
    kind = ROW_KINDS[row]
    return f"{kind.look}: {kind.remedy}"


def _size(size: int) -> str:
    return format_value(size, BYTES)
