"""The bill: rows that sum to RSS, real processes divided rightly, and a sentence that is true to the figures."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gomem_windows import MIB, memstats, pair, window
from hypothesis import given
from hypothesis import strategies as st
from smaps_recordings import NAMES, load

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.measure import bill_metrics
from pytest_gomem.measure.bill import ROW_KINDS, Bill, Row, bill, sentence, window_bill
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.registry import builtin_metrics, evaluate
from pytest_gomem.observe.smaps import Resident, SmapsTotals

KINDS = tuple(name for name in SmapsTotals.__dataclass_fields__ if name != "t")
SPLIT = {
    "live_heap", "garbage", "fragmentation", "free", "stacks", "runtime", "files", "cgo", "huge_pages", "unexplained",
}  # fmt: skip


def smaps(**sizes: int | Resident) -> SmapsTotals:
    """Totals of those kinds, in bytes resident; the others are empty."""
    kinds = {kind: sizes.get(kind, 0) for kind in KINDS}
    return SmapsTotals(
        t=0.0, **{kind: size if isinstance(size, Resident) else Resident(size) for kind, size in kinds.items()}
    )


def heap_stats(**sizes: int):
    """MemStats with nothing but these."""
    nothing = dict.fromkeys(
        (
            "heap_alloc", "heap_sys", "heap_idle", "heap_inuse", "heap_released", "stack_inuse", "stack_sys",
            "mspan_inuse", "mspan_sys", "mcache_inuse", "mcache_sys", "buck_hash_sys", "gc_sys", "other_sys",
        ),
        0,
    )  # fmt: skip
    return memstats(1, 0, 0, **{**nothing, **sizes})


def sizes_of(made: Bill) -> dict[str, int]:
    return {row.name: row.bytes for row in made.rows}


sizes = st.integers(0, 1 << 40)
residents = st.builds(Resident, sizes, sizes, sizes, sizes)
totals = st.builds(SmapsTotals, t=st.just(0.0), **dict.fromkeys(KINDS, residents))
stats = st.builds(
    heap_stats,
    **dict.fromkeys(
        (
            "heap_alloc", "heap_idle", "heap_inuse", "heap_released", "stack_inuse", "mspan_sys", "mcache_sys",
            "buck_hash_sys", "gc_sys", "other_sys",
        ),
        sizes,
    ),
)  # fmt: skip


@given(totals, st.none() | stats, st.none() | stats)
def test_rows_sum_to_rss(mapped, now, after_gc):
    """Whatever kernel and runtime say, no row is negative and all together are RSS to the byte."""
    made = bill(mapped, now, after_gc)
    assert all(row.bytes >= 0 for row in made.rows)
    assert made.rss == sum(kind.rss for kind in mapped.kinds)
    assert made.untouched >= 0
    assert 0 <= made.explained <= made.rss


@pytest.mark.parametrize(
    ("name", "mib"),
    [
        ("named", {"live_heap": 4, "garbage": 8, "free": 3, "cgo": 17, "stacks": 1.3, "huge_pages": 0}),
        ("random-base", {"live_heap": 4, "garbage": 8, "free": 3, "cgo": 17, "stacks": 1.3, "huge_pages": 0}),
        ("fixed-hints", {"live_heap": 4, "garbage": 8, "free": 3, "cgo": 12, "stacks": 1.3, "huge_pages": 0}),
        ("race", {"live_heap": 4, "garbage": 8, "free": 3, "stacks": 1.3, "huge_pages": 0}),
        ("huge-pages", {"live_heap": 4, "garbage": 0, "free": 0, "huge_pages": 15.5, "cgo": 0}),
    ],
)
def test_recorded_processes(name, mib):
    """Each row is what the recorded program holds: its C memory within 3 MB where mappings have no names."""
    recording = load(name)
    made = bill(recording.totals, recording.stats, recording.after_gc)
    found = sizes_of(made)
    assert found.keys() == SPLIT
    for row, expected in mib.items():
        slack = 3e6 if row == "cgo" and name != "named" else 0.4 * MIB
        assert found[row] == pytest.approx(expected * MIB, abs=slack), row
    assert made.rss == recording.totals.rss
    assert made.explained == made.rss


@pytest.mark.parametrize("name", NAMES)
def test_tables_are_never_more_than_the_runtime_mapped(name):
    """What passes for the runtime's tables stays below what MemStats counts for them."""
    recording = load(name)
    now = recording.stats
    mapped = now.mspan_sys + now.mcache_sys + now.buck_hash_sys + now.gc_sys + now.other_sys
    assert 0 < sizes_of(bill(recording.totals, now, recording.after_gc))["runtime"] <= mapped


