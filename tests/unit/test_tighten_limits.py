"""Tightened budgets: how low each can be, what forbids it, and that the suite passes and rings afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_gomem.base.errors import Place
from pytest_gomem.base.units import BYTES, COUNT, RATIO, SECONDS, parse_quantity
from pytest_gomem.baseline.snapshot import Snapshot
from pytest_gomem.baseline.store import Store
from pytest_gomem.comparison.visible import Fit, fit, smallest_visible
from pytest_gomem.config.gomem_yaml import load_config
from pytest_gomem.config.marker import parse_marker
from pytest_gomem.git.repository import Revision
from pytest_gomem.history.entry import entries_of
from pytest_gomem.instruments.injected_load import NOTE
from pytest_gomem.judge.decide import judge
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.registry import Registry, builtin_metrics
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import PhaseRecord
from pytest_gomem.selftest.gate import RAISED, gate_results
from pytest_gomem.stats.decision import Status
from pytest_gomem.testing import fake_run, fake_window_record
from pytest_gomem.tighten.coverage import Collected, coverage
from pytest_gomem.tighten.known_figures import Known, of_baselines, of_history, of_tests
from pytest_gomem.tighten.new_limits import Stays, Tighter, decisions
from pytest_gomem.tighten.spelling import respelled

METRICS = {metric.name: metric for metric in builtin_metrics()}
UNITS = Registry(builtin_metrics()).units()
ROUNDS = {"live_heap": (40.0e6, 40.2e6, 40.1e6), "peak_rss": (60e6, 61e6, 60.5e6), "heap_released": (9e6, 9e6, 9e6)}


def known(test: str, service: str = "api", phase: str = "", **figures: object) -> Known:
    return Known(f"t.py::{test}", service, "test", {**ROUNDS, **figures}, 1000, phase)


def collected(*tests: str, **marker: object) -> list[Collected]:
    place = Place("t.py", 3, "test_a @pytest.mark.gomem")
    budgets = parse_marker(marker, units=UNITS, scope="marker on function", place=place).budgets
    return [Collected(f"t.py::{test}", "api", (budgets,) if marker else ()) for test in tests]


def decided(tmp_path, budgets: str, tests=(), figures=(), *, has_phases: bool = False):
    """The decisions on the budgets of a gomem.yaml, by the end of their keys."""
    (tmp_path / "gomem.yaml").write_text(
        f"version: 1\nservices: {{api: {{binary: ./x}}, job: {{binary: ./x}}}}\n{budgets}"
    )
    table = load_config(tmp_path / "gomem.yaml", UNITS).budgets
    covered = coverage(tests, figures, table, ("api", "job"), has_phases=has_phases)
    return {one.budget.place.key.removeprefix("budgets."): one for one in decisions(covered, METRICS)}


def only(found):
    (one,) = found.values()
    return one


def written(one) -> dict[str, str]:
    assert isinstance(one, Tighter), one.why
    return {limit.kind: limit.written for limit in one.limits}


@pytest.mark.parametrize(
    ("old", "unit", "value", "new"),
    [
        ("1.8GB", BYTES, 1.4137e9, "1.42GB"),
        ("64MiB", BYTES, 40 * 2**20, "40MiB"),
        ("64 MiB", BYTES, 40.001 * 2**20, "40.1 MiB"),
        ("67108864", BYTES, 42012345, "42100000"),
        ("200", COUNT, 36.2, "37"),
        ("200.5", COUNT, 36.21, "36.3"),
        ("10k", COUNT, 9121, "9.13k"),
        ("10%", RATIO, 0.04111, "4.12%"),
        ("5ms", SECONDS, 0.001009, "1.01ms"),
        ("1e6", COUNT, 812345, "813000"),
        ("1_000_000", COUNT, 812345, "813000"),
        ("1GB", BYTES, 12.31e6, "0.0124GB"),
    ],
)
def test_the_spelling_is_kept(old, unit, value, new):
    """Its unit and blanks; three digits, rounded up."""
    assert respelled(old, unit, value, up=True) == new


@settings(max_examples=60)
@given(st.floats(1e-3, 1e12), st.sampled_from(["1B", "1kB", "1MiB", "1", "1.5 GB"]), st.booleans())
def test_rounding_never_undoes_the_room(value, old, up):
    """A ceiling is at or above the wanted value, by at most 1%; a floor at or below."""
    new = respelled(old, BYTES, value, up=up)
    if new is not None:
        read = parse_quantity(new, BYTES).value
        assert value <= read <= value * 1.0101 if up else value * 0.989 <= read <= value


def test_a_ceiling_is_what_was_measured_and_the_smallest_visible_change(tmp_path):
    """Of the worst round; the reason names the window, its rounds and that change."""
    one = only(decided(tmp_path, "budgets: {defaults: {live_heap: 64MiB}}", collected("test_a"), [known("test_a")]))
    visible = smallest_visible(METRICS["live_heap"], ROUNDS["live_heap"], ops=1000, tolerance=0.005)
    assert one.by.worst + one.by.visible == 40.2e6 + visible
    assert (one.by.rounds, one.by.window.name) == (3, "t.py::test_a / api/test")
    new = parse_quantity(written(one)["max"], BYTES).value
    assert 40.2e6 + visible <= new < 64 * 2**20


def test_the_largest_of_all_tests_that_it_judges_decides(tmp_path):
    """Also of several services, windows and conditions; a test with a closer budget of its own is not asked."""
    big, own = known("test_b", live_heap=(50e6,)), known("test_c", live_heap=(60e6,))
    tests = [*collected("test_a", "test_b"), *collected("test_c", live_heap="70MB")]
    found = decided(tmp_path, "budgets: {defaults: {live_heap: 64MiB}}", tests, [known("test_a"), big, own])
    assert found["defaults.live_heap"].by.window is big
    assert found["test_c @pytest.mark.gomem.live_heap".replace("test_c", "test_a")].by.window is own
    tests_glob = "budgets: {defaults: {live_heap: 64MiB}, tests: {'t.py::test_b*': {live_heap: 60MiB}}}"
    found = decided(tmp_path, tests_glob, collected("test_a", "test_b"), [known("test_a"), big])
    assert found["defaults.live_heap"].by.window.nodeid == "t.py::test_a"
    assert found["tests['t.py::test_b*'].live_heap"].by.window is big


def test_services_have_their_own(tmp_path):
    """A test whose figures are known has them of the services that it launched."""
    tests = [Collected("t.py::test_a", None, ())]
    figures = [known("test_a", "job", live_heap=(10e6,))]
    budgets = "budgets: {services: {api: {live_heap: 64MiB}, job: {live_heap: 64MiB}}}"
    found = decided(tmp_path, budgets, tests, figures)
    assert found["services.api.live_heap"].why == "it judges no test that was collected"
    assert written(found["services.job.live_heap"])
    unknown = decided(tmp_path, budgets, [*tests, Collected("t.py::test_b", None, ())], figures)
    assert all("no figures are known of t.py::test_b" in one.why for one in unknown.values())


@pytest.mark.parametrize(
    ("budgets", "why"),
    [
        ("live_heap: 40MB", "it is broken: 40.2 MB was measured in t.py::test_a / api/test"),
        ("live_heap: 40.3MB", "it fits: 40.2 MB was measured"),
        ("heap_objects: 100k", "heap_objects was not measured in t.py::test_a / api/test"),
        ("gc_pause_max: 5ms", "it is noisy"),
        ("heap_growth: 1MB", "it is an estimate with an interval"),
        ("alloc_space: {main.f: 5MB}", "budgets on functions are estimates of observed rounds"),
        ("objects: {'*main.S': 5}", "budgets on types are estimates"),
        ("'prom:x_total': 5", "it is not measured yet"),
        ("phases: {login: {live_heap: 64MiB}}", "no figures are known of t.py::test_a, whose phase it judges"),
    ],
)
def test_what_stays_says_why(tmp_path, budgets, why):
    """Nothing is loosened, and nothing is guessed."""
    one = only(decided(tmp_path, f"budgets: {{defaults: {{{budgets}}}}}", collected("test_a"), [known("test_a")]))
    assert isinstance(one, Stays)
    assert why in one.why


def test_a_test_without_figures_forbids_it(tmp_path):
    """A budget judges it all the same."""
    one = only(
        decided(tmp_path, "budgets: {defaults: {live_heap: 64MiB}}", collected("test_a", "test_new"), [known("test_a")])
    )
    assert one.why == "no figures are known of t.py::test_new, whose test it judges"


def test_a_limit_of_zero_and_a_regression_stay(tmp_path):
    """There is nothing below 0, and a percentage is no amount."""
    figures = [known("test_a", goroutines=(0, 0, 0))]
    found = decided(
        tmp_path, "budgets: {defaults: {goroutines: 0, peak_rss: {regression: 2%}}}", collected("test_a"), figures
    )
    assert only(found).why == "it is 0 already"


def test_a_warning_comes_first(tmp_path):
    """It is what tells a change; the limit behind it keeps its distance, as a share."""
    budgets = "budgets: {defaults: {live_heap: {warn: 60MB, max: 90MB, regression: 2%}}}"
    new = written(only(decided(tmp_path, budgets, collected("test_a"), [known("test_a")])))
    warn, most = (parse_quantity(new[kind], BYTES).value for kind in ("warn", "max"))
    assert 40.2e6 < warn < 42e6
    assert most / warn == pytest.approx(1.5, rel=0.02)


def test_a_floor_is_raised(tmp_path):
    """To what the worst round leaves, less the smallest visible change; a ceiling beside it on its own terms."""
    budgets = "budgets: {defaults: {heap_released: {min: 2MB}, peak_rss: {min: 1MB, max: 61.5MB}}}"
    found = decided(tmp_path, budgets, collected("test_a"), [known("test_a")])
    assert 2e6 < parse_quantity(written(found["defaults.heap_released"])["min"], BYTES).value < 9e6
    assert list(written(found["defaults.peak_rss"])) == ["min"]
    warned = only(
        decided(
            tmp_path,
            "budgets: {defaults: {heap_released: {min: 2MB, warn: 3MB}}}",
            collected("test_a"),
            [known("test_a")],
        )
    )
    new = {kind: parse_quantity(text, BYTES).value for kind, text in written(warned).items()}
    assert 3e6 < new["warn"] < 9e6
    assert new["min"] / new["warn"] == pytest.approx(2 / 3, rel=0.02)


def test_phases_are_known_from_reports(tmp_path):
    """Of a budget for many tests, those without the phase are not asked; of a test's own they forbid it."""
    window = fake_window_record({"live_heap": 30e6, "gc_pause_max": "gone"})
    phase = PhaseRecord("login#2", 0, 1, 10, window.metrics)
    tests = [
        TestRecord("t.py::test_a", "passed", (replace(window, phases=(phase,)),)),
        TestRecord("t.py::test_b", "passed", (window,)),
    ]
    figures = list(of_tests([*tests, TestRecord("t.py::test_c", "failed", (window,))], METRICS))
    assert [(one.name, dict(one.figures)) for one in figures] == [
        ("t.py::test_a / api/test", {"live_heap": (30e6,)}),
        ("t.py::test_a / api/test / login", {"live_heap": (30e6,)}),
        ("t.py::test_b / api/test", {"live_heap": (30e6,)}),
    ]
    for scope, is_tighter in (("defaults", True), ("tests: {'*'", False)):
        budgets = f"budgets: {{{scope}: {{phases: {{login: {{live_heap: 64MiB}}}}}}}}" + ("}" if "'" in scope else "")
        one = only(decided(tmp_path, budgets, collected("test_a", "test_b"), figures, has_phases=True))
        assert isinstance(one, Tighter) is is_tighter


