"""Baseline files: laid by hand, read back, merged by conditions, and damaged in ways that are named."""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from evidence_samples import Seen
from hypothesis import given
from hypothesis import strategies as st
from report_samples import usual_metrics, verdict
from report_samples import window as record
from test_attribution_culprits import heap, retained

from pytest_gomem.base.errors import ConfigError, ObserveError, Place
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import BYTES, RATIO, Quantity
from pytest_gomem.baseline.evidence import KeptEvidence
from pytest_gomem.baseline.layout import read, written
from pytest_gomem.baseline.lookup import Baselines
from pytest_gomem.baseline.profiles import Handover, ProfileFolder
from pytest_gomem.baseline.review import never_failing
from pytest_gomem.baseline.snapshot import Snapshot, by_metric, differences
from pytest_gomem.baseline.store import Store
from pytest_gomem.baseline.update import Recorder, prune, stale
from pytest_gomem.comparison.base import Base, NotCompared
from pytest_gomem.config.budgets import Budget
from pytest_gomem.instruments.peak_profile import PEAK
from pytest_gomem.judge.conditions import VARIES
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.registry import builtin_metrics
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import MetricValue
from pytest_gomem.session.capture import HEAP
from pytest_gomem.stats.decision import Status

PLACE = Path("gomem_baselines/test_it.json")
# By their first definitions, as snapshot() and usual_metrics() record them.
BUILTIN = tuple(replace(metric, redefined=()) for metric in builtin_metrics())
GO26 = {"go": "go1.26", "gogc": "100"}


def seen(count: int, **modules: str) -> Seen:
    return Seen({HEAP: heap(retained(1024, count))}, modules)


def snapshot(*live_heap: float, **conditions: str) -> Snapshot:
    return Snapshot({**GO26, **conditions}, {"live_heap": live_heap, "gc_cycles": (3,) * len(live_heap)}, 10, "0a1", "")


texts = st.text(max_size=8)
values = st.lists(st.floats(-1e15, 1e15) | st.integers(0, 2**53).map(float), min_size=1, max_size=4).map(tuple)
files = st.just("") | texts.map(lambda text: f"profiles/{text}.pb.gz")
snapshots = st.builds(
    Snapshot,
    st.dictionaries(texts, texts, max_size=3),
    st.dictionaries(texts, values, max_size=3),
    st.none() | st.integers(0, 10**9),
    texts,
    texts,
    files,
    files,
    st.dictionaries(texts, texts, max_size=2),
    st.dictionaries(texts, st.integers(1, 999), max_size=2),
    st.dictionaries(texts, st.integers(2, 9), max_size=2),
)
tests = st.dictionaries(
    texts, st.dictionaries(texts, st.lists(snapshots, max_size=2).map(tuple), max_size=2), max_size=2
)


@given(tests)
def test_what_is_written_is_read_back(found):
    """Everything survives but digits beyond the seventh of a fraction; a second writing changes nothing."""
    text = written(found)
    back = read(PLACE, text)
    assert written(back) == text
    assert back.keys() == found.keys()
    for test, windows in found.items():
        for name, kept in windows.items():
            for one, other in zip(
                sorted(kept, key=lambda s: sorted(s.conditions.items())), back[test][name], strict=True
            ):
                assert replace(one, metrics={}) == replace(other, metrics={})
                for metric, before in one.metrics.items():
                    assert all(
                        math.isclose(a, b, rel_tol=1e-6) for a, b in zip(before, other.metrics[metric], strict=True)
                    )


