"""Holders of a failed window: which windows get them, beside what, and how they are told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from evidence_samples import Seen
from report_samples import metric, verdict, window

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.diagnosis.holders import with_holders
from pytest_gomem.judge.objects import TypeValue
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.report.failure import failure_text
from pytest_gomem.report.holders import holder_lines, holder_sentences
from pytest_gomem.report.junit import properties
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.retention.model import AllocationSite, Holder, HolderKind, ObjectCount, Retention, Step
from pytest_gomem.retention.places import with_short_files

SESSIONS = Holder(
    HolderKind.GLOBAL, "global main.cache (map[string]*main.Session)", 3_100_000, 0.775, 601,
    (Step("*main.Session", 300, 3_100_000), Step("[]uint8", 300, 3_000_000)),
    (AllocationSite("main.handler", "main.go", 21, 12),), name="main.cache", type="map[string]*main.Session",
)  # fmt: skip
WORKERS = Holder(
    HolderKind.GOROUTINE, "300 goroutines in chan receive at main.worker (main.go:41), created by main.serve",
    614_400, 0.15, 300, function="main.worker", file="main.go", line=41, state="chan receive", created_by="main.serve",
    count=300,
)  # fmt: skip
LOST = Holder(HolderKind.NONE, "no holder in the dump", 40_000, 0.01, 10, (Step("main.file", 10, 40_000),))
TYPES = {"main.Session": ObjectCount(300, 9600), "[]uint8": ObjectCount(300, 3_000_000)}
FOUND = Retention("go1.26.8", 1000, 4_000_000, 0.97, 0.99, (SESSIONS, WORKERS, LOST), TYPES)
TOO_MUCH = verdict("live_heap", "3MB", 4e6)


def failed(*verdicts):
    return window(verdicts=verdicts or (TOO_MUCH,), metrics=(metric("live_heap", 4e6),))


def found(head=FOUND, base=None, of=None):
    there = None if base is None else Seen({}, retention=base, there="on the base side")
    return with_holders(of or failed(), Seen({}, retention=head), there)[0]


def test_a_limit_on_what_lives_has_its_holders():
    """With the types that take most first."""
    named = found()
    assert (named.holders, named.retention_note) == (FOUND.holders, "")
    assert list(named.objects) == ["[]uint8", "main.Session"]


@pytest.mark.parametrize("of", [verdict("peak_rss", "3MB", 4e6), verdict("live_heap", "3MB", 4e6, phase="login")])
def test_other_limits_have_none(of):
    """What was alive at the peak may be gone, and a dump is of the whole window."""
    assert found(of=failed(of)) == failed(of)


def test_without_a_dump_there_is_a_reason_or_nothing():
    """Nobody asked for one, or it was refused, or it names nobody."""
    assert found(None) == failed()
    assert found(Unavailable("it is too large")).retention_note == "it is too large"
    assert found(replace(FOUND, holders=())).retention_note == "the heap dump shows no holder"


OF_SESSIONS = replace(SESSIONS, retained=9600, share=1.0, path=(Step("main.Session", 300, 9600),))
COUNTED = replace(FOUND, of={"*main.Session": (OF_SESSIONS,), "main.Idle": ()})


def on_objects(glob):
    return replace(TOO_MUCH, budget=replace(TOO_MUCH.budget, metric="objects", type=glob))


def test_a_limit_on_objects_has_the_holders_of_these_objects():
    """Their bytes alone count, and the text says so."""
    named = found(COUNTED, of=failed(on_objects("*main.Session"), on_objects("main.Idle")))
    assert (named.holders, named.holders_of) == ((OF_SESSIONS,), "*main.Session")
    (sentence,) = holder_sentences(named)
    assert "-> main.Session x 300: 9.60 kB, 100% of all *main.Session; allocated at" in sentence
    assert next(holder_lines(named, 100)) == "held by (*main.Session alone), from a heap dump"


def test_beside_another_limit_all_objects_count():
    """One dump tells one story, and so do objects of which nobody asked the reader."""
    for broken, dump in ([TOO_MUCH, on_objects("*main.Session")], COUNTED), ([on_objects("main.Other")], COUNTED):
        named = found(dump, of=failed(*broken))
        assert (named.holders, named.holders_of) == (FOUND.holders, "")


def test_both_sides_of_a_comparison_count_the_same_objects():
    """What the base side holds is of these objects too."""
    worse = replace(on_objects("*main.Session"), kind="regression")
    theirs = replace(FOUND, of={"*main.Session": (replace(OF_SESSIONS, retained=3200),)})
    assert [one.before for one in found(COUNTED, base=theirs, of=failed(worse)).holders] == [3200]


def test_a_comparison_says_what_the_base_side_holds():
    """Found again by root and types, whatever their lines and counts; what holds most more comes first."""
    worse = replace(TOO_MUCH, kind="regression")
    theirs = replace(
        FOUND,
        holders=(
            replace(SESSIONS, retained=3_000_000),
            replace(WORKERS, root="5 goroutines in chan receive at main.worker (main.go:30)", line=30, retained=10_240),
        ),
    )
    named = found(base=theirs, of=failed(worse))
    assert [(one.root.split()[0], one.before) for one in named.holders] == [
        ("300", 10_240), ("global", 3_000_000), ("no", 0),
    ]  # fmt: skip
    assert found(base=theirs).holders == FOUND.holders, "a limit compares nothing"
    many = replace(theirs, holders=(replace(SESSIONS, retained=3_000_000), *(LOST,) * 99))
    assert {one.name or one.function: one.before for one in found(base=many, of=failed(worse)).holders} == {
        "main.worker": None,
        "main.cache": 3_000_000,
        "": 40_000,
    }
    lost = found(base=Unavailable("it died"), of=failed(worse))
    assert lost.notes[-1] == "there is no heap dump on the base side: it died"


@pytest.mark.parametrize(
    ("broken", "head", "base", "seen"),
    [
        (TOO_MUCH, FOUND, None, (True,)),
        (TOO_MUCH, replace(FOUND, live_bytes=3_200_000), None, (False,)),  # of 1 MB above the limit
        (verdict("heap_objects", "900", 1300), FOUND, None, (True,)),
        (verdict("heap_objects", "990", 1300), FOUND, None, (False,)),
        (verdict("end_rss", "3MB", 4e6), FOUND, None, ()),
        (replace(TOO_MUCH, kind="regression", change=1e6), FOUND, replace(FOUND, live_bytes=3_000_000), (True,)),
        (replace(TOO_MUCH, kind="regression", change=1e6), FOUND, FOUND, (False,)),
        (replace(TOO_MUCH, kind="regression", change=1e6), FOUND, None, ()),
        (verdict("heap_growth_per_op", "10B", 90), FOUND, None, ()),
        (verdict("heap_growth_per_op", "10B", 90), replace(FOUND, new_objects=3, new_bytes=900), None, (True,)),
        (verdict("heap_growth_per_op", "10B", 90), replace(FOUND, new_objects=0, new_bytes=0), None, (False,)),
    ],
)
def test_nobody_is_named_where_the_excess_is_not_there_again(broken, head, base, seen):
    """The observed round had no such heap: whoever holds memory in it has not broken the limit."""
    there = None if base is None else Seen({}, retention=base, there="on the base side")
    named, shown = with_holders(failed(broken), Seen({}, retention=head), there)
    assert (shown, bool(named.holders)) == (seen, seen != (False,))
    if not named.holders:
        assert named.retention_note.startswith("the heap dump shows ")
        assert named.retention_note.endswith(", and not what broke the limit")


def test_the_first_screen_names_three_at_most():
    """Root, path, bytes, share, and the line that allocated; small ones, and those of Go's runtime, are counted."""
    assert list(holder_sentences(found())) == [
        "held by global main.cache (map[string]*main.Session) -> *main.Session x 300 -> []uint8 x 300: 3.10 MB, 78% of "
        "the live heap; allocated at main.handler (main.go:21)",
        "held by 300 goroutines in chan receive at main.worker (main.go:41), created by main.serve: 614 kB, 15% of the "
        "live heap",
    ]
    runtime = replace(WORKERS, kind=HolderKind.RUNTIME)
    assert list(holder_sentences(found(replace(FOUND, holders=(runtime, LOST))))) == [
        "no holder in the dump for main.file x 10: 40.0 kB, 1% of the live heap"
    ]
    assert len(list(holder_sentences(found(replace(FOUND, holders=(runtime,)))))) == 1, "there is no other"
    alone = found(replace(FOUND, holders=(replace(LOST, share=1.0),)))
    assert list(holder_sentences(alone)) == ["no holder in the dump for main.file x 10: 40.0 kB, 100% of the live heap"]
    assert len(list(holder_sentences(found(replace(FOUND, holders=(SESSIONS,) * 5))))) == 3