def test_baselines_and_history_know_the_same(tmp_path):
    """Each round; of the history what the newest commit measured to the end, and no figure by an old definition."""
    values, defined = {"live_heap": (1.0, 2.0), "goroutines": (5.0, 5.0)}, METRICS["goroutines"].definition
    store = Store(tmp_path)
    snapshot = Snapshot({}, values, 1000, "c", "d", definitions={"live_heap": 99, "goroutines": defined})
    store.change("t.py", lambda kept: {"test_a": {"api/test": (snapshot,)}})
    (kept,) = of_baselines(store, list(METRICS.values()))
    assert (kept.name, kept.ops, kept.figures) == ("t.py::test_a / api/test", 1000, {"goroutines": (5.0, 5.0)})

    rounds = tuple({"live_heap": one, "goroutines": 5.0} for one in (1.0, 2.0))
    window = fake_window_record({"live_heap": 1.5, "goroutines": 5, "ops": 7}, rounds=rounds, conditions={"go": "1.26"})
    runs = [
        (Revision("a"), replace(window, conditions={"go": "1.25"})),
        (Revision("b"), replace(window, conditions={"go": "1.24"}, rounds=())),
        (Revision("b"), window),
    ]
    entries = [
        entry
        for day, (revision, one) in enumerate(runs, 1)
        for entry in entries_of(
            fake_run({"t.py::test_a": [one]}), revision, datetime(2030, 1, day, tzinfo=timezone.utc)
        )
    ]
    entries.append(replace(entries[-1], complete=False, time=datetime(2030, 2, 1, tzinfo=timezone.utc), metrics={}))
    entries[-2] = replace(entries[-2], definitions={**entries[-2].definitions, "goroutines": 99})
    found = list(of_history(reversed(entries), METRICS))
    assert [tuple(one.figures["live_heap"]) for one in found] == [(1.5,), (1.0, 2.0)]
    assert [sorted(one.figures) for one in found] == [["goroutines", "live_heap", "ops"], ["live_heap"]]
    assert [one.ops for one in found] == [7, 7]


