"""The first screen of a failure: who did it, since what, and which command comes next."""

from __future__ import annotations

from dataclasses import replace

import pytest
from report_samples import failing_window, verdict, window

from pytest_gomem.attribution.causes import Cause
from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.attribution.goroutines import GoroutineGroup
from pytest_gomem.attribution.modules import ModuleChange
from pytest_gomem.attribution.origin import Through
from pytest_gomem.report.failure import TextOptions, failure_text
from pytest_gomem.results.window_record import BuildRecord, DiagnosisRecord
from pytest_gomem.stats.decision import Status

NODEID = "tests/test_mem.py::test_upload[a b]"
LEAK = Culprit(
    "example.com/shop/cache.(*Shard).put", "cache/shard.go", 62, "live_heap", 0, 235_000_000, 2_000_000, 0.98, "holds",
    leaf="bufio.NewReaderSize",
)  # fmt: skip
HELD = (
    "allocated by cache.(*Shard).put (cache/shard.go:62), in bufio.NewReaderSize: 235 MB more live, 98% of the growth"
)
HEAP, PEAK, OBJECTS = verdict("live_heap", "1MB", 5e6), verdict("peak_rss", "1MB", 5e6), verdict("heap_objects", "1", 5)
WORSE = replace(HEAP, kind="regression", reason="live_heap is worse")


def first_screen(folder: str = "", **fields) -> dict[str, str]:
    """The first screen by its labels, each in one line."""
    found: dict[str, str] = {}
    label = ""
    text = failure_text(window(**fields), NODEID, TextOptions(artifacts=folder))[1]
    for line in text.split("\n\n")[1].splitlines():
        label = line[2:7].strip() or label
        found[label] = f"{found.get(label, '')} {line[8:]}".strip()
    return found


def who(*verdicts, culprits=(LEAK,), **summaries) -> str:
    return first_screen(verdicts=verdicts, culprits=culprits, culprit_summaries=summaries).get("who", "")


def test_one_line_is_told_once_for_all_that_it_broke():
    """The figures are those of what broke first; objects and peaks of the same line add nothing."""
    of_others = [replace(LEAK, metric=metric, after=7) for metric in ("peak_rss", "heap_objects")]
    assert who(HEAP, PEAK, OBJECTS, culprits=(*of_others, LEAK)) == HELD


def test_different_culprits_are_told_with_what_they_broke():
    """Two of them at most: the rest stands below."""
    spike = replace(LEAK, function="main.spike", file="main.go", line=8, metric="peak_rss", leaf="", share=0.5)
    third = replace(LEAK, function="main.other", file="main.go", line=9, metric="heap_objects", after=300)
    assert who(HEAP, PEAK, OBJECTS, culprits=(LEAK, spike, third)) == (
        f"live_heap: {HELD} peak_rss: allocated by main.spike (main.go:8): 235 MB more live, 50% of the growth"
    )


def test_where_nobody_is_named_the_reason_stands():
    """Beside the culprit of another limit as well; and nothing where nobody was looked for."""
    assert who(PEAK, culprits=(), peak_rss="no line holds more") == "no line holds more"
    assert who(PEAK, HEAP, peak_rss="within the noise", live_heap="-") == (
        f"peak_rss: within the noise live_heap: {HELD}"
    )
    assert who(verdict("goroutines", "1", 5.0)) == ""


def test_a_phase_has_no_culprit_of_its_own():
    """Profiles are of the whole window."""
    assert who(verdict("live_heap", "1MB", 5e6, phase="load")) == ""


def test_limits_that_one_profile_explains_share_its_culprit():
    """It is asked once for each kind of sample, and for the peak; a limit on functions counts something else."""
    made = replace(LEAK, metric="total_alloc")
    per_op = verdict("alloc_bytes_per_op", "1kB", 5e6)
    words = "allocated by cache.(*Shard).put (cache/shard.go:62), in bufio.NewReaderSize: 235 MB, 98% of the total"
    assert who(per_op, culprits=(made,)) == words
    assert who(per_op, culprits=(made,), alloc_bytes_per_op="within the noise") == "within the noise"
    assert who(PEAK) == ""
    of_function = verdict("total_alloc", "1kB", 5e6)
    assert who(of_function, culprits=(replace(LEAK, metric="alloc_space"),)) == ""


LOCKED = GoroutineGroup("sync.Mutex.Lock", "main.(*mu).lock", "mu.go", 12, "main.serve (mu.go:40)", 0, 300)


