"""Culprits of a growth: who is charged, how surely, and in what words."""

from __future__ import annotations

import math

import pytest
from pprof_profiles import HEAP, profile

from pytest_gomem.attribution.culprits import SAMPLE_OF, find_culprits
from pytest_gomem.attribution.origin import Site
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.pprof.aggregate import aggregate
from pytest_gomem.pprof.model import Function, Label, Line, Location, ProfileError

MODULE = GoModule("example.com/app")
IN_CMD = GoModule("example.com/app", "example.com/app/cmd/api")
AT_ROOT = GoModule("example.com/app", "example.com/app")
RATE = 512 << 10
KIB = 1 << 10
ADD = ("main.(*leakyLog).add", "/srv/app/logs.go", 62)
HANDLE = ("main.handle", "/srv/app/main.go", 20)
SERVE = ("net/http.(*conn).serve", "/usr/local/go/src/net/http/server.go", 2102)


def heap(*samples, rate=RATE, labelled=True):
    """A heap profile of (stack, size, made, held), the last two in objects sampled; scaled as the runtime does."""
    numbers, rows, labels = {}, [], []
    for stack, size, made, held in samples:
        scale = 1 / -math.expm1(-size / rate) if rate > 1 and size else 1
        ids = [numbers.setdefault(frame, len(numbers) + 1) for frame in stack]
        rows.append((ids, tuple(int(count * each * scale) for count in (made, held) for each in (1, size))))
        labels.append((Label("bytes", None, size, ""),) if labelled else ())
    places = {number: place(frame) for frame, number in numbers.items()}
    return profile(rows, places, HEAP, labels, period=rate)


def place(*frames):
    """A location of these frames, the innermost first."""
    return Location(None, 0, tuple(Line(Function(name, name, file, 1), line, 0) for name, file, line in frames), False)


def retained(size, count, *stack):
    """A sample of objects that are all still live."""
    return (stack or (ADD, HANDLE), size, count, count)


def dropped(size, count, *stack):
    """A sample of objects none of which is held."""
    return (stack or (ADD, HANDLE), size, count, 0)


def findings_of(metric, after, before=None, module=MODULE):
    """What one round finds."""
    return find_culprits(metric, (after,), before and (before,), module)


def first(metric, after, before=None, module=MODULE):
    return findings_of(metric, after, before, module).culprits[0]


def own_lines(*stack, module=MODULE):
    """The function that a stack is charged to."""
    return first("live_heap", heap(retained(KIB, 100, *stack)), module=module).function


def test_the_standard_librarys_own_lines_come_last():
    """A server's own allocations for each request may be most of it: a user's or a library's line comes before them."""
    parse = ("net/textproto.readMIMEHeader", "/usr/local/go/src/net/textproto/reader.go", 592)
    found = findings_of("live_heap", heap(retained(KIB, 700, parse, SERVE), retained(KIB, 300)))
    assert [one.function for one in found.culprits] == [ADD[0], "net/textproto.readMIMEHeader"]


def test_a_library_allocates_for_the_users_line_that_called_it():
    """The frame of the user's module nearest to the allocation is charged, not the leaf, not the outermost."""
    read_all = ("io.ReadAll", "/usr/local/go/src/io/io.go", 712)
    culprit = first("live_heap", heap(retained(KIB, 100, read_all, ADD, SERVE, HANDLE)))
    assert (culprit.function, culprit.file, culprit.line) == ("main.(*leakyLog).add", "logs.go", 62)


def test_callers_are_the_users_own_and_at_most_three():
    """The chain goes on in the user's module alone, names recursion once, and ends after three."""
    outer = [(f"main.outer{n}", "/srv/app/main.go", n) for n in range(1, 5)]
    culprit = first("live_heap", heap(retained(KIB, 100, ADD, SERVE, HANDLE, ADD, *outer)))
    assert culprit.callers == tuple(
        Site(name, "main.go", line) for name, line in [("main.handle", 20), ("main.outer1", 1), ("main.outer2", 2)]
    )


def test_callers_are_those_of_the_stack_that_grew_most():
    """Of several ways to one line, the one that grew most is told, not the one that holds most."""
    old, new = (("main.old", "/srv/app/a.go", 1), ("main.new", "/srv/app/a.go", 2))
    before = heap(retained(KIB, 300, ADD, old))
    after = heap(retained(KIB, 310, ADD, old), retained(KIB, 100, ADD, new))
    assert first("live_heap", after, before).callers == (Site("main.new", "a.go", 2),)