FIGURES = {
    "live_heap": [2.0e6, 2.003e6, 2.001e6], "peak_rss": [30e6, 30.3e6, 30.1e6], "goroutines": [12.0, 12.0, 12.0],
    "alloc_bytes_per_op": [5000.0, 5003.0, 5001.0], "total_alloc": [5.0e6, 5.003e6, 5.001e6],
}  # fmt: skip
LOOSE = "{live_heap: 64MiB, peak_rss: 1GB, goroutines: 200, alloc_bytes_per_op: 1MB, total_alloc: 50MB}"


def test_the_suite_passes_and_rings_afterwards(tmp_path):
    """On the same rounds every new limit holds, and fits the noise; 20% more, which no old one saw, breaks each."""
    figures = [Known("t.py::test_a", "api", "test", FIGURES, 1000)]
    found = decided(tmp_path, f"budgets: {{defaults: {LOOSE}}}", collected("test_a"), figures)
    assert len(found) == len(FIGURES)
    for one in found.values():
        name, old = one.budget.metric, one.budget
        limit = parse_quantity(written(one)["max"], old.max.unit)
        new = replace(old, max=limit)
        assert [judge(new, Reading(value, ""))[0].status for value in FIGURES[name]] == [Status.PASS] * 3
        worse = 1.5 * max(FIGURES[name])
        assert judge(old, Reading(worse, ""))[0].status is Status.PASS
        assert judge(new, Reading(worse, ""))[0].status is Status.FAIL
        room = limit.value - sorted(FIGURES[name])[1]
        assert fit(room, one.by.visible / 2, one.by.visible) is Fit.GOOD
        again = decided(tmp_path, f"budgets: {{defaults: {{{name}: {limit.written}}}}}", collected("test_a"), figures)
        assert only(again).why.startswith("it fits")