def test_a_change_of_one_test_touches_its_lines_alone():
    """One line for each metric, tests in alphabetical order: what merges and reviews want."""
    before = {"test_b": {"api/test": (snapshot(1e6, 2e6),)}, "test_a": {"api/test": (snapshot(5e6),)}}
    after = {**before, "test_b": {"api/test": (snapshot(1e6, 3e6),)}}
    old, new = written(before).splitlines(), written(after).splitlines()
    assert [(a.strip(), b.strip()) for a, b in zip(old, new, strict=True) if a != b] == [
        ('"live_heap": [1000000, 2000000],', '"live_heap": [1000000, 3000000],')
    ]
    assert [line.strip() for line in old if "test_" in line] == ['"test_a": {', '"test_b": {']


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.replace(' "tests"', "=======\n" + ' "tests"'), "test_it.json:3: a merge conflict is not resolved"),
        (lambda t: t.replace("[1000000", "[1000000,,"), "test_it.json:14: this is no baseline file: "),
        (
            lambda t: t.replace("[1000000", '["1"'),
            "test_it.json:14 tests.test_a.api/test.metrics.live_heap: ",
        ),
        (lambda t: t.replace("[1000000]", "[]"), "test_it.json:14 tests.test_a.api/test.metrics.live_heap: "),
        (lambda t: t.replace('"go": "go1.26"', '"go": 1.26'), "test_it.json:10 tests.test_a.api/test.conditions.go: "),
        (lambda t: t.replace('"ops": 10', '"ops": "x"'), "test_it.json:8 tests.test_a.api/test.ops: expected a number"),
        (lambda t: t.replace('"ops": 10', '"opps": 10'), "expected conditions, metrics, ops, recorded, not"),
        (lambda t: t.replace('"gomem_baselines": 1', '"gomem_baselines": 2'), ":2 gomem_baselines: expected "),
        (
            lambda t: t.replace('"ops": 10,', '"ops": 10, "profile": "../../x.py",'),
            "profile: expected a file name that ends in .pb.gz",
        ),
        (
            lambda t: t.replace('"ops": 10,', '"ops": 10, "definitions": {"live_heap": "2"},'),
            "definitions.live_heap: expected a whole number of 1 or more",
        ),
        (lambda t: "[]", "test_it.json:1: expected a mapping"),
        (lambda t: "[" * 100_000, "test_it.json:1: this is no baseline file: "),
        (lambda t: t.replace("[1000000]", "[NaN]"), "test_it.json:14 tests.test_a.api/test.metrics.live_heap: "),
        (lambda t: t.replace("[1000000]", "[1e999]"), "test_it.json:14 tests.test_a.api/test.metrics.live_heap: "),
        (
            lambda t: t.replace('"gogc": "100"', '"gogc": "100",\n "go": "go}1.27"'),
            'test_it.json:12: "go" stands there twice',
        ),
        (
            lambda t: t.replace('  "test_a": {', '  "test_a": {},\n  "test_a": {'),
            'test_it.json:5: "test_a" stands there twice',
        ),
    ],
)
def test_damage_is_named_with_its_line(change, says):
    """File, line and key, and what to do."""
    text = change(written({"test_a": {"api/test": (snapshot(1e6),)}}))
    with pytest.raises(ConfigError) as caught:
        read(PLACE, text)
    assert says in str(caught.value)
    assert "gomem baseline update" in str(caught.value)


def test_a_store_changes_whole_files_and_keeps_those_it_cannot_read(tmp_path):
    """Tests by module; the last test that goes takes the file along; a damaged file stays as it is."""
    store = Store(tmp_path / "kept")
    assert not store.exists()
    assert store.windows("tests/test_a.py::test_x") == {}
    store.change("tests/test_a.py", lambda kept: {**kept, "test_x": {"api/test": (snapshot(1e6),)}})
    store.change("tests/test_a.py", lambda kept: {**kept, "TestB::test_y[a::b]": {"api/test": (snapshot(2e6),)}})
    assert list(store.modules()) == ["tests/test_a.py"]
    assert json.loads((tmp_path / "kept/tests/test_a.json").read_text())["gomem_baselines"] == 1
    assert store.windows("tests/test_a.py::TestB::test_y[a::b]")["api/test"][0].metrics["live_heap"] == (2e6,)
    assert stale(store, ["tests/test_a.py::test_x"]) == ["tests/test_a.py::TestB::test_y[a::b]"]
    prune(store, ["tests/test_a.py::TestB::test_y[a::b]"])
    assert set(store.tests("tests/test_a.py")) == {"test_x"}
    (tmp_path / "kept/tests/test_a.json").write_text("<<<<<<< HEAD\n")
    with pytest.raises(ConfigError, match="merge conflict"):
        Store(tmp_path / "kept").change("tests/test_a.py", lambda kept: {})
    assert (tmp_path / "kept/tests/test_a.json").read_text() == "<<<<<<< HEAD\n"
    assert sorted(path.name for path in (tmp_path / "kept/tests").iterdir()) == ["test_a.json"]


