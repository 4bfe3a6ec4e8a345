"""What the markers say."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.errors import ConfigErrors, Place
from pytest_gomem.base.units import BYTES, SECONDS
from pytest_gomem.config.gc_settings import GcSettings
from pytest_gomem.config.marker import BuildAxes, Combination, MarkerConfig, parse_gc_marker, parse_marker
from pytest_gomem.config.services import BuildSpec

UNITS = {"peak_rss": BYTES, "gc_pause_p99": SECONDS, "alloc_space": BYTES}
PLACE = Place("tests/test_mem.py", 12, "test_upload")


def read(*args: object, **kwargs: object) -> MarkerConfig:
    return parse_marker(kwargs, units=UNITS, scope="marker on function", place=PLACE, args=args)


def matrix(*args: object, base: GcSettings | None = None, **kwargs: object) -> tuple[Combination, ...]:
    return parse_gc_marker(kwargs, PLACE, base=base, args=args)


def test_a_marker_names_its_service_operations_and_budgets() -> None:
    """Everything but service, ops and rounds is a metric."""
    marker = read(service="api", ops=1000, rounds="auto", peak_rss="1.8GB", alloc_space={"main.*": 100, "fmt.*": 200})
    assert (marker.service, marker.ops, marker.rounds) == ("api", 1000, "auto")
    assert [(b.metric, b.function, b.max.value) for b in marker.budgets if b.max] == [
        ("peak_rss", "", 1.8e9),
        ("alloc_space", "main.*", 100.0),
        ("alloc_space", "fmt.*", 200.0),
    ]
    assert {b.scope for b in marker.budgets} == {"marker on function"}
    assert str(marker.budgets[0].place) == "tests/test_mem.py:12 test_upload.peak_rss"


def test_a_marker_names_goroutines_that_are_no_leak() -> None:
    """By functions, not by places."""
    globs = ["main.poll*", "created by net/http.(*Server).Serve", "main.poll*"]
    assert read(ignore_goroutines=globs).ignore_goroutines == tuple(globs[:2])
    for wrong in ("main.go:41", "main.worker, main.poll", "created by ", "", "created by main.go"):
        with pytest.raises(ConfigErrors, match=r"test_upload\.ignore_goroutines\[0\]"):
            read(ignore_goroutines=[wrong])
    with pytest.raises(ConfigErrors, match=r"expected a list, not 'main\.poll'"):
        read(ignore_goroutines="main.poll")


def test_an_empty_marker_says_nothing() -> None:
    """A bare marker asks for measuring alone."""
    assert read() == MarkerConfig(None, None, ())


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"peak_rrs": "1GB"}, "test_upload.peak_rrs: unknown metric 'peak_rrs'\n  did you mean peak_rss?"),
        ({"peak_rss": "2 KiBs"}, "test_upload.peak_rss: '2 KiBs'"),
        ({"peak_rss": object()}, "test_upload.peak_rss: expected a quantity in bytes, not object"),
        ({"ops": 0}, "test_upload.ops: expected a whole number of at least 1, not 0"),
        ({"ops": "many"}, "test_upload.ops: expected a whole number"),
        ({"service": ""}, "test_upload.service: must not be empty"),
        ({"service": None}, "test_upload.service: expected text"),
        ({"rounds": 0}, 'test_upload.rounds: expected a whole number from 1 to 1000 or "auto", not 0'),
        ({"rounds": True}, "test_upload.rounds: expected a whole number from 1 to 1000"),
        ({"rounds": "3"}, "test_upload.rounds: expected a whole number from 1 to 1000"),
        ({"peak_rss": {"max": 1, "min": 2}}, "test_upload.peak_rss.max: max 1 is below min 2"),
    ],
)
def test_a_wrong_marker_is_refused(kwargs: dict[str, object], says: str) -> None:
    """Each mistake gives one message with the test's file, line, name and the key."""
    with pytest.raises(ConfigErrors) as caught:
        read(**kwargs)
    (error,) = caught.value.errors
    assert f"tests/test_mem.py:12 {says}" in str(error)