def test_without_own_frames_the_leaf_is_charged():
    """A stack of the standard library alone counts for its leaf, without callers; not for the runtime's, if it can."""
    leaf = ("bufio.NewReaderSize", "/usr/local/go/src/bufio/bufio.go", 57)
    runtime = [(name, "/usr/local/go/src/runtime/malloc.go", 9) for name in ("runtime.mallocgc", "runtime.makeslice")]
    for stack in ([leaf, SERVE], [*runtime, leaf, SERVE]):
        culprit = first("live_heap", heap(retained(KIB, 100, *stack)))
        assert (culprit.function, culprit.file, culprit.callers) == ("bufio.NewReaderSize", "bufio/bufio.go", ())
    assert own_lines(*runtime) == "runtime.mallocgc"
    started = [(f"runtime.{name}", "/usr/local/go/src/runtime/proc.go", 9) for name in ("malg", "newproc1")]
    assert own_lines(*runtime, *started) == "runtime.malg"


def test_the_modules_own_name_is_no_part_of_another():
    """A path that begins alike is a third-party module, whose line is charged before the standard library's."""
    for function in ("example.com/app2.Work", "example.com/application/web.Work"):
        assert own_lines(("strings.Repeat", "", 2), (function, "", 1)) == function


@pytest.mark.parametrize(
    ("function", "is_own"),
    [
        ("main.work", True),
        ("example.com/app.Work", True),
        ("example.com/app/internal/web.(*Page[go.shape.string]).Show", True),
        ("app2.Work", False),
        ("application/web.Work", False),
        ("mainframe.Work", False),
    ],
)
def test_what_is_the_users_own(function, is_own):
    """Package main, the module's root and all below it; not a module whose path begins alike."""
    frame, leaf = (function, "/x/a.go", 1), ("strings.Repeat", "/x/strings.go", 2)
    assert own_lines(leaf, frame) == (function if is_own else "strings.Repeat")


def test_a_module_path_with_dots():
    """The linker writes the dots of a path's last part as %2e; it is the user's own all the same."""
    load = ("gopkg.in/yaml%2ev3.Load", "", 1)
    assert own_lines(("strings.Repeat", "", 2), load, module=GoModule("gopkg.in/yaml.v3")) == load[0]


def test_an_unknown_module_leaves_package_main():
    """Without a module path nothing but package main is the user's own."""
    work = ("example.com/app.Work", "", 1)
    assert own_lines(("strings.Repeat", "", 2), work, HANDLE, module=GoModule()) == "main.handle"


def test_inlined_frames_count_like_others():
    """Of calls inlined into one location the innermost own one is charged."""
    made = heap(retained(KIB, 100, ("x", "", 1)))
    inlined = place(("strings.Repeat", "", 2), ADD, HANDLE)
    culprit = findings_of("live_heap", made._replace(locations={1: inlined})).culprits[0]
    assert (culprit.function, culprit.callers) == (ADD[0], (Site("main.handle", "main.go", 20),))


def test_a_stack_without_symbols_has_a_name_too():
    """Neither an empty stack nor an address without a function hides what it holds."""
    made = heap(retained(KIB, 100, ("x", "", 1)), ((), KIB, 50, 50))
    bare = made._replace(locations={1: Location(None, 0x1234, (), False)})
    (culprit,) = findings_of("live_heap", bare).culprits
    assert (culprit.function, culprit.file, culprit.line, culprit.share) == ("<unknown>", "", 0, 1)


@pytest.mark.parametrize(
    "measuring",
    [
        [("compress/flate.NewWriter", "", 1), ("runtime/pprof.writeHeapProto", "", 2), SERVE],
        [("compress/flate.NewWriter", "", 1), ("net/http/pprof.Index", "", 3), ("main.logging", "", 4), SERVE],
        [("encoding/json.Marshal", "", 1), ("main.pytestGomemReply", "/srv/app/0_pytest_gomem_agent.go", 90)],
    ],
)
def test_what_measuring_allocates_accuses_nobody(measuring):
    """Writing the profile itself and the agent's own work are left out, of the growth and its shares too."""
    findings = findings_of("live_heap", heap(retained(KIB, 900, *measuring), retained(KIB, 100)))
    assert [culprit.function for culprit in findings.culprits] == [ADD[0]]
    assert (findings.functions, findings.share) == (1, 1.0)