def test_a_window_finds_the_baseline_of_its_conditions(tmp_path):
    """Of several sets of conditions the same one; else the nearest says what differs."""
    store = Store(tmp_path)
    kept = (snapshot(1e6, 2e6), snapshot(5e6, go="go1.27"))
    store.change("t.py", lambda _: {"test_a": {"api/test": kept}})
    baselines = Baselines(store, BUILTIN)
    assert (baselines.exists("t.py::test_a"), baselines.exists("t.py::test_b")) == (True, False)

    def found(nodeid="t.py::test_a", key=("api", "test", 0), **conditions):
        return baselines.find(nodeid, key, record(conditions={**GO26, **conditions}))

    same = found()
    assert isinstance(same, Base)
    assert [one["live_heap"] for one in same.rounds] == [1e6, 2e6]
    assert (same.record.ops, same.is_kept) == (kept[0].ops, True)
    assert found(go="go1.27").rounds[0]["live_heap"] == 5e6
    other = found(gogc="50")
    assert other == NotCompared("no comparable baseline: gogc is 50, was 100 (gomem baseline update records one too)")
    assert found("t.py::test_b") is None, "a new test"
    assert found(key=("api", "test", 1)) is None


def test_a_setting_that_varied_is_the_same_whatever_it_is_now(tmp_path):
    """A tuner's baseline compares with every run of it, but none of a fixed setting with a tuner."""
    store = Store(tmp_path)
    store.change("t.py", lambda _: {"test_a": {"api/test": (snapshot(1e6, gogc=VARIES),)}})

    def found(**conditions):
        return Baselines(store, BUILTIN).find(
            "t.py::test_a", ("api", "test", 0), record(conditions={**GO26, **conditions})
        )

    for gogc in ("100", "347", VARIES):
        assert isinstance(found(gogc=gogc), Base)
    assert isinstance(found(gogc="347", go="go1.27"), NotCompared)
    store.change("t.py", lambda _: {"test_a": {"api/test": (snapshot(1e6), snapshot(2e6, go="go1.27"))}})
    assert isinstance(found(gogc=VARIES), NotCompared)
    recorder = Recorder(store, {m.name: m for m in BUILTIN}, "0a1b2c3", "2026-01-31", force=True)
    tuned = record(name="test", metrics=usual_metrics(), conditions={**GO26, "gogc": VARIES})
    recorder.record([TestRecord("t.py::test_a", "passed", (tuned,))])
    kept = [one.conditions for one in store.windows("t.py::test_a")["api/test"]]
    assert sorted(one["gogc"] for one in kept) == ["100", VARIES], "the one value that it once had goes"
    assert {one["go"] for one in kept} == {"go1.26", "go1.27"}