def test_all_tables_of_pure_go_are_the_runtimes():
    """A program without cgo and mmap has nothing but pages of C's threads in the row of cgo."""
    recording = load("huge-pages")
    assert sizes_of(bill(recording.totals, recording.stats))["cgo"] < 50_000


def test_without_memstats_go_is_one_row():
    """What only MemStats divides is one row, and the rest stays as it is."""
    mapped = smaps(go_heap=50 * MIB, go_runtime=MIB, stacks=4096, binary=3 * MIB, anonymous=7, malloc=2)
    assert sizes_of(bill(mapped)) == {
        "stacks": 4096, "go": 51 * MIB, "files": 3 * MIB, "cgo": 9, "unexplained": 0,
    }  # fmt: skip


def test_without_a_forced_gc_live_heap_and_garbage_are_one_row():
    """MemStats alone cannot tell what is reachable, so the bill does not either."""
    made = sizes_of(bill(smaps(go_heap=10 * MIB), heap_stats(heap_alloc=10 * MIB, heap_inuse=10 * MIB)))
    assert made["heap_objects"] == 10 * MIB
    assert made.keys() == (SPLIT - {"live_heap", "garbage"}) | {"heap_objects"}


def test_garbage_is_what_a_collection_frees():
    """Live heap is what the forced collections leave; it never exceeds what was there before them."""
    now = heap_stats(heap_alloc=10 * MIB, heap_inuse=10 * MIB)
    made = sizes_of(bill(smaps(go_heap=10 * MIB), now, heap_stats(heap_alloc=4 * MIB)))
    assert (made["live_heap"], made["garbage"]) == (4 * MIB, 6 * MIB)
    made = sizes_of(bill(smaps(go_heap=10 * MIB), now, heap_stats(heap_alloc=11 * MIB)))
    assert (made["live_heap"], made["garbage"]) == (10 * MIB, 0)


@pytest.mark.parametrize(
    ("resident", "expected"),
    [
        (20, {"live_heap": 8, "garbage": 2, "stacks": 3, "fragmentation": 2, "free": 5}),
        (17, {"live_heap": 8, "garbage": 2, "stacks": 3, "fragmentation": 2, "free": 2}),
        (12, {"live_heap": 8, "garbage": 2, "stacks": 2, "fragmentation": 0, "free": 0}),
        (5, {"live_heap": 5, "garbage": 0, "stacks": 0, "fragmentation": 0, "free": 0}),
    ],
)
def test_untouched_pages_come_off_the_least_sure_rows(resident, expected):
    """Pages that the runtime counts and that are not resident are taken off free first, and live heap last."""
    now = heap_stats(heap_alloc=10, heap_inuse=12, heap_idle=9, heap_released=4, stack_inuse=3)
    made = bill(smaps(go_heap=resident), now, heap_stats(heap_alloc=8))
    assert {name: sizes_of(made)[name] for name in expected} == expected
    assert made.untouched == 20 - resident


def test_lazily_freed_pages_are_free_and_not_returned():
    """With GODEBUG=madvdontneed=0 the runtime counts pages as released that the kernel still holds."""
    made = sizes_of(bill(smaps(go_heap=Resident(10, lazy_free=6)), heap_stats(heap_inuse=3, heap_alloc=3)))
    assert (made["free"], made["unexplained"]) == (6, 1)


def test_huge_pages_explain_no_more_than_they_hold():
    """More in the arenas than the runtime counts is due to huge pages as far as there are any, then unexplained."""
    made = bill(smaps(go_heap=Resident(30, huge=20)), heap_stats(heap_inuse=5, heap_alloc=5))
    assert (sizes_of(made)["huge_pages"], sizes_of(made)["unexplained"]) == (20, 5)
    assert made.explained == made.rss - 5


def test_work_buffers_are_the_runtimes():
    """The collector's work buffers lie in the arenas and count in GCSys alone: both bounds hold."""
    made = sizes_of(bill(smaps(go_heap=30), heap_stats(heap_inuse=5, heap_alloc=5, gc_sys=20)))
    assert (made["runtime"], made["unexplained"]) == (20, 5)