def test_the_selftest_rings_at_the_new_limits(tmp_path):
    """With 5% more held and allocated it calls none of them loose or tight, which it did before; and they break."""
    figures = {name: [10 * values[at % 3] for at in range(8)] for name, values in FIGURES.items() if name in RAISED}
    found = decided(
        tmp_path,
        f"budgets: {{defaults: {LOOSE}}}",
        collected("test_a"),
        [Known("t.py::test_a", "api", "test", figures, 1000)],
    )
    new = {one.budget.metric: written(one)["max"] for one in found.values() if one.budget.metric in figures}
    assert set(new) == set(figures)
    old = {one.budget.metric: one.budget.max.written for one in found.values() if one.budget.metric in figures}
    for limits, words in ((old, "looser than ten times the noise"), (new, "")):
        plain, loaded = (
            fake_window_record(
                {name: share * values[2] for name, values in figures.items()},
                limits,
                rounds=tuple({name: share * values[at] for name, values in figures.items()} for at in range(8)),
                notes=(NOTE,),
            )
            for share in (1.0, 1.05)
        )
        tests = [[TestRecord("t.py::test_a", "passed", (one,))] for one in (plain, loaded)]
        results = {one.metric.name: one for one in gate_results(*tests, METRICS, 0.05)}
        assert set(results) == set(figures)
        for one in results.values():
            assert one.rang
            assert [words in text for text in one.budgets] == ([True] if words else [])
        assert [verdict.status for verdict in plain.verdicts] == [Status.PASS] * len(limits)
    assert [verdict.status for verdict in loaded.verdicts] == [Status.FAIL] * len(new)