def test_profiles_come_and_go_with_their_baselines(tmp_path):
    """Handed over, kept under a name of test, window and conditions, read by what finds the window, pruned."""
    store = Store(tmp_path / "kept")
    handover = Handover(tmp_path / "run", 65536)
    folder = ProfileFolder(store.folder / "profiles", store.folder, handover)
    nodeid = "t/a.py::test_x[1/2]"
    handover.put(nodeid, {"api/test": seen(5000), "api/other": seen(0)})
    peak = heap(retained(1024, 9000))
    handover.put(
        nodeid, {"api/test": Seen({HEAP: heap(retained(1024, 6000)), PEAK: peak}, {"example.com/lib": "v1.2.0"})}
    )
    assert folder.keep(nodeid, "api/other", snapshot(1e6)) == snapshot(1e6), "of an earlier attempt"
    kept = folder.keep(nodeid, "api/test", snapshot(1e6))
    assert re.fullmatch(r"profiles/t/a/test_x_1_2_-api_test-[0-9a-f]{8}\.pb\.gz", kept.profile)
    assert kept.peak_profile == kept.profile.replace(".pb.gz", "-peak.pb.gz")
    assert kept == replace(
        snapshot(1e6), profile=kept.profile, peak_profile=kept.peak_profile, modules={"example.com/lib": "v1.2.0"}
    )
    assert folder.keep(nodeid, "api/test", snapshot(2e6)).profiles == kept.profiles
    assert folder.keep(nodeid, "api/test", snapshot(1e6, gogc="50")).profile not in ("", kept.profile)
    store.change("t/a.py", lambda _: {"test_x[1/2]": {"api/test": (kept,)}, "test_y": {"api/test": (snapshot(1e6),)}})

    def found(nodeid, **options) -> KeptEvidence:
        base = Baselines(store, BUILTIN, **options).find(nodeid, ("api", "test", 0), record(conditions=GO26, ops=9))
        assert isinstance(base, Base)
        assert isinstance(base.evidence, KeptEvidence)
        return base.evidence

    def heap_of(nodeid, kind=HEAP, metric="live_heap", **options):
        (profile,) = found(nodeid, **options).profiles(kind, metric)
        return sum(profile.values[3])

    assert found(nodeid).modules == {"example.com/lib": "v1.2.0"}
    assert heap_of(nodeid, PEAK, "peak_heap") / heap_of(nodeid) == pytest.approx(1.5, rel=0.01)
    for asked, options, says in (
        (("t/a.py::test_y",), {}, "recorded without a heap profile: gomem baseline update"),
        (("t/a.py::test_y", PEAK, "peak_rss"), {}, "recorded without a heap profile of the peak: gomem baseline up"),
        ((nodeid,), {"with_profiles": False}, "are off"),
        ((nodeid, HEAP, "total_alloc"), {}, "the window did 9 operations, and the baseline of 0a1 10"),
    ):
        with pytest.raises(ObserveError, match=says):
            heap_of(*asked, **options)
    file = store.folder / kept.profile
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(ObserveError, match=r"api_test-\w+.pb.gz, is damaged .* gomem baseline update records it anew"):
        heap_of(nodeid)
    for other in file.parent.iterdir():
        if other != file:
            other.unlink()
    prune(store, [nodeid])
    assert not (store.folder / "profiles").exists()
    store.change("t/a.py", lambda _: {"test_x[1/2]": {"api/test": (kept,)}})
    with pytest.raises(ObserveError, match=r"api_test-\w+.pb.gz, is missing"):
        heap_of(nodeid)


def test_figures_of_another_definition_are_named_and_renewed(tmp_path):
    """They are no part of what is compared; what was recorded without versions is of the first; an update renews it."""
    store = Store(tmp_path)
    store.change("t.py", lambda _: {"test_a": {"api/test": (snapshot(1e6, 1e6, 1e6),)}})
    redefined = ("it counted what is mapped", "it was read twice")
    now = tuple(replace(m, redefined=redefined) if m.name == "live_heap" else m for m in BUILTIN)
    before = tuple(replace(m, redefined=redefined[:1]) if m.name == "live_heap" else m for m in BUILTIN)

    def found(metrics) -> Base:
        base = Baselines(store, metrics).find("t.py::test_a", ("api", "test", 0), record(conditions=GO26))
        assert isinstance(base, Base)
        return base

    assert found(BUILTIN).not_comparable == {}
    assert found(before).not_comparable == {
        "live_heap": "recorded before it counted what is mapped (gomem baseline update records it anew)"
    }
    assert (
        found(now)
        .not_comparable["live_heap"]
        .startswith("recorded before it counted what is mapped, and before it was read twice (")
    )
    assert found(now).rounds == ({"gc_cycles": 3},) * 3
    window = record(
        metrics=tuple(replace(m, definition=3) if m.name == "live_heap" else m for m in usual_metrics()),
        rounds=({"live_heap": 1e6, "gc_cycles": 3.0},) * 3,
        ops=10,
        conditions=GO26,
    )
    recorder = Recorder(store, {m.name: m for m in now}, "0a1b2c3", "2026-01-31")
    (update,) = recorder.record([TestRecord("t.py::test_a", "passed", (window,))])
    assert update.kind == "changed"
    assert update.details[0].startswith("api/test: live_heap was recorded before it counted what is mapped, and")
    assert store.windows("t.py::test_a")["api/test"][0].definitions == {"live_heap": 3}
    assert found(now).not_comparable == {}
    assert found(before).not_comparable["live_heap"].startswith("recorded by a newer pytest-gomem")
    (again,) = recorder.record([TestRecord("t.py::test_a", "passed", (window,))])
    assert again.kind == "unchanged"