def test_goroutines_are_told_by_the_group_that_grew_most():
    """They come first where they explain the memory, in the headline too."""
    memory = replace(LEAK, function="main.(*mu).lock")
    fields = {
        "verdicts": (HEAP, verdict("goroutines", "50", 305.0, reason="goroutines is 305")),
        "culprits": (memory,),
        "goroutine_groups": (replace(LOCKED, function="main.idle", before=3, after=3), LOCKED),
    }
    screen = first_screen(**fields)
    assert screen["FAIL"].startswith("goroutines is 305 ")
    assert screen["who"].startswith(
        "goroutines: 300 more goroutines in main.(*mu).lock (mu.go:12), created by main.serve (mu.go:40), state: "
        "sync.Mutex.Lock live_heap: allocated by main.(*mu).lock "
    )
    headline, text = failure_text(window(**fields), NODEID)
    assert headline.startswith("goroutines is 305, culprit main.(*mu).lock (mu.go:12), 300 goroutines created by main")
    assert "\n\n  goroutines by state, function and creation site\n    +300  sync.Mutex.Lock  " in text


def test_goroutines_are_told_where_they_explain_the_memory():
    """Though no limit is on them; where others hold the memory, they are not."""
    fields = {"verdicts": (HEAP,), "goroutine_groups": (LOCKED,)}
    memory = replace(LEAK, function="main.(*mu).lock")
    held, other = ({**fields, "culprits": (culprit,)} for culprit in (memory, LEAK))
    assert first_screen(**held)["who"].startswith("goroutines: 300 more goroutines in main.(*mu).lock (mu.go:12), ")
    assert "live_heap: allocated by main.(*mu).lock " in first_screen(**held)["who"]
    assert "goroutines by state" in failure_text(window(**held), NODEID)[1]
    assert first_screen(**other)["who"].startswith("allocated by ")
    assert "goroutines by state" not in failure_text(window(**other), NODEID)[1]


def test_since_tells_the_modules_with_another_version():
    """Those of culprits first, and three at most; Go is one of them and is told once."""
    changes = tuple(ModuleChange(f"example.com/{name}", "v1.0.0", "v1.1.0") for name in "abcd")
    go = ModuleChange("go", "go1.25.9", "go1.26.0")
    fields = {
        "verdicts": (WORSE,),
        "culprits": (replace(LEAK, is_between=True, module_change=changes[3]),),
        "base": window(build=BuildRecord("the baseline of 0a1b2c3", "go1.25.9")),
    }
    assert first_screen(**fields, modules=changes)["since"] == (
        "the baseline of 0a1b2c3; built by different Go versions: go1.25.9, and now go1.26.0; example.com/d changed "
        "from v1.0.0 to v1.1.0; example.com/a changed from v1.0.0 to v1.1.0; example.com/b changed from v1.0.0 to "
        "v1.1.0; 1 more module"
    )
    whole = failure_text(window(**fields, modules=changes), NODEID)[1]
    assert "\n\n  modules with another version\n    example.com/a changed from v1.0.0 to v1.1.0\n" in whole
    assert first_screen(**fields, modules=(go,))["since"] == (
        "the baseline of 0a1b2c3; Go changed from go1.25.9 to go1.26.0"
    )


def test_the_search_for_the_cause_is_told_among_the_notes():
    """How fine the profiles were, and what went wrong; a search that was left out is told where the cause would be."""
    found = DiagnosisRecord(2, 4096, True, ("round 2 died",))
    text = failure_text(window(verdicts=(HEAP,), diagnosis=found, notes=("a note",)), NODEID)[1]
    notes = ["the cause was looked for in 2 observed rounds, one sample in 4.10 kB", "round 2 died", "a note"]
    assert text.endswith("\n    ".join(["  notes", *notes]))
    left_out = window(verdicts=(HEAP,), diagnosis=DiagnosisRecord(0, notes=("off",)))
    assert "  notes" not in failure_text(left_out, NODEID)[1]


def test_since_tells_go_and_the_commit_of_the_line():
    """After the base of a comparison; without anything to tell the base stands in the verdict alone."""
    changed = replace(LEAK, is_between=True, causes=(Cause("age", "old"), Cause("git", "it was changed by 1a2b3c4")))
    base = window(build=BuildRecord("main (0a1b2c3)", "go1.25.9"))
    fields = {"verdicts": (WORSE,), "culprits": (changed,), "base": base}
    assert first_screen(**fields)["since"] == (
        "main (0a1b2c3); built by different Go versions: go1.25.9, and now go1.26.0; "
        "cache/shard.go:62: it was changed by 1a2b3c4"
    )
    same = replace(base, build=BuildRecord("main (0a1b2c3)", "go1.26.0"))
    assert "since" not in first_screen(**{**fields, "base": same, "culprits": ()})
    of_limit = {"verdicts": (HEAP,), "culprits": (replace(changed, is_between=False),), "base": same}
    assert first_screen(**of_limit)["since"] == "cache/shard.go:62: it was changed by 1a2b3c4"


KEPT = {
    name: f"a-{name}.pb.gz"
    for name in (
        "base_profile", "heap_profile", "peak_profile", "goroutine_profile", "compared_heap_profile",
        "compared_peak_profile",
    )
}  # fmt: skip
FLAME = "gomem flame --sample inuse_space"
AGAIN = "pytest 'tests/test_mem.py::test_upload[a b]' --gomem-artifacts=gomem-artifacts"


