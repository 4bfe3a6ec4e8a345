"""Facts about reading MemStats and goroutine counts, over recordings of every release from Go 1.19 on."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.memstats import parse_goroutine_total, parse_memstats

RECORDED = Path(__file__).parent.parent / "recorded"
RELEASES = sorted(path.name for path in RECORDED.glob("go1.*"))
FIELDS = [
    "TotalAlloc", "Sys", "Mallocs", "Frees", "HeapAlloc", "HeapSys", "HeapIdle", "HeapInuse", "HeapReleased",
    "HeapObjects", "Stack", "MSpan", "MCache", "BuckHashSys", "GCSys", "OtherSys", "NextGC", "PauseNs", "PauseEnd",
    "NumGC", "NumForcedGC", "GCCPUFraction",
]  # fmt: skip


def heap(release: str) -> str:
    return (RECORDED / release / "heap_debug1.txt").read_text()


def goroutine(release: str) -> str:
    return (RECORDED / release / "goroutine_debug1.txt").read_text()


RING = " ".join(str(n) for n in range(1000, 1256))
SMALL = f"""heap profile: 1: 48 [2: 96] @ heap/1048576

# runtime.MemStats
# Alloc = 1
# TotalAlloc = 2
# Sys = 3
# Lookups = 0
# Mallocs = 4
# Frees = 5
# HeapAlloc = 6
# HeapSys = 7
# HeapIdle = 8
# HeapInuse = 9
# HeapReleased = 10
# HeapObjects = 11
# Stack = 12 / 13
# MSpan = 14 / 15
# MCache = 16 / 17
# BuckHashSys = 18
# GCSys = 19
# OtherSys = 20
# NextGC = 21
# LastGC = 22
# PauseNs = [{RING}]
# PauseEnd = [{RING}]
# NumGC = 3
# NumForcedGC = 1
# GCCPUFraction = 2.5e-05
# DebugGC = false
"""


def test_every_field_stands_in_its_place() -> None:
    """Each printed field is read into the record's field of the same name."""
    stats = parse_memstats(SMALL, 1.5)
    assert (stats.t, stats.goroutines) == (1.5, None)
    assert (stats.total_alloc, stats.sys, stats.mallocs, stats.frees) == (2, 3, 4, 5)
    assert (stats.heap_alloc, stats.heap_sys, stats.heap_idle, stats.heap_inuse) == (6, 7, 8, 9)
    assert (stats.heap_released, stats.heap_objects) == (10, 11)
    assert (stats.stack_inuse, stats.stack_sys, stats.mspan_inuse, stats.mspan_sys) == (12, 13, 14, 15)
    assert (stats.mcache_inuse, stats.mcache_sys) == (16, 17)
    assert (stats.buck_hash_sys, stats.gc_sys, stats.other_sys, stats.next_gc) == (18, 19, 20, 21)
    assert (stats.num_gc, stats.num_forced_gc, stats.gc_cpu_fraction) == (3, 1, 2.5e-05)


@pytest.mark.parametrize(
    ("num_gc", "first", "last"),
    [(0, None, None), (1, (1, 1000), (1, 1000)), (256, (1, 1000), (256, 1255)), (257, (2, 1001), (257, 1000))],
)
def test_the_ring_is_unrolled(num_gc: int, first: tuple[int, int] | None, last: tuple[int, int] | None) -> None:
    """Cycle c stands at (c + 255) % 256; the newest is last, and places never filled are left out."""
    pauses = parse_memstats(SMALL.replace("NumGC = 3", f"NumGC = {num_gc}"), 0.0).pauses
    assert len(pauses) == min(num_gc, 256)
    if first and last:
        assert [(number, round(seconds * 1e9)) for number, seconds, _ in (pauses[0], pauses[-1])] == [first, last]


@pytest.mark.parametrize("release", RELEASES)
def test_recorded_memstats_are_what_the_program_knew(release: str) -> None:
    """Of each release the count of cycles and the last 256 pauses equal those of runtime.ReadMemStats."""
    truth = json.loads((RECORDED / release / "truth.json").read_text())["plain"]
    stats = parse_memstats(heap(release), 0.0)
    assert (stats.num_gc, stats.num_forced_gc) == (truth["num_gc"], truth["num_forced_gc"])
    assert [round(seconds * 1e9) for _, seconds, _ in stats.pauses] == truth["pause_ns"]
    assert [number for number, _, _ in stats.pauses] == list(range(stats.num_gc - 255, stats.num_gc + 1))