def test_rounds_and_metrics_turn_over():
    """A metric that one round lacks has no values: half of a metric is not compared."""
    rounds = [{"live_heap": 1.0, "ops": 5.0}, {"live_heap": 2.0}]
    assert by_metric(rounds) == {"live_heap": (1.0, 2.0)}
    assert by_metric([]) == {}
    assert snapshot(1.0, 2.0).rounds == ({"live_heap": 1.0, "gc_cycles": 3}, {"live_heap": 2.0, "gc_cycles": 3})
    assert differences({"a": "1"}, {"b": "2"}) == ("a is not said, was 1", "b is 2, was not said")
    assert differences({"tree": "no"}, {"peak_profile": "yes"}) == ("peak_profile is yes, was no",)
    # Of an older version, which profiled the measured rounds at that rate: its figures are other ones.
    assert differences({"profile_rate": "4096"}, {}) == ("profile_rate is default, was 4096",)


def test_figures_of_functions_are_of_observed_rounds_and_have_their_own_number():
    """So a baseline has as many measured rounds with and without such budgets."""
    one = replace(snapshot(1e6, 2e6, 3e6), metrics={"live_heap": (1e6, 2e6, 3e6), "inuse_space[main.*]": (5e5,)})
    assert one.rounds == tuple({"live_heap": value} for value in (1e6, 2e6, 3e6))
    assert one.observed_rounds == ({"inuse_space[main.*]": 5e5},)


def test_one_damaged_module_does_not_keep_the_others_from_being_recorded(tmp_path):
    """It is refused with the reason, and keeps its file; those before and behind it are recorded."""
    store = Store(tmp_path)
    damaged = store.path("test_b.py")
    damaged.write_text("{\n<<<<<<< HEAD\n")
    tests = [TestRecord(f"test_{m}.py::test_it", "passed", (record(metrics=usual_metrics()),)) for m in "abc"]
    metrics = {metric.name: metric for metric in BUILTIN}
    updates = Recorder(store, metrics, "0a1b2c3", "2026-01-31").record(tests)
    assert [(update.nodeid, update.kind, update.can_be_forced) for update in updates] == [
        ("test_a.py::test_it", "new", True),
        ("test_b.py", "refused", False),
        ("test_c.py::test_it", "new", True),
    ]
    assert "test_b.json:2: a merge conflict is not resolved" in updates[1].details[0]
    assert damaged.read_text() == "{\n<<<<<<< HEAD\n"
    assert [path.name for path in sorted(tmp_path.glob("*.json"))] == ["test_a.json", "test_b.json", "test_c.json"]


def test_an_update_drops_what_a_test_opens_no_more_and_tells_of_every_limit(tmp_path):
    """A window of these conditions goes with a whole run of its test alone; those of others stay.

    What a limit on regressions names is told as what is compared by default is.
    """
    store, metrics = Store(tmp_path), {metric.name: metric for metric in BUILTIN}
    limit = verdict("gc_cycles", "3", 8.0)
    limit = replace(limit, kind="regression", limit=Quantity(0.1, RATIO, "10%"))
    old = record(name="old", metrics=usual_metrics(), conditions=GO26)

    def update(*windows, outcome="passed"):
        recorder = Recorder(store, metrics, "0a1b2c3", "2026-01-31", force=True)
        (update,) = recorder.record([TestRecord("test_it.py::test_a", outcome, windows)])
        return update, {name: len(kept) for name, kept in store.windows("test_it.py::test_a").items()}

    def new(cycles: float):
        rounds = tuple({"gc_cycles": cycles + at / 100} for at in range(8))
        return record(name="new", rounds=rounds, verdicts=(limit,), conditions=GO26)

    elsewhere = replace(old, conditions={**GO26, "go": "go1.27"})
    assert update(old)[1] == {"api/old": 1}
    assert update(elsewhere)[1] == {"api/old": 2}
    assert update(new(3), outcome="failed")[1] == {"api/old": 2, "api/new": 1}
    gone = "api/old: the test does not open it any more"
    unopened = TestRecord("test_it.py::test_a", "passed", (new(3),))
    assert Baselines(store, BUILTIN).opened_no_more(unopened) == ("api/old",)
    found, kept = update(new(8))
    assert kept == {"api/old": 1, "api/new": 1}
    assert found.kind == "changed"
    assert found.details[0].startswith("api/new: gc_cycles 3.04 -> 8.04, ")
    assert found.details[1:] == (gone,)
    assert Baselines(store, BUILTIN).opened_no_more(unopened) == ()
    assert [one.conditions["go"] for one in store.windows("test_it.py::test_a")["api/old"]] == ["go1.27"]