def test_a_heap_that_was_not_found_is_taken_from_the_anonymous_memory():
    """Where no arenas were recognised, the runtime's own figures size the heap, and the rest is still C's."""
    now = heap_stats(heap_alloc=40 * MIB, heap_inuse=40 * MIB)
    made = sizes_of(bill(smaps(anonymous=50 * MIB), now))
    assert (made["heap_objects"], made["cgo"]) == (40 * MIB, 10 * MIB)


def test_named_tables_are_taken_as_they_are():
    """Where mappings have names, tables are what is named so, and all unnamed memory is C's."""
    made = sizes_of(bill(smaps(go_heap=1, go_runtime=7, anonymous=9), heap_stats(other_sys=MIB * 9)))
    assert (made["runtime"], made["cgo"]) == (7, 9)


made_bills = st.lists(sizes, min_size=10, max_size=10).map(
    lambda values: Bill(tuple(Row(n, v) for n, v in zip(sorted(SPLIT), values, strict=True)), 0, 0)
)


@given(made_bills)
def test_the_sentence_names_the_largest_row(made):
    """Whatever the figures, it is one sentence with the largest row's title and size, and with RSS."""
    text = sentence(made)
    largest = max(made.rows, key=lambda row: row.bytes)
    if largest.bytes:
        assert f"{largest.kind.title}: {format_value(largest.bytes, BYTES)} of {format_value(made.rss, BYTES)}" in text
    assert text.endswith(".")
    assert ". " not in text


@given(made_bills, made_bills)
def test_the_sentence_names_the_largest_change(before, after):
    """Against a baseline it names a row that moved with RSS, and none moved further that way, but with a live heap that
    has multiplied."""
    text = sentence(after, before)
    sign = -1 if after.rss < before.rss else 1
    changes = {b.name: sign * (a.bytes - b.bytes) for b, a in zip(before.rows, after.rows, strict=True)}
    greatest = max(changes.values())
    titles = [ROW_KINDS[name].title for name, change in changes.items() if change == greatest]
    if not after.rss:
        assert text == "Nothing is resident."
    elif "the live heap grew by" in text:
        assert 0 < changes["live_heap"] < greatest
    elif greatest:
        assert any(f"the largest change is {title}, {format_value(greatest, BYTES)}" in text for title in titles)
        assert ("grew by" in text) == (after.rss > before.rss)
    else:
        assert "as in the baseline" in text


def test_a_live_heap_that_multiplied_is_the_cause_of_what_grew_with_it():
    """How much is garbage and how much is free is where the last collection stood; what it left as it was is not."""

    def made(live: int, garbage: int, free: int, cgo: int = 5) -> Bill:
        sizes = {"live_heap": live, "garbage": garbage, "free": free, "cgo": cgo}
        return Bill(tuple(Row(name, size * 10**6) for name, size in sizes.items()), 0, 0)

    before = made(2, 1, 1)
    assert sentence(made(20, 4, 30), before) == (
        "RSS grew by 50.0 MB to 59.0 MB; the live heap grew by 18.0 MB (2.00 MB to 20.0 MB, 10.0 times as much), and "
        "with it free but not returned by 29.0 MB; look in the code: release what it still reaches; the heap profile "
        "(inuse_space) names who allocated it."
    )
    assert "with it garbage awaiting GC by 23.0 MB" in sentence(made(20, 24, 3), before)
    for other in (made(2, 60, 1), made(4, 60, 1), made(20, 4, 1, cgo=80), made(30, 28, 3)):
        assert "the largest change is" in sentence(other, before), other
    assert "the largest change is" in sentence(before, made(20, 4, 30))


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("live_heap", "the code"), ("garbage", "GOGC"), ("free", "the memory limit"), ("cgo", "cgo"),
        ("stacks", "the code"), ("huge_pages", "huge pages"), ("files", "the code"),
    ],
)  # fmt: skip
def test_where_to_look(row, place):
    """The sentence sends to the code, to GOGC, to the limit or to cgo, as the row demands."""
    made = Bill((Row(row, 90 * MIB), Row("unexplained", MIB)), 0, 0)
    assert place in sentence(made).partition("; look ")[2].partition(":")[0]