@pytest.mark.parametrize(
    ("broken", "kept", "command"),
    [
        (HEAP, tuple(KEPT), f"{FLAME} out/a-base_profile.pb.gz out/a-heap_profile.pb.gz"),
        (HEAP, ("heap_profile",), f"{FLAME} out/a-heap_profile.pb.gz"),
        (WORSE, tuple(KEPT), f"{FLAME} out/a-compared_heap_profile.pb.gz out/a-heap_profile.pb.gz"),
        (PEAK, tuple(KEPT), f"{FLAME} out/a-peak_profile.pb.gz"),
        (PEAK, ("heap_profile",), f"{FLAME} out/a-heap_profile.pb.gz"),
        (
            replace(PEAK, kind="regression"), tuple(KEPT),
            f"{FLAME} out/a-compared_peak_profile.pb.gz out/a-peak_profile.pb.gz",
        ),
        (verdict("goroutines", "1", 5.0), tuple(KEPT), "gomem top out/a-goroutine_profile.pb.gz"),
        (verdict("leaked_goroutines", "0", 5.0), ("goroutines",), "less out/a.log"),
        (
            verdict("gc_cycles", "1", 5.0), ("heap_profile",),
            "gomem flame --sample alloc_space out/a-heap_profile.pb.gz",
        ),
        (verdict("throughput", "9", 5.0, "min"), ("heap_profile",), "gomem flame out/a-heap_profile.pb.gz"),
        (HEAP, ("log",), AGAIN),
        (HEAP, (), AGAIN),
    ],
)  # fmt: skip
def test_the_next_command_shows_what_grew_or_keeps_what_is_needed(broken, kept, command):
    """From the kept profiles of what broke first; without them the test runs again."""
    artifacts = {name: KEPT.get(name, "a.log") for name in kept}
    assert first_screen("out", verdicts=(broken,), artifacts=artifacts)["next"] == command


def test_a_comparison_runs_again_against_the_same_commit():
    """The name of a branch moves, a commit does not; the baseline is there by itself."""
    commit = "0a1b2c3d4e5f" + "6" * 28
    base = window(build=BuildRecord("HEAD^ (0a1b2c3d4e5f)", revision=commit))
    assert first_screen(verdicts=(WORSE,), base=base)["next"] == (
        AGAIN.replace(" --", " --gomem-against=0a1b2c3d4e5f --")
    )
    kept = window(build=BuildRecord("the baseline of 0a1b2c3"))
    assert first_screen(verdicts=(WORSE,), base=kept)["next"] == AGAIN


def test_a_cause_that_nobody_looked_for_is_looked_for():
    """The diagnosis was off, or the run had too many failed tests."""
    left_out, looked = DiagnosisRecord(0, notes=("off",)), DiagnosisRecord(2)
    assert first_screen(verdicts=(HEAP,), diagnosis=looked)["next"] == AGAIN
    assert first_screen(verdicts=(HEAP,), diagnosis=left_out)["next"] == (
        AGAIN.replace(" --", " --gomem-diagnose=1 --")
    )


def test_the_librarys_function_stands_between_the_line_and_the_allocation():
    """By its module's name without the major version."""
    through = Through(
        "github.com/redis/go-redis/v9/internal/pool.NewConn", "pool.go", 3, "github.com/redis/go-redis/v9"
    )
    assert who(HEAP, culprits=(replace(LEAK, through=through),)) == HELD.replace(
        ", in bufio", ", through go-redis pool.NewConn, in bufio"
    )


def test_the_runtimes_own_functions_are_no_place_to_look():
    """Nobody can call them, so they tell a reader nothing."""
    for leaf in ("internal/bytealg.MakeNoZero", "runtime.malg", "net/http/internal.NewChunkedReader"):
        assert who(HEAP, culprits=(replace(LEAK, leaf=leaf),)) == HELD.replace(", in bufio.NewReaderSize", "")


def test_a_regression_may_be_accepted():
    """A comparison has no limit to raise; a budget has, so it is not offered there, nor for what was not measured."""
    screen = first_screen(verdicts=(HEAP, WORSE))
    assert screen["or"] == "gomem accept 'tests/test_mem.py::test_upload[a b]' live_heap --reason WHY"
    assert "or" not in first_screen(verdicts=(HEAP,))
    assert "or" not in first_screen(verdicts=(replace(WORSE, status=Status.UNAVAILABLE, actual=None),))


def test_a_program_that_ran_by_itself_has_no_test_to_run():
    """`gomem run` shows all but the commands of tests."""
    text = failure_text(failing_window(), "gomem run", TextOptions(lines=30, report="out.json"))[1]
    assert "  next " not in text
    assert text.endswith(" more lines: gomem explain out.json 'gomem run' -v")
    assert failure_text(failing_window(), "gomem run", TextOptions(lines=30))[1].endswith(" more lines")