def test_an_update_says_what_functions_make_more(tmp_path):
    """Beyond the tolerance and their scatter; within them nothing has changed, and without a limit nobody judges it."""
    name, limit = "alloc_space[main.encode*]", Quantity(0.05, RATIO, "5%")
    budget = Budget("alloc_space", None, None, None, limit, "main.encode*", "tests glob", Place())
    asked = Verdict(budget, limit, "regression", 1e6, Status.NO_BASELINE, None, None, "")
    recorder = Recorder(Store(tmp_path), {m.name: m for m in BUILTIN}, "0a1b2c3", "2026-01-31")

    def update(made, *verdicts):
        observed = ({name: made, f"{name} interval": 100e3},) * 3
        window = record(rounds=({"live_heap": 1e6},) * 3, observed_rounds=observed, verdicts=verdicts)
        (found,) = recorder.record([TestRecord("t.py::test_a", "passed", (window,))])
        return found.kind, found.details

    assert update(10e6) == ("new", ())
    assert update(10.2e6, asked) == ("unchanged", ())
    kind, (detail,) = update(12.4e6, asked)
    assert (kind, detail.startswith(f"api/test: {name} 10.0 MB -> 12.4 MB, +24.0%")) == ("changed", True)
    kind, (detail,) = update(20e6)
    assert (kind, detail.endswith("judged by nobody")) == ("changed", True)


def test_an_update_leaves_what_has_not_moved(tmp_path):
    """Or a slow creep would never show: it is measured from where it began. What nobody judges moves it too."""
    recorder = Recorder(Store(tmp_path), {m.name: m for m in BUILTIN}, "0a1b2c3", "2026-01-31")

    def update(rounds=3, **figures):
        measured = record(rounds=({"live_heap": 60e6, "heap_sys": 90e6, **figures},) * rounds)
        recorder.record([TestRecord("t.py::test_a", "passed", (measured,))])
        (snapshot,) = Store(tmp_path).windows("t.py::test_a")["api/test"]
        return snapshot.metrics["live_heap"]

    assert update() == (60e6,) * 3
    for creep in (60.1e6, 60.2e6):
        assert update(live_heap=creep) == (60e6,) * 3
    assert update(live_heap=60.4e6) == (60.4e6,) * 3
    assert update(live_heap=60.3e6, heap_sys=99e6) == (60.3e6,) * 3
    assert update(live_heap=60.2e6, heap_sys=99e6, rounds=5) == (60.2e6,) * 5
    assert update(live_heap=60.1e6, heap_sys=99e6, rounds=4) == (60.2e6,) * 5


def test_an_update_keeps_what_nothing_can_be_told_of(tmp_path):
    """Or a creep within the scatter would pass, one update after the other; what it records anew it gives a reason for.

    How fast the machine is says nothing of the code, so that it moves no baseline.
    """
    metrics = {m.name: m for m in BUILTIN}

    def update(*live, force=False, ops=None, **figures):
        rounds = tuple({"live_heap": value, "throughput": 3000.0, "gc_interval": 0.2, **figures} for value in live)
        recorder = Recorder(Store(tmp_path), metrics, "0a1b2c3", "2026-01-31", force)
        (found,) = recorder.record([TestRecord("t.py::test_a", "passed", (record(rounds=rounds, ops=ops),))])
        (snapshot,) = Store(tmp_path).windows("t.py::test_a")["api/test"]
        return found.kind, found.details, snapshot.metrics["live_heap"]

    first = tuple(60e6 + at * 1e6 for at in range(8))
    creep = tuple(value + 1e6 for value in first)
    assert update(*first) == ("new", (), first)
    assert update(*first[::-1], throughput=1000.0, gc_interval=0.9) == ("unchanged", (), first)
    kind, (detail,), kept = update(*creep)
    assert (kind, kept) == ("kept", first)
    assert detail.startswith("api/test: live_heap 63.5 MB -> 64.5 MB, +1.57% (")
    assert detail.endswith(", too noisy to tell")
    kind, (detail, reason), kept = update(*creep, creep[-1])
    assert (kind, reason, len(kept)) == ("changed", "api/test: 9 rounds, 8 before", 9)
    assert detail.endswith(", too noisy to tell")
    assert update(*kept, force=True)[:2] == ("changed", ("nothing moved; recorded anew",))
    kind, details, kept = update(*kept, ops=5)
    assert (kind, details) == ("changed", ("api/test: 5 operations, none before",))