def test_sentences_in_full():
    """How it reads alone, grown, fallen, equal, and against a bill of other rows."""
    small = Bill((Row("live_heap", 20_000_000), Row("cgo", 5_000_000)), 0, 0)
    large = Bill((Row("live_heap", 80_000_000), Row("cgo", 4_000_000)), 0, 0)
    advice = "look in the code: release what it still reaches; the heap profile (inuse_space) names who allocated it."
    assert sentence(large) == f"The largest part of RSS is live heap: 80.0 MB of 84.0 MB (95.2%); {advice}"
    grown = "RSS grew by 59.0 MB to 84.0 MB; the largest change is live heap, 60.0 MB more (20.0 MB to 80.0 MB)"
    assert sentence(large, small) == f"{grown}; {advice}"
    fallen = "RSS fell by 59.0 MB to 25.0 MB; the largest change is live heap, 60.0 MB less (80.0 MB to 20.0 MB)."
    assert sentence(small, large) == fallen
    assert sentence(small, small) == "RSS is 25.0 MB as in the baseline, row by row."
    other = Bill((Row("go", 20_000_000),), 0, 0)
    assert sentence(small, other).endswith("The baseline's bill has other rows and cannot be compared.")


def test_window_bill():
    """A window's bill is made of its mappings and of MemStats at the close and after the forced collections."""
    full = window()
    assert window_bill(full) == bill(full.smaps, full.memstats.end, full.memstats.after_gc)
    calm = replace(full, memstats=pair(after_gc=Unavailable("the service ended")))
    assert window_bill(calm) == bill(full.smaps, full.memstats.end)
    assert window_bill(replace(full, memstats=Unavailable("no pprof"))) == bill(full.smaps)
    with pytest.raises(ObserveError, match="no /proc"):
        window_bill(replace(full, smaps=Unavailable("no /proc")))


def test_each_row_is_a_metric():
    """There is a metric rss_NAME for each row of a whole bill, with that row's bytes; they sum to RSS, and are the bill
    again where all of them were kept."""
    full = window()
    results = evaluate(full, bill_metrics.METRICS)
    assert {name: result.value for name, result in results.items()} == {
        f"rss_{name}": size for name, size in sizes_of(window_bill(full)).items()
    }
    kept = {name: float(result.value) for name, result in results.items()}
    made = bill_metrics.bill_of(kept, SPLIT)
    assert made is not None
    assert sizes_of(made) == sizes_of(window_bill(full))
    del kept["rss_cgo"]
    assert bill_metrics.bill_of(kept, SPLIT) is None


def test_rows_that_cannot_be_told_apart_are_unavailable_metrics():
    """What collapses in the bill has the reason in place of a figure; what does not is still measured."""
    results = evaluate(window(memstats=Unavailable("no pprof")), bill_metrics.METRICS)
    measured = {name for name, result in results.items() if isinstance(result, Reading)}
    assert measured == {"rss_stacks", "rss_files", "rss_cgo", "rss_unexplained"}
    assert results["rss_live_heap"] == Unavailable("no pprof")
    assert "runtime's tables are in it" in results["rss_cgo"].note
    results = evaluate(window(memstats=pair(after_gc=Unavailable("it ended"))), bill_metrics.METRICS)
    unavailable = {name: result for name, result in results.items() if isinstance(result, Unavailable)}
    assert unavailable == {name: Unavailable("it ended") for name in ("rss_live_heap", "rss_garbage")}


def test_the_live_heap_says_what_is_not_resident():
    """A heap that the runtime counts larger than what is resident says by how much."""
    heap = replace(window().smaps, go_heap=Resident(MIB))
    note = evaluate(window(smaps=heap), bill_metrics.METRICS)["rss_live_heap"].note
    assert "that the runtime counts in its heap are not resident" in note


def test_the_metric_and_the_bill_explain_each_other():
    """A heap of which little was touched: what live_heap counts is not resident, and both say so."""
    heap = replace(window().smaps, go_heap=Resident(MIB // 2))
    note = evaluate(window(smaps=heap), builtin_metrics())["live_heap"].note
    assert note == "1.57 MB of it were never touched or are swapped out: see the bill"
    assert evaluate(window(), builtin_metrics())["live_heap"].note == ""
    grown = pair(after_gc=memstats(52, 40_000_000, 260_000, heap_alloc=9 * MIB))
    late = evaluate(window(memstats=grown), builtin_metrics())["live_heap"]
    assert (late.value, late.note) == (9 * MIB, ""), "what came after the mappings were read is not untouched"