def test_all_mistakes_of_a_marker_come_at_once() -> None:
    """Positional arguments, a wrong key and a wrong value give three messages."""
    with pytest.raises(ConfigErrors) as caught:
        read("1.8GB", peak_rrs=1, ops=-1)
    assert [error.message.split()[0] for error in caught.value.errors] == ["the", "unknown", "expected"]


def test_lists_multiply_in_order_of_declaration() -> None:
    """The last list turns fastest, scalars stay, and the ids read as the settings were written."""
    combinations = matrix(gogc=[25, 100], gomemlimit=["off", "128MiB"], gomaxprocs=1)
    assert [c.id for c in combinations] == [
        "gogc=25-gomemlimit=off-gomaxprocs=1",
        "gogc=25-gomemlimit=128MiB-gomaxprocs=1",
        "gogc=100-gomemlimit=off-gomaxprocs=1",
        "gogc=100-gomemlimit=128MiB-gomaxprocs=1",
    ]
    assert combinations[1].settings == GcSettings(gogc=25, gomemlimit=2**27, gomaxprocs=1)
    assert combinations[1].written == {"gogc": "25", "gomemlimit": "128MiB", "gomaxprocs": "1"}
    assert [c.left_out for c in combinations] == [""] * 4


def test_the_documented_ids() -> None:
    """Settings stand in the order of the marker's arguments."""
    assert [c.id for c in matrix(gomemlimit="off", gogc=[25])] == ["gomemlimit=off-gogc=25"]


def test_godebug_is_one_mapping_or_a_list_of_them() -> None:
    """A mapping is one value; its id is the GODEBUG text, "none" for an empty one."""
    combinations = matrix(godebug=[{"madvdontneed": 1, "asynctimerchan": 0}, {}])
    assert [c.id for c in combinations] == ["godebug=madvdontneed=1,asynctimerchan=0", "godebug=none"]
    assert dict(combinations[0].settings.godebug) == {"madvdontneed": "1", "asynctimerchan": "0"}
    assert [c.id for c in matrix(godebug={"madvdontneed": 1})] == ["godebug=madvdontneed=1"]


def test_an_unbounded_combination_is_kept_with_its_reason() -> None:
    """Only the combination without any limit is left out, and it stays visible."""
    combinations = matrix(gogc=["off", 100], gomemlimit=["off", "128MiB"])
    assert [bool(c.left_out) for c in combinations] == [True, False, False, False]
    assert "never collects" in combinations[0].left_out


def test_the_service_decides_what_is_left_out() -> None:
    """A limit in gomem.yaml bounds a marker's gogc off; a permission in the marker stands in no id."""
    assert [c.left_out for c in matrix(gogc=["off"], base=GcSettings(gomemlimit=2**30))] == [""]
    (combination,) = matrix(gogc=["off"], unbounded=True)
    assert (combination.id, combination.left_out, combination.settings.unbounded) == ("gogc=off", "", True)


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"gogc": [25, "abc"]}, "test_upload.gogc[1]: 'abc' is not a GOGC"),
        ({"gogc": []}, "test_upload.gogc: an empty list makes no test"),
        ({"gogc": [25, 25]}, "test_upload.gogc[1]: 25 is listed twice"),
        ({"gogc": [[25]]}, "test_upload.gogc[0]: a list is not a GOGC"),
        ({"gogcx": [1, 2]}, "test_upload.gogcx: unknown key 'gogcx'\n  did you mean gogc?"),
        ({"gogc": "off"}, "test_upload: gogc off without a memory limit"),
        ({"gogc": ["off"], "gomaxprocs": [1, 2]}, "test_upload: gogc off without a memory limit"),
        ({"unbounded": [True, False], "gogc": 25}, "test_upload.unbounded: expected true or false"),
        ({"unbounded": True}, "test_upload: sets nothing"),
        ({}, "test_upload: sets nothing"),
        ({"godebug": [{"a": True}]}, "test_upload.godebug[0].a: expected a whole number or a word"),
        ({"gomemlimit": ["1GB"]}, "test_upload.gomemlimit[0]: '1GB' is not a GOMEMLIMIT"),
    ],
)
def test_a_wrong_matrix_is_refused(kwargs: dict[str, object], says: str) -> None:
    """Each mistake gives one message, also where it would leave no combination at all."""
    with pytest.raises(ConfigErrors) as caught:
        matrix(**kwargs)
    (error,) = caught.value.errors
    assert f"tests/test_mem.py:12 {says}" in str(error)