def test_an_update_takes_few_rounds_that_could_never_be_told(tmp_path):
    """Of a service that tests share there is one: kept for want of more it would be kept for ever."""
    recorder = Recorder(Store(tmp_path), {m.name: m for m in BUILTIN}, "0a1b2c3", "2026-01-31")

    def update(live):
        test = TestRecord("t.py::test_a", "passed", (record(rounds=({"live_heap": live},)),))
        (found,) = recorder.record([test])
        few = "api/test: 1 round: such a baseline can never fail the test, for which 3 are the least and 8 best"
        assert (few in found.details) == (found.kind != "unchanged")
        return found.kind, [detail.rpartition(", ")[2] for detail in found.details if detail != few]

    assert update(60e6) == ("new", [])
    assert update(60.1e6) == ("unchanged", [])
    assert update(80e6) == ("changed", ["too few rounds to tell"])
    assert update(80.1e6) == ("unchanged", [])
    assert update(40e6) == ("changed", ["too few rounds to tell"]), "better counts as much"
    assert update(39.9e6) == ("unchanged", [])


def test_a_noisy_metric_costs_no_other_its_baseline(tmp_path):
    """It is left out and named; what is kept of it from calmer days stays until something else has moved."""
    store, metrics = Store(tmp_path), {m.name: m for m in builtin_metrics()}

    def update(live, peaks, force=False):
        rounds = tuple({"live_heap": live, "peak_rss": peak, "goroutines": 5.0} for peak in peaks)
        recorder = Recorder(store, metrics, "0a1b2c3", "2026-01-31", force=force)
        (found,) = recorder.record(
            [TestRecord("t.py::test_a", "passed", (record(metrics=usual_metrics(), rounds=rounds),))]
        )
        (kept,) = store.windows("t.py::test_a")["api/test"]
        return found, kept

    noisy, calm = (136e6, 188e6, 140e6, 171e6, 150e6, 183e6, 160e6, 144e6), (150e6,) * 8
    found, kept = update(19.5e6, noisy)
    assert (found.kind, sorted(kept.metrics)) == ("new", ["goroutines", "live_heap"])
    assert kept.left_out == {"peak_rss": "it scattered from 136 MB to 188 MB"}
    (detail,) = found.details
    assert detail.startswith("api/test: peak_rss is left out: it scattered from 136 MB to 188 MB, so that only a")
    assert update(19.5e6, noisy)[0].kind == "unchanged"
    baselines = Baselines(store, builtin_metrics())
    base = baselines.find("t.py::test_a", ("api", "test", 0), record())
    assert isinstance(base, Base)
    assert base.left_out["peak_rss"].startswith("it scattered from 136 MB to 188 MB when the baseline of 0a1b2c3")

    found, kept = update(19.5e6, calm)
    assert (found.kind, found.details) == ("changed", ("api/test: peak_rss had none",))
    assert (kept.metrics["peak_rss"], kept.left_out) == (calm, {})
    found, kept = update(19.5e6, noisy)
    assert (found.kind, kept.metrics["peak_rss"]) == ("kept", calm)
    assert found.details == ("api/test: peak_rss is too noisy to tell: it scattered from 136 MB to 188 MB",)
    found, kept = update(21e6, noisy)
    assert (found.kind, "peak_rss" in kept.metrics) == ("changed", False)
    assert update(21e6, noisy, force=True)[1].metrics["peak_rss"] == noisy


def test_a_metric_that_is_only_bounded_is_named_when_it_is_recorded(tmp_path):
    """As a service without the agent has it: no run will be compared by it, and nobody should believe that one is."""
    bounded = Unavailable("it lies between 20 MB and 52 MB; the start-up is in it", (20e6, 52e6))
    unasked = MetricValue("end_rss", BYTES.name, Unavailable("it lies between 1 MB and 2 MB", (1e6, 2e6)))
    metrics = (MetricValue("peak_rss", BYTES.name, bounded), unasked)
    recorder = Recorder(Store(tmp_path), {m.name: m for m in builtin_metrics()}, "0a1b2c3", "2026-01-31")
    rounds = ({"live_heap": 19.5e6},) * 8
    (found,) = recorder.record([TestRecord("t.py::test_a", "passed", (record(metrics=metrics, rounds=rounds),))])
    assert found.details == ("api/test: peak_rss is left out: it lies between 20 MB and 52 MB; the start-up is in it",)