@pytest.mark.parametrize("release", RELEASES)
def test_recorded_memstats_agree_with_themselves(release: str) -> None:
    """What must hold among the fields of one reading holds in each release."""
    stats = parse_memstats(heap(release), 0.0)
    assert stats.mallocs - stats.frees == stats.heap_objects
    assert stats.heap_idle + stats.heap_inuse == stats.heap_sys
    assert 0 < stats.heap_alloc <= stats.heap_inuse
    parts = (stats.heap_sys, stats.stack_sys, stats.mspan_sys, stats.mcache_sys, stats.buck_hash_sys)
    assert sum(parts) + stats.gc_sys + stats.other_sys == stats.sys
    ends = [end for _, _, end in stats.pauses]
    assert ends == sorted(ends)
    assert ends[0] > 1.6e9


@pytest.mark.parametrize("release", RELEASES)
def test_recorded_goroutines_are_counted(release: str) -> None:
    """The recorded program had a single goroutine left."""
    assert parse_goroutine_total(goroutine(release)) == 1


def test_only_the_last_memstats_count() -> None:
    """The text may hold look-alikes; one neither replaces nor completes the runtime's own at the end."""
    decoy = SMALL.replace("# NumGC = 3", "# NumGC = 9")
    body = SMALL.partition("\n")[2]
    assert parse_memstats(decoy + body, 0.0).num_gc == 3
    with pytest.raises(ObserveError, match="NumForcedGC"):
        parse_memstats(decoy + body[: body.index("# NumForcedGC")], 0.0)


@pytest.mark.parametrize("name", FIELDS)
def test_a_missing_field_is_named(name: str) -> None:
    """A body without one of the fields is refused, and the message names it."""
    without = re.sub(rf"(?m)^# {name} = .*\n", "", SMALL)
    with pytest.raises(ObserveError, match=rf"MemStats\.{name}: .*cut off"):
        parse_memstats(without, 0.0)


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("value", ["-1 x", "", "NaN"])
def test_a_field_of_another_form_is_named(name: str, value: str) -> None:
    """A value that is not a number of the known form is refused, and the message names its field."""
    odd = re.sub(rf"(?m)^# {name} = .*\n", f"# {name} = {value}\n", SMALL)
    with pytest.raises(ObserveError, match=rf"MemStats\.{name} in an unknown form"):
        parse_memstats(odd, 0.0)


@pytest.mark.parametrize("name", ["PauseNs", "PauseEnd"])
def test_a_ring_of_another_size_is_refused(name: str) -> None:
    """A release that remembers another number of cycles would be unrolled wrongly."""
    with pytest.raises(ObserveError, match=rf"MemStats\.{name} in an unknown form"):
        parse_memstats(SMALL.replace(f"# {name} = [", f"# {name} = [999 "), 0.0)


@pytest.mark.parametrize("release", [RELEASES[0], RELEASES[-1]])
def test_a_cut_off_body_is_never_read(release: str) -> None:
    """Wherever the body ends before its last needed line is whole, it is refused rather than misread."""
    whole = heap(release)
    needed = whole.index("\n", whole.index("# GCCPUFraction")) + 1
    for end in [0, 1, 20, *range(whole.index("# runtime.MemStats"), needed, 97), needed - 1]:
        with pytest.raises(ObserveError):
            parse_memstats(whole[:end], 0.0)
    assert parse_memstats(whole[:needed], 0.0) == parse_memstats(whole, 0.0)


OTHERS = {
    "<!doctype html><title>Not found</title>": "a page came",
    "\n <html>": "a page came",
    b"\x1f\x8b\x08\x00\x00".decode(errors="replace"): "debug=1",
    "": "an empty body",
    "404 page not found\n": "404 page not found",
    '{"error": "no such route"}': "no such route",
}


@pytest.mark.parametrize(("text", "says"), OTHERS.items())
def test_other_answers_are_told_apart(text: str, says: str) -> None:
    """A page, a binary profile and anything else are refused by both readers in words that say what came."""
    for parse in (lambda: parse_memstats(text, 0.0), lambda: parse_goroutine_total(text)):
        with pytest.raises(ObserveError, match=re.escape(says)):
            parse()


def test_profiles_are_not_mixed_up() -> None:
    """Each reader refuses the other's profile."""
    with pytest.raises(ObserveError, match="not a heap profile"):
        parse_memstats(goroutine(RELEASES[0]), 0.0)
    with pytest.raises(ObserveError, match="not a goroutine profile"):
        parse_goroutine_total(heap(RELEASES[0]))
    with pytest.raises(ObserveError, match="total N"):
        parse_goroutine_total("goroutine profile: total \ngoroutine profile: total 3\n")