def test_a_program_that_writes_profiles_itself_is_told():
    """What runtime/pprof allocates for a line of the user's own is that line's."""
    assert own_lines(("runtime/pprof.writeHeapProto", "", 2), HANDLE) == "main.handle"


@pytest.mark.parametrize(
    ("frame", "file"),
    [
        (("main.f", "/srv/app/cmd/api/main.go", 1), "cmd/api/main.go"),
        (("example.com/app/web.f", "/srv/app/web/page.go", 1), "web/page.go"),
        (("example.com/app.f", "/srv/app/app.go", 1), "app.go"),
        (("example.com/app/web.f", "example.com/app/web/page.go", 1), "web/page.go"),
        (("net/http.f", "/usr/local/go/src/net/http/server.go", 1), "net/http/server.go"),
        (("net/http.f", "net/http/server.go", 1), "net/http/server.go"),
        (("internal/bytealg.MakeNoZero", "/usr/local/go/src/runtime/slice.go", 1), "runtime/slice.go"),
        (("strange.f", "/opt/strange/file.go", 1), "/opt/strange/file.go"),
    ],
)
def test_files_are_relative_to_the_module(frame, file):
    """The module's folder is told from any of its packages; -trimpath has taken it away already."""
    other = ("example.com/app/web.g", "/srv/app/web/other.go", 1)
    after = heap(retained(KIB, 100, frame), retained(KIB, 200, other))
    assert {culprit.file for culprit in findings_of("live_heap", after).culprits} == {
        file,
        "web/other.go",
    }


def test_a_main_whose_folder_is_unknown_has_its_file_name():
    """Where no package tells the module's folder, a file of package main is named alone."""
    assert first("live_heap", heap(retained(KIB, 100, ("main.f", "/srv/app/cmd/api/main.go", 1)))).file == "main.go"


RUN = ("main.run", "/srv/app/cmd/api/main.go", 1)
RUN_AT_ROOT = ("main.run", "/srv/app/main.go", 1)
OWN_CLOSURE = ("main.run.func1", "/srv/app/cmd/api/routes.go", 2)
OF_WEB = ("main.run.Handle.func2", "/srv/app/web/page.go", 3)
OF_DEPENDENCY = ("main.run.With.func3", "/a/server@v1.0.0/cmd/api/option.go", 4)
OF_GO = ("main.run.OnceFunc.func4", "/opt/go/src/sync/oncefunc.go", 5)
LOCK = ("sync.(*Mutex).Lock", "/opt/go/src/sync/mutex.go", 6)
NAMED_OF_GO = ("example.com/app.Run.OnceFunc.func1", "/opt/go/src/sync/oncefunc.go", 7)


@pytest.mark.parametrize(
    ("module", "files"),
    [
        (IN_CMD, {RUN: "cmd/api/main.go"}),
        (IN_CMD, {OWN_CLOSURE: "cmd/api/routes.go"}),
        (IN_CMD, {RUN: "cmd/api/main.go", OF_WEB: "web/page.go"}),
        (IN_CMD, {OF_WEB: "page.go"}),
        (IN_CMD, {RUN: "cmd/api/main.go", OF_DEPENDENCY: "option.go"}),
        (IN_CMD, {OWN_CLOSURE: "routes.go", OF_DEPENDENCY: "option.go"}),
        (IN_CMD, {RUN_AT_ROOT: "main.go", OF_WEB: "page.go"}),
        (IN_CMD, {("main.run", "example.com/app/cmd/api/main.go", 1): "cmd/api/main.go"}),
        (AT_ROOT, {RUN_AT_ROOT: "main.go", OF_WEB: "web/page.go", OF_GO: "oncefunc.go", LOCK: "sync/mutex.go"}),
        (AT_ROOT, {OF_WEB: "page.go", OF_GO: "oncefunc.go", LOCK: "sync/mutex.go"}),
        (IN_CMD, {NAMED_OF_GO: "oncefunc.go", LOCK: "sync/mutex.go"}),
        (IN_CMD, {("example.com/app.Run.func1", "/srv/app/run.go", 8): "run.go", LOCK: "sync/mutex.go"}),
        (GoModule("example.com/app", "command-line-arguments"), {RUN: "main.go"}),
        (GoModule("", "command-line-arguments"), {RUN: "main.go", OF_WEB: "page.go"}),
    ],
)
def test_package_main_tells_the_folder_of_its_module(module, files):
    """Where main's import path is known. Closures of inlined calls bear its name too, and may lie elsewhere."""
    after = heap(*(retained(KIB, 100, frame) for frame in files))
    named = {culprit.function: culprit.file for culprit in findings_of("live_heap", after, None, module).culprits}
    assert named == {function: file for (function, _, _), file in files.items()}