def test_positional_settings_are_refused() -> None:
    """`gomem_gc([25, 100])` says not which setting is meant."""
    with pytest.raises(ConfigErrors, match="no positional arguments"):
        matrix([25, 100])


@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(1, 8), min_size=1, max_size=3, unique=True),
)
def test_ids_are_unique_and_complete(percents: list[int], procs: list[int]) -> None:
    """There is exactly one combination, with its own id, for each pair of values."""
    combinations = matrix(gogc=percents, gomaxprocs=procs)
    assert len({c.id for c in combinations}) == len(percents) * len(procs)
    assert {(c.settings.gogc, c.settings.gomaxprocs) for c in combinations} == {(g, p) for g in percents for p in procs}


def test_the_build_is_an_axis_too() -> None:
    """goexperiment, pgo and tags multiply with the settings of the runtime; "off" is nothing on top."""
    found = matrix(gogc=[25, 50], tags=["off", "jsoniter,prod"], pgo="auto", goexperiment=["off", "greenteagc"])
    assert len(found) == 8
    assert found[3].id == "gogc=25-tags=jsoniter,prod-pgo=auto-goexperiment=greenteagc"
    assert found[3].build == BuildAxes("greenteagc", "auto", "jsoniter,prod")
    assert (found[0].build, found[0].settings.gogc) == (BuildAxes(pgo="auto"), 25)
    assert found[0].written["tags"] == "off"


def test_a_choice_of_the_build_lies_over_gomem_yaml() -> None:
    """Tags join, the rest replaces; a profile is relative to gomem.yaml's folder; nothing said changes nothing."""
    spec = BuildSpec("./cmd", flags=("-race", "-pgo=off"), tags=("prod",), env={"GOEXPERIMENT": "x", "A": "b"})
    laid = BuildAxes("greenteagc", "cpu.pprof", "a,b").laid_over(spec, Path("/project"))
    assert laid.flags == ("-race", "-pgo=off", "-pgo=/project/cpu.pprof")
    assert laid.tags == ("prod", "a", "b")
    assert laid.env == {"GOEXPERIMENT": "greenteagc", "A": "b"}
    assert BuildAxes().laid_over(spec, Path("/project")) == spec
    assert BuildAxes(pgo="auto").over(BuildAxes("x", "off", "t")) == BuildAxes("x", "auto", "t")


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"tags": "a b"}, "test_upload.tags: 'a b' is not a list of build tags"),
        ({"tags": ["x", ""]}, "test_upload.tags[1]: '' is not a list of build tags"),
        ({"goexperiment": "-x"}, "is not a list of names of GOEXPERIMENT"),
        ({"pgo": " "}, "test_upload.pgo: must not be empty"),
        ({"tags": ["a", "a"]}, "a is listed twice"),
    ],
)
def test_a_wrong_choice_of_the_build(kwargs: dict[str, object], says: str) -> None:
    """It is refused where it stands."""
    with pytest.raises(ConfigErrors) as refused:
        matrix(**kwargs)
    assert says in str(refused.value)


def test_a_prebuilt_service_has_no_build_to_choose() -> None:
    """The axis would change nothing, and so it is refused."""
    with pytest.raises(ConfigErrors, match="the service is prebuilt"):
        parse_gc_marker({"tags": "a"}, PLACE, is_built=False)
