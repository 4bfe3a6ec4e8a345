"""The call trees that a failed window keeps: which profiles they are of, how they are bounded, and their figures."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from evidence_samples import Seen
from hypothesis import given
from hypothesis import strategies as st
from pprof_profiles import HEAP as TYPES
from pprof_profiles import profiles
from report_samples import verdict, window
from test_attribution_culprits import HANDLE, KIB, MODULE, SERVE, dropped, heap, retained
from test_diagnosis_explanation import PARSE, RATE, explained, seen, worse
from test_holders_explained import FOUND, SESSIONS, TOO_MUCH

from pytest_gomem.flame.bounded import LEAST, MOST, LineTree, Shown, flame_record, tree_of_profiles
from pytest_gomem.flame.tree import call_tree
from pytest_gomem.instruments.peak_profile import PEAK
from pytest_gomem.results.flame_record import FlameRecord
from pytest_gomem.session.capture import HEAP, OPENING

LIVE = Shown("inuse_space", "bytes live", "at the opening")


def kept(now, before=(), shown=LIVE, most=MOST) -> FlameRecord:
    """The record of a tree of these profiles."""
    return flame_record(tree_of_profiles(now, before, MODULE), shown, most)


def values_of(record: FlameRecord, column: str = "value") -> dict[str, int]:
    """The values by function, of trees in which each is once."""
    places = dict(zip(record.function, getattr(record, column), strict=True))
    return {"all" if place < 0 else record.functions[place]: value for place, value in places.items()}


def paths_of(parents, names) -> list[tuple[str, ...]]:
    paths = []
    for parent, name in zip(parents, names, strict=True):
        paths.append((*(paths[parent] if parent >= 0 else ()), name))
    return paths


@given(profiles(TYPES), profiles(TYPES), st.integers(1, 40))
def test_what_is_kept_has_the_values_of_the_whole_tree(new, old, most):
    """At most so many frames, the largest, with all their callers; what has a value and is not kept is counted."""
    whole, at = call_tree(new, old), 3
    record = flame_record(LineTree(call_tree(new, old, by="line"), (1, 1), None), LIVE, most)
    flat = [
        tuple(max(side[at].flat[node], 0) for side in (whole.now, whole.before)) for node in range(len(whole.frames))
    ]
    sums = [list(pair) for pair in flat]
    for node in range(len(sums) - 1, 0, -1):
        for side in (0, 1):
            sums[whole.parents[node]][side] += sums[node][side]
    expected = dict(zip(paths_of(whole.parents, map(str, whole.frames)), map(tuple, sums), strict=True))
    names = ["all", *(record.functions[place] for place in record.function[1:])]
    found = dict(zip(paths_of(record.parent, names), zip(record.value, record.before, strict=True), strict=True))
    assert found.items() <= expected.items()
    assert len(found) <= most
    assert len(found) + record.dropped >= sum(map(any, sums))


def test_a_frame_has_the_line_with_most_of_its_value():
    """Lines of one function with the same callers are one frame, also if they are of two versions of a program."""
    other = (PARSE[0], PARSE[1], 40)
    now = heap(retained(KIB, 300, PARSE, HANDLE), retained(KIB, 700, other, HANDLE), rate=1)
    record = kept([now], [heap(retained(KIB, 500, ("main.parse", "/tmp/base/parse.go", 33), HANDLE), rate=1)])
    assert (record.functions, record.line) == (("main.handle", "main.parse"), (0, 20, 40))
    assert (values_of(record)["main.parse"], values_of(record, "before")["main.parse"]) == (1000 * KIB, 500 * KIB)
    assert [record.files[at] for at in record.file] == ["main.go", "parse.go"]
    assert {record.legend[at] for at in record.whose} == {"your code"}


def test_what_the_measuring_allocates_is_not_in_it():
    """As culprits leave it out: the endpoint that answers our own requests for profiles."""
    endpoint = ("net/http/pprof.Index", "/usr/local/go/src/net/http/pprof/pprof.go", 380)
    record = kept([heap(retained(KIB, 100, PARSE, HANDLE), retained(KIB, 900, endpoint, SERVE), rate=1)])
    assert values_of(record)["all"] == 100 * KIB


def test_several_rounds_are_their_mean():
    """On both sides, and it says so."""
    rounds = [heap(retained(KIB, count, PARSE, HANDLE), rate=1) for count in (100, 300)]
    record = kept(rounds, [heap(retained(KIB, 50, PARSE, HANDLE), rate=1)] * 2)
    assert (values_of(record)["all"], values_of(record, "before")["all"]) == (200 * KIB, 50 * KIB)
    assert record.notes[0] == "Mean of 2 rounds."


def test_a_large_tree_is_kept_small():
    """At most so many frames, none below 0.2% of everything, whatever the service does."""
    wide = [
        retained(KIB, 1 + 4000 // (1 + at), *((f"example.com/app/internal/pkg{at}.(*Type{at}).Method{deep}",
                 f"/srv/app/internal/pkg{at}/file{deep}.go", deep) for deep in range(6, 0, -1)), SERVE)
        for at in range(400)
    ]  # fmt: skip
    record = kept([heap(*wide, rate=1)], [heap(*wide[::2], rate=1)])
    assert len(record.value) == MOST
    assert min(map(max, zip(record.value, record.before, strict=True))) >= LEAST * record.value[0]
    assert record.dropped == 6 * 400 + 2 - MOST
    assert len(json.dumps(vars(record), separators=(",", ":"))) < 27_000  # each name and file is another one


def test_what_lives_is_shown_beside_the_opening_or_the_other_side():
    """Beside the other side if a comparison failed, also where a limit is broken too."""
    broken = verdict("live_heap", "1kB", 1e6)
    head, base = seen(4000, opening=100), seen(200, there="on the base side")
    alone = explained(broken, head=head).flames
    both = explained(broken, worse("live_heap", 1e6), head=head, base=base).flames
    assert [(name, one.against) for name, one in alone.items()] == [("live", "at the opening")]
    assert [(name, one.against) for name, one in both.items()] == [("live", "on the base side")]
    assert values_of(alone["live"], "before")["all"] < values_of(both["live"], "before")["all"]
    assert explained(broken, head=seen(4000)).flames["live"].before == ()


def test_what_was_allocated_is_that_of_the_window():
    """Since the opening, which is not drawn beside it; between two sides it is all since the service started."""
    head = Seen(
        {kind: heap(dropped(KIB, count, PARSE, HANDLE), rate=1) for kind, count in {HEAP: 900, OPENING: 200}.items()}
    )
    (churn,) = explained(verdict("alloc_bytes_per_op", "1kB", 1e6), head=head).flames.values()
    assert (churn.shows, values_of(churn)["all"], churn.before) == ("bytes allocated in the window", 700 * KIB, ())
    base = replace(head, there="on the base side")
    (between,) = explained(worse("total_alloc", 1e3), head=head, base=base).flames.values()
    assert (between.shows, values_of(between)["all"]) == ("bytes allocated since the service started", 900 * KIB)


def test_a_peak_is_shown_by_its_profile_and_one_of_garbage_by_what_was_allocated():
    """Without a profile of the peak it is that of the close, and the reason is among the notes."""
    peak = verdict("peak_rss", "1kB", 1e6)
    assert list(explained(peak, head=seen(10, peak=4000)).flames) == ["peak"]
    of_close = explained(peak, head=seen(4000)).flames["live"]
    assert of_close.notes[0].startswith("The profiles are of the close")
    made = heap(dropped(KIB, 9000, PARSE, HANDLE), rate=RATE)
    garbage = explained(peak, head=Seen({HEAP: made, PEAK: made, OPENING: heap(rate=RATE)}))
    assert list(garbage.flames) == ["peak", "allocated"]


def test_holders_are_shown_beside_those_of_the_other_side():
    """Each root with the types that it keeps."""
    fewer = replace(FOUND, live_bytes=1_000_000, holders=(replace(SESSIONS, retained=1_000_000),))
    head, base = replace(seen(4000), retention=FOUND), replace(seen(4000), retention=fewer, there="on the base side")
    alone = explained(TOO_MUCH, head=head).flames["holders"]
    assert values_of(alone)[SESSIONS.root] == SESSIONS.retained
    assert [alone.legend[at] for at in alone.whose[:3]] == [
        "who holds", "types of your code and its dependencies", "built-in types",
    ]  # fmt: skip
    beside = explained(worse("live_heap", 1e6), head=head, base=base).flames["holders"]
    assert (values_of(beside, "before")[SESSIONS.root], beside.against) == (1_000_000, "on the base side")


@pytest.mark.parametrize("whole", [True, False])
def test_a_baseline_that_lacks_callers_is_not_compared(whole):
    """Its profile keeps whole stacks as long as they fit; else frames would seem new that are old."""
    stack = (PARSE, HANDLE, SERVE) if whole else (PARSE,)
    base = Seen({HEAP: heap(retained(KIB, 100, *stack), rate=1)}, there="in the baseline", is_kept=True)
    head = Seen({HEAP: heap(retained(KIB, 900, PARSE, HANDLE, SERVE), rate=1)})
    live = explained(worse("live_heap", 1e3), head=head, base=base).flames["live"]
    assert (live.against, len(live.before), len(live.notes)) == (("in the baseline", 4, 0) if whole else ("", 0, 1))


def test_a_window_without_profiles_has_none():
    """Nor has one whose failure no profile explains; what the culprits say tells why."""
    assert explained(verdict("live_heap", "1kB", 1e6), head=Seen({})).flames == {}
    assert explained(verdict("goroutines", "1", 2.0), head=seen(10)).flames == {}
    assert window().flames == {}


def test_a_frame_below_two_thousandths_is_counted_and_not_kept():
    """Unless it is more of what was before, or of what grew. A frame without any value is nothing that was left out."""
    samples = [retained(KIB, 998_990, PARSE), retained(KIB, 1000, HANDLE), dropped(KIB, 9, SERVE)]
    assert (kept([heap(*samples, rate=1)]).functions, kept([heap(*samples, rate=1)]).dropped) == (("main.parse",), 1)
    grown = kept([heap(*samples, rate=1)], [heap(samples[0], rate=1)])
    assert grown.functions == ("main.parse", "main.handle")