def test_both_profiles_name_a_line_alike():
    """A module's folder that only the later profile tells holds for the earlier one too."""
    main = ("main.f", "/srv/app/cmd/api/main.go", 1)
    after = heap(retained(KIB, 300, main), retained(KIB, 1, ("example.com/app/web.g", "/srv/app/web/a.go", 1)))
    culprit = first("live_heap", after, heap(retained(KIB, 100, main)))
    assert culprit.before > 0
    assert culprit.file == "cmd/api/main.go"


def test_the_greatest_change_comes_first():
    """Ranked is what came since, not what is there; what shrank is no culprit and takes nothing off the growth."""
    lines = [("main.a", "", 1), ("main.b", "", 2), ("main.c", "", 3)]
    counts = [(1000, 1040), (10, 130), (500, 300)]
    before = heap(*(retained(KIB, was, line) for line, (was, _) in zip(lines, counts, strict=True)))
    after = heap(*(retained(KIB, now, line) for line, (_, now) in zip(lines, counts, strict=True)))
    findings = findings_of("live_heap", after, before)
    assert [(each.function, round(each.share, 2)) for each in findings.culprits] == [("main.b", 0.75), ("main.a", 0.25)]
    assert (findings.shown, findings.functions) == (2, 2)
    assert findings.growth == sum(culprit.change for culprit in findings.culprits)


def test_no_more_than_five_are_named_but_all_are_counted():
    """The cut is of the list, not the functions and the growth that it is a part of."""
    after = heap(*(retained(KIB, 100, (f"main.f{n}", "", n)) for n in range(1, 11)))
    findings = findings_of("live_heap", after)
    assert (findings.shown, findings.functions, findings.share) == (5, 10, pytest.approx(0.5))


def test_two_lines_of_a_function_are_two_culprits_and_one_function():
    """Lines are told apart; how many functions are shown does not count one twice."""
    findings = findings_of("live_heap", heap(retained(KIB, 100), retained(KIB, 90, (ADD[0], ADD[1], 63))), None, MODULE)
    assert [culprit.line for culprit in findings.culprits] == [62, 63]
    assert findings.shown == 1


@pytest.mark.parametrize(("made", "named"), [(9.8, 1), (10.2, 2)])
def test_less_than_a_tenth_of_the_growth_explains_nothing(made, named):
    """However sure it is."""
    rest = [retained(RATE, round(made * 10)), retained(RATE, 1000 - round(made * 10), HANDLE)]
    assert len(findings_of("live_heap", heap(*rest)).culprits) == named


def test_where_each_line_is_less_the_function_that_has_most_is_told():
    """As a runtime's 2.6% was once named first; a function whose lines together have too little is not told either."""
    many = [retained(RATE, 5, (f"main.f{n}", "", n)) for n in range(20)]
    found = findings_of("live_heap", heap(*many))
    assert (found.culprits, found.nothing) == ((), "no single line has 10% of the growth of 82.9 MB, in 20 functions")
    load = [retained(RATE, 5, ("main.load", "", n)) for n in range(10)]
    found = findings_of("live_heap", heap(*many, *load), heap(retained(RATE, 1, ("main.load", "", 99))))
    assert found.culprits == ()
    assert found.nothing == (
        "no single line has 10% of the growth of 124 MB, in 21 functions; "
        "of the functions main.load has most: 33%, in 11 lines"
    )


def test_a_function_may_stand_out_where_none_of_its_lines_does():
    """Three samples a line are within the noise, sixty of a function are not."""
    after = heap(*(retained(KIB, 3, ("main.load", "", n)) for n in range(20)))
    assert findings_of("live_heap", after).nothing.endswith("; of the functions main.load has most: 100%, in 20 lines")