def test_below_stands_what_else_is_known():
    """Each step with what it retains, the nearest roots of what has several, and the largest types."""
    several = replace(LOST, kind=HolderKind.SEVERAL, root="several roots", roots=("global a", "global b", "c", "d"))
    several = replace(several, share=0.1)
    found_ = replace(FOUND, holders=(SESSIONS, replace(several, path=()), *(WORKERS,) * 5))
    assert list(holder_lines(found(found_), 200)) == [
        "held by, from a heap dump",
        "  global main.cache (map[string]*main.Session): 3.10 MB, 78% of the live heap",
        "    -> *main.Session x 300 (3.10 MB) -> []uint8 x 300 (3.00 MB); allocated at main.handler (main.go:21)",
        "  several roots: 40.0 kB, 10% of the live heap",
        "    nearest: global a, global b, c and 1 more",
        *["  300 goroutines in chan receive at main.worker (main.go:41), created by main.serve: 614 kB, 15% of the "
          "live heap"] * 4,
        "  1 more holder: 614 kB",
        "  live objects by type: 300 []uint8 (3.00 MB), 300 main.Session (9.60 kB)",
    ]  # fmt: skip
    assert list(holder_lines(found(Unavailable("it is too large")), 100)) == [
        "held by, from a heap dump",
        "  nobody is named: it is too large",
    ]
    assert list(holder_lines(failed(), 100)) == []