def test_what_does_not_compare_is_not_recorded(tmp_path):
    """As the live heap of a program's last GC cycle: no baseline has it, and the update says why."""
    reading = Reading(20e6, "the agent", incomparable="it is of the last GC cycle")
    window = record(
        metrics=(MetricValue("live_heap", BYTES.name, reading),), rounds=({"live_heap": 20e6, "ops": 1},) * 8
    )
    store = Store(tmp_path)
    recorder = Recorder(store, {m.name: m for m in builtin_metrics()}, "0a1b2c3", "2026-01-31")
    (found,) = recorder.record([TestRecord("t.py::test_a", "passed", (window,))])
    assert found.details == ("api/test: live_heap is left out: it is of the last GC cycle",)
    ((kept,),) = store.windows("t.py::test_a").values()
    assert list(kept.metrics) == ["ops"]


def test_all_noisy_is_no_baseline(tmp_path):
    """Nothing would be left that a run is compared by."""
    rounds = tuple({"peak_rss": peak, "throughput": 5.0} for peak in (136e6, 188e6, 140e6, 171e6))
    recorder = Recorder(Store(tmp_path), {m.name: m for m in builtin_metrics()}, "0a1b2c3", "2026-01-31")
    (found,) = recorder.record(
        [TestRecord("t.py::test_a", "passed", (record(metrics=usual_metrics(), rounds=rounds),))]
    )
    assert (found.kind, "nothing would be left to compare" in found.details[0]) == ("refused", True)


def test_a_recording_says_what_it_can_never_fail_by():
    """Fewer rounds than any decision takes, or than those of a metric that only ranks can tell."""
    metrics = {m.name: m for m in builtin_metrics()}
    judged = {name: metrics[name] for name in ("live_heap", "gc_pause_p99")}
    assert [list(never_failing(rounds, judged)) for rounds in (8, 3)] == [
        [],
        ["3 rounds: gc_pause_p99 can never fail the test, for which 8 are the least"],
    ]
    (two,) = never_failing(2, judged)
    assert two.startswith("2 rounds: such a baseline can never fail the test")


def test_an_update_mends_a_profile(tmp_path):
    """One that is missing, damaged or elsewhere; a window that has none, as of a shared service, moves nothing.

    So it does with the rest of what an observed round records, which older baselines lack.
    """
    store, handover = Store(tmp_path / "kept"), Handover(tmp_path / "run", 65536)
    metrics, nodeid = {m.name: m for m in BUILTIN}, "t.py::test_a"

    def update(live_heap, folder="profiles"):
        profiles = ProfileFolder(store.folder / folder, store.folder, handover)
        recorder = Recorder(store, metrics, "0a1b2c3", "2026-01-31", profiles=profiles)
        recorder.record([TestRecord(nodeid, "passed", (record(rounds=({"live_heap": live_heap},) * 3),))])
        (kept,) = store.windows(nodeid)["api/test"]
        return kept.metrics["live_heap"][0], kept.profile

    assert [update(live_heap) for live_heap in (60e6, 60.1e6)] == [(60e6, "")] * 2
    handover.put(nodeid, {"api/test": seen(5000)})
    moved, profile = update(60.1e6)
    assert (moved, update(60.2e6)) == (60.1e6, (60.1e6, profile))
    file = store.folder / profile
    whole = file.read_bytes()
    for spoil in (file.unlink, lambda: file.write_bytes(whole[:40])):
        spoil()
        update(60.1e6)
        assert file.read_bytes() == whole
    shutil.copytree(store.folder / "profiles", store.folder / "others")  # where no baseline refers to it yet
    assert update(60.1e6, "others")[1] == profile.replace("profiles", "others")
    assert not file.exists()

    handover.put(nodeid, {"api/test": Seen({HEAP: heap(retained(1024, 5000)), PEAK: heap()}, {"lib": "v1"})})
    update(60.3e6, "others")
    (kept,) = store.windows(nodeid)["api/test"]
    assert (kept.modules, kept.metrics["live_heap"][0]) == ({"lib": "v1"}, 60.3e6)
    (store.folder / kept.peak_profile).unlink()
    update(60.1e6, "others")
    assert (store.folder / kept.peak_profile).exists()