@pytest.mark.parametrize(("metric", "sample"), SAMPLE_OF.items())
def test_figures_are_those_of_the_profile(metric, sample):
    """Each metric shows its own sample type: before and after are the sums that the profile itself holds."""
    before, after = heap(retained(KIB, 50), dropped(48, 70)), heap(retained(KIB, 150), dropped(48, 700))
    culprit = first(metric, after, before)
    assert culprit.metric == metric
    assert (culprit.before, culprit.after) == (aggregate(before, sample).total, aggregate(after, sample).total)


def test_without_an_earlier_profile_all_is_new():
    """before is then unknown, not 0, and the change is all there is."""
    culprit = first("live_heap", heap(retained(KIB, 150)))
    assert culprit.before is None
    assert culprit.change == culprit.after > 0


@pytest.mark.parametrize("metric", ["live_heap", "total_alloc"])
def test_interval_of_small_objects(metric):
    """Two sigma of small objects are 2 sqrt(rate * bytes), the relative error of n samples 1/sqrt(n)."""
    culprit = first(metric, heap(retained(KIB, 400)))
    assert culprit.interval == pytest.approx(2 * math.sqrt(RATE * culprit.after), rel=0.01)
    assert culprit.interval / culprit.after == pytest.approx(2 / math.sqrt(400), rel=0.01)


def test_interval_of_objects():
    """Counts of objects are as uncertain, relatively, as their bytes."""
    in_bytes, in_objects = (first(metric, heap(retained(KIB, 400))) for metric in ("live_heap", "heap_objects"))
    assert in_bytes.interval / in_bytes.after == pytest.approx(in_objects.interval / in_objects.after, rel=0.01)


@pytest.mark.parametrize(("size", "rate"), [(64 << 20, RATE), (8, 1), (8, 0)])
def test_what_is_sampled_wholly_is_certain(size, rate):
    """Objects much larger than the rate, and all objects at a rate of 1, have no interval to speak of."""
    assert first("live_heap", heap(retained(size, 10**6), rate=rate)).interval <= 1


def test_sizes_of_one_line_add_their_variances():
    """A line that allocates objects of two sizes is as uncertain as two lines together."""
    small, large = (first("live_heap", heap(retained(size, 100))).interval for size in (KIB, 256 * KIB))
    both = first("live_heap", heap(retained(KIB, 100), retained(256 * KIB, 100))).interval
    assert both == pytest.approx(math.hypot(small, large), rel=0.01)


def test_what_both_profiles_hold_is_certain():
    """An object held before and after was sampled once: a large old heap does not blur a small leak."""
    leak = first("live_heap", heap(retained(KIB, 10_020)), heap(retained(KIB, 10_000)))
    assert leak.interval == first("live_heap", heap(retained(KIB, 20))).interval


def test_what_was_made_before_is_certain():
    """So is what was allocated before the earlier profile."""
    churn = first("total_alloc", heap(dropped(KIB, 10_020)), heap(dropped(KIB, 10_000)))
    assert churn.interval == first("total_alloc", heap(dropped(KIB, 20))).interval


def test_objects_that_may_have_been_exchanged_widen_the_interval():
    """A line that made as much as it holds may hold nothing of what it held: then both profiles are uncertain."""
    after = heap(((ADD,), KIB, 100_000, 1100))
    exchanged = first("live_heap", after, heap(((ADD,), KIB, 50_000, 1000)))
    certain = first("live_heap", after, heap(((ADD,), KIB, 99_900, 1000)))
    assert exchanged.change == certain.change
    assert exchanged.interval / certain.interval == pytest.approx(math.sqrt((1100 + 1000) / 100), rel=0.01)


@pytest.mark.parametrize(("samples", "named"), [(4, False), (5, True)])
def test_a_change_within_two_sigma_is_not_named(samples, named):
    """Of small objects four samples may be chance; five are more than 2 sqrt(5 + 1)."""
    assert bool(findings_of("live_heap", heap(retained(KIB, samples))).culprits) == named


def test_one_large_object_is_enough():
    """One sample of an object far larger than the rate is no chance."""
    assert first("live_heap", heap(retained(64 << 20, 1))).after == 64 << 20