def test_of_two_dumps_the_growth_is_told():
    """Shares are of the new bytes, and types are counted by their new objects."""
    grown = {"[]uint8": ObjectCount(300, 3_000_000, 20, 200_000), "main.Session": ObjectCount(300, 9600, 0, 0)}
    text = "\n".join(holder_lines(found(replace(FOUND, types=grown)), 100))
    assert "78% of the growth" in text
    assert "new objects by type: 20 []uint8 (200 kB)" in text


def test_a_long_path_is_shown_by_its_ends():
    steps = tuple(Step(name, 1, 10) for name in "abcdef")
    (sentence,) = holder_sentences(found(replace(FOUND, holders=(replace(SESSIONS, path=steps, sites=()),))))
    assert " -> a -> ... -> e -> f: 3.10 MB" in sentence


def test_in_a_comparison_the_base_side_is_told_and_who_grew_alone():
    holder = replace(SESSIONS, before=3_000_000)
    (sentence,) = holder_sentences(found(replace(FOUND, holders=(replace(holder, sites=()),))))
    assert sentence.endswith("3.10 MB, and 3.00 MB on the base side")
    new = replace(SESSIONS, before=0, sites=())
    grown = [replace(WORKERS, before=WORKERS.retained - 100_000), replace(LOST, before=LOST.retained), new]
    first, *others = holder_sentences(found(replace(FOUND, holders=(new, *grown[:2]))))
    assert first.endswith("3.10 MB, and nothing on the base side")
    assert others == [], "what has hardly grown is told by nobody's name"


def test_a_failure_shows_them_after_who_allocated():
    """In its first screen and below."""
    _, text = failure_text(found(), "test_it.py::test_logout")
    first, *sections = text.split("\n\n")
    assert "held by" not in first
    assert sections[0].splitlines()[1].startswith("  who   held by global main.cache")
    assert sections[1].startswith("  held by, from a heap dump")


def test_files_are_named_as_those_of_culprits_are():
    """Relative to the module, to Go's sources, and to another module with its version."""
    sites = (
        AllocationSite("main.handler", "/home/me/app/cmd/api/main.go", 21, 12),
        AllocationSite("example.com/app/web.(*Page).show", "/home/me/app/web/page.go", 4, 1),
        AllocationSite("bytes.(*Buffer).grow", "/usr/local/go/src/bytes/buffer.go", 1, 1),
        AllocationSite("github.com/x/y.New", "/home/me/go/pkg/mod/github.com/x/y@v1.2.0/y.go", 1, 1),
    )
    module = GoModule("example.com/app", "example.com/app/cmd/api", ("github.com/x/y",))
    holder = replace(WORKERS, file="/home/me/app/cmd/api/main.go", sites=sites)
    (named,) = with_short_files(replace(FOUND, holders=(holder,)), module).holders
    assert named.file == "cmd/api/main.go"
    assert [site.file for site in named.sites] == [
        "cmd/api/main.go", "web/page.go", "bytes/buffer.go", "github.com/x/y@v1.2.0/y.go",
    ]  # fmt: skip


def test_the_headline_names_who_holds_a_good_part():
    """In the summary of a run, in JUnit and in annotations there is one line for all."""
    headline, _ = failure_text(found(), "tests/test_mem.py::test_login")
    assert headline.endswith("its limit of 3MB, held by global main.cache (map[string]*main.Session)")
    for holders in ((LOST,), (WORKERS,), (replace(SESSIONS, known="known until 2027-01-31"),)):
        headline, _ = failure_text(found(replace(FOUND, holders=holders)), "tests/test_mem.py::test_login")
        assert "held by" not in headline
    runtime = replace(SESSIONS, kind=HolderKind.RUNTIME, root="the runtime")
    assert "held by" not in failure_text(found(replace(FOUND, holders=(runtime,))), "tests/test_mem.py::test_login")[0]


def test_what_budgets_count_are_properties_of_junit():
    """As figures by type, beside the metrics."""
    counted = replace(failed(), types=(TypeValue("objects", "*main.Session", 300, 0.97, 30, 1),))
    assert ("gomem.objects[*main.Session]", "300") in properties(TestRecord("t", "failed", (counted,)))


def test_notes_of_the_reader_are_notes_of_the_window():
    """They say what they are of."""
    assert "heap dump: the binary has no symbols" in found(replace(FOUND, notes=("the binary has no symbols",))).notes