def test_sizes_come_from_the_values_where_there_are_no_labels():
    """A profile read without labels gives the same intervals, but for rounding."""
    labelled, bare = (first("live_heap", heap(retained(KIB, 40), labelled=each)) for each in (True, False))
    assert bare.interval == pytest.approx(labelled.interval, rel=0.01)


@pytest.mark.parametrize("metric", SAMPLE_OF)
def test_a_base_of_another_process_does_no_harm(metric):
    """A base that made more than there is now, as no earlier profile could, gives no error and accuses no bystander."""
    assert findings_of(metric, heap(retained(KIB, 10)), heap(retained(KIB, 99))).culprits == ()
    exchanged = findings_of(metric, heap(retained(256 * KIB, 10)), heap(retained(48, 12)))
    assert exchanged.culprits == ()


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        ("live_heap", "allocated 210 MB of the live heap, not there when the window opened"),
        ("heap_objects", "allocated 205k objects of the live heap, not there when the window opened"),
        ("total_alloc", "allocated 210 MB in the window, of which all is still live"),
        ("allocs", "allocated 205k objects in the window, of which all are still live"),
    ],
)
def test_retention_and_churn_in_words(metric, reason):
    """What is held is told as retention, what was made as churn with what is left of it."""
    assert first(metric, heap(retained(KIB, 410)), heap(retained(KIB, 10))).reason == reason


@pytest.mark.parametrize(("held", "share"), [(0, "none"), (1, "less than 0.1%"), (25, "0.6%"), (4000, "all")])
def test_churn_says_how_much_is_left(held, share):
    """The share of what was made that is still live, down to none."""
    culprit = first("total_alloc", heap(((ADD,), KIB, 4000, held)))
    assert culprit.reason == f"allocated 2.10 GB since the process started, of which {share} is still live"


def test_what_is_freed_meanwhile_is_not_held_less_than_none():
    """A line that holds less than before, though it allocated, has kept none of it."""
    culprit = first("total_alloc", heap(((ADD,), KIB, 900, 10)), heap(((ADD,), KIB, 100, 90)))
    assert culprit.reason.endswith("of which none is still live")


@pytest.mark.parametrize(
    ("metric", "after", "words"),
    [
        ("live_heap", heap(rate=0), "the service's memory profiler is off: its MemProfileRate is 0"),
        ("live_heap", heap(), "there is no inuse_space in a profile that takes one sample in 524 kB"),
        ("live_heap", heap(dropped(KIB, 9)), "there is no inuse_space in a profile that takes one sample in 524 kB"),
        ("live_heap", heap(retained(KIB, 20)), "no line has more of the live heap than before"),
        ("total_alloc", heap(retained(KIB, 30)), "no line has allocated more"),
        (
            "live_heap",
            heap(retained(KIB, 32)),
            "the growth of 1.05 MB, in 1 function, is within the noise of a profile that takes one sample in 524 kB",
        ),
    ],
)
def test_nobody_is_named_without_a_word(metric, after, words):
    """Where no line can be named the findings say why: no profiler, no samples, no growth, or too few samples of it."""
    findings = findings_of(metric, after, heap(retained(KIB, 30)))
    assert (findings.culprits, findings.nothing) == ((), words)


@pytest.mark.parametrize("metric", ["peak_rss", "end_rss"])
def test_resident_memory_may_not_be_go_heap(metric):
    """For RSS the findings add that a heap profile sees the Go heap alone."""
    findings = findings_of(metric, heap(retained(KIB, 30)), heap(retained(KIB, 30)))
    assert findings.nothing.endswith(
        f"{metric} also counts what no heap profile shows: stacks, freed pages, C, mapped files"
    )


def test_records_of_nothing_change_nothing():
    """The runtime also writes records without a single object, whose size it does not know."""
    nothing = ((ADD,), 0, 0, 0)
    with_it, without = (heap(retained(KIB, 30), *more) for more in ([nothing], []))
    assert findings_of("live_heap", with_it, None) == findings_of("live_heap", without)


def test_another_profile_is_refused():
    """A profile without the four sample types of a heap profile is refused by name."""
    with pytest.raises(ProfileError, match="alloc_space"):
        findings_of("live_heap", profile([], {}))
