"""GC settings: reading, merging, refusing, and the environment they make."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_gomem.base.errors import ConfigError, ConfigErrors, Place
from pytest_gomem.config.gc_settings import (
    PINNED,
    GcSettings,
    Share,
    check,
    check_agent,
    check_env,
    described,
    environment,
    merged,
    parse_gc,
)

PLACE = Place("gomem.yaml", 5, "services.api.gc")


@pytest.mark.parametrize(
    ("values", "settings"),
    [
        ({}, GcSettings()),
        ({"gogc": 25, "gomemlimit": "512MiB"}, GcSettings(gogc=25, gomemlimit=2**29)),
        ({"gogc": "50"}, GcSettings(gogc=50)),
        ({"gogc": 2**31 - 1}, GcSettings(gogc=2**31 - 1)),
        ({"gogc": "off", "gomemlimit": "off"}, GcSettings(gogc="off", gomemlimit="off")),
        ({"gomemlimit": 1_000_000}, GcSettings(gomemlimit=1_000_000)),
        ({"gomemlimit": "1000B"}, GcSettings(gomemlimit=1000)),
        ({"gomemlimit": "90%"}, GcSettings(gomemlimit=Share(90))),
        ({"gogc": "off", "gomemlimit": "87.5%"}, GcSettings(gogc="off", gomemlimit=Share(87.5))),
        ({"gomaxprocs": 1, "unbounded": True}, GcSettings(gomaxprocs=1, unbounded=True)),
        ({"godebug": {"madvdontneed": 1, "x": "off"}}, GcSettings(godebug={"madvdontneed": "1", "x": "off"})),
        ({"godebug": "a=1,b=2"}, GcSettings(godebug={"a": "1", "b": "2"})),
        ({"godebug": ""}, GcSettings()),
        ({"manual_gc": "100MB"}, GcSettings(manual_gc=100_000_000)),
        ({"manual_gc": 1_000_000}, GcSettings(manual_gc=1_000_000)),
        ({"manual_gc": "off"}, GcSettings(manual_gc="off")),
    ],
)
def test_settings_are_read(values: dict[str, object], settings: GcSettings) -> None:
    """Each setting is taken in the spellings that Go itself takes."""
    assert parse_gc(values, PLACE) == settings


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"gogc": "abc"}, "default, 100"),
        ({"gogc": "100%"}, "default, 100"),
        ({"gogc": "OFF"}, "default, 100"),
        ({"gogc": 2**31}, "default, 100"),
        ({"gogc": False}, "default, 100"),
        ({"gogc": 12.5}, "default, 100"),
        ({"gogc": [25]}, "a list is not a GOGC"),
        ({"gogc": None}, "nothing is not a GOGC"),
        ({"gogc": 0}, "collect without end"),
        ({"gogc": -1}, "as off"),
        ({"gomemlimit": 0}, "collect without end"),
        ({"gomemlimit": "0MiB"}, "collect without end"),
        ({"gomemlimit": "1GB"}, "B, KiB, MiB, GiB and TiB"),
        ({"gomemlimit": "1.5GiB"}, "B, KiB, MiB, GiB and TiB"),
        ({"gomemlimit": "1 GiB"}, "B, KiB, MiB, GiB and TiB"),
        ({"gomemlimit": "OFF"}, "B, KiB, MiB, GiB and TiB"),
        ({"gomemlimit": -5}, "B, KiB, MiB, GiB and TiB"),
        ({"gomemlimit": 1e9}, "B, KiB, MiB, GiB and TiB"),
        ({"gomemlimit": "8388608TiB"}, "2^63-1"),
        ({"gomemlimit": "0%"}, "collect without end"),
        ({"gomemlimit": "101%"}, "leaves no room for what the runtime does not count"),
        ({"gomemlimit": "90 %"}, "B, KiB, MiB, GiB and TiB"),
        ({"gomaxprocs": 0}, "whole number of at least 1"),
        ({"gomaxprocs": "2"}, "whole number of at least 1"),
        ({"gomaxprocs": True}, "whole number of at least 1"),
        ({"gomaxprocs": 2**31}, "whole number of at most"),
        ({"godebug": {"madvdontneed": True}}, "switches are 0 and 1"),
        ({"godebug": {"a": "1,b=2"}}, "not a GODEBUG value"),
        ({"godebug": {"a b": 1}}, "not a GODEBUG key"),
        ({"godebug": "a"}, "not a GODEBUG value"),
        ({"godebug": "a=1,a=2"}, "given twice"),
        ({"godebug": ["a=1"]}, "expected a mapping"),
        ({"manual_gc": "999kB"}, "no time between two collections"),
        ({"manual_gc": 0}, "no time between two collections"),
        ({"manual_gc": "10%"}, "does not fit bytes"),
        ({"manual_gc": True}, "is not a quantity in bytes"),
        ({"manual_gc": ["1MB"]}, "expected a quantity in bytes"),
        ({"unbounded": "yes"}, "expected true or false"),
        ({"gomaxproc": 2}, "did you mean gomaxprocs?"),
    ],
)
def test_a_setting_go_would_misread_is_refused(values: dict[str, object], says: str) -> None:
    """Each wrong value gives one message that names the key and why Go would not do what was meant."""
    with pytest.raises(ConfigErrors) as caught:
        parse_gc(values, PLACE)
    (error,) = caught.value.errors
    assert says in str(error)
    assert str(error).startswith(f"gomem.yaml:5 services.api.gc.{next(iter(values))}")


def test_all_wrong_settings_are_reported_at_once() -> None:
    """Four mistakes give four messages."""
    with pytest.raises(ConfigErrors) as caught:
        parse_gc({"gogc": 0, "gomemlimit": 0, "gomaxprocs": 0, "godebug": {"a": None, "b": True}}, PLACE)
    assert len(caught.value.errors) == 5


def test_what_is_said_wins_over_what_is_below() -> None:
    """A setting not said keeps the base's; godebug is merged key by key."""
    base = GcSettings(gogc=100, gomemlimit=2**30, gomaxprocs=4, godebug={"a": "1", "b": "1"})
    over = GcSettings(gogc="off", godebug={"b": "2"})
    assert merged(base, over) == GcSettings("off", 2**30, 4, {"a": "1", "b": "2"})
    assert merged(base, GcSettings()) == base
    assert merged(GcSettings(unbounded=True), over).unbounded
    assert merged(GcSettings(manual_gc=10**8), over).manual_gc == 10**8
    assert merged(GcSettings(manual_gc=10**8), GcSettings(manual_gc="off")).manual_gc == "off"


@pytest.mark.parametrize("limit", [None, "off"])
def test_gogc_off_needs_a_memory_limit(limit: None) -> None:
    """GOGC off without any limit is refused, and the message tells the two ways out."""
    with pytest.raises(ConfigError) as caught:
        check(GcSettings(gogc="off", gomemlimit=limit), PLACE)
    assert "never collects" in str(caught.value)
    assert "unbounded: true" in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        GcSettings(gogc="off", gomemlimit=2**30),
        GcSettings(gogc="off", gomemlimit=Share(90)),
        GcSettings(gogc="off", unbounded=True),
        GcSettings(gogc="off", manual_gc=100_000_000),
        GcSettings(gogc=100),
        GcSettings(gomemlimit="off"),
    ],
)
def test_bounded_settings_pass(settings: GcSettings) -> None:
    """A limit, a GOGC, or the explicit wish for neither may be launched."""
    check(settings, PLACE)


def test_collections_by_hand_need_the_agent() -> None:
    """Nobody else could make them: the error says why the agent is not there."""
    check_agent(GcSettings(manual_gc="off"), "the binary is prebuilt", PLACE)
    check_agent(GcSettings(manual_gc=10**8), "", PLACE)
    with pytest.raises(ConfigError, match="manual_gc needs the agent in the service: the binary is prebuilt"):
        check_agent(GcSettings(manual_gc=10**8), "the binary is prebuilt", PLACE)


def test_the_environment_pins_the_runtime() -> None:
    """Only what is said is set, GOMAXPROCS always, and the user's GODEBUG keys win over ours."""
    assert environment(GcSettings(), None, gctrace=False) == {"GOMAXPROCS": "2"}
    settings = GcSettings("off", 2**30 + 2**20, 4, {"madvdontneed": "1", "gctrace": "2"})
    assert environment(settings, 4096, gctrace=True) == {
        "GOGC": "off",
        "GOMEMLIMIT": "1025MiB",
        "GODEBUG": "memprofilerate=4096,gctrace=2,madvdontneed=1",
        "GOMAXPROCS": "4",
    }


def test_settings_are_described_as_go_spells_them() -> None:
    """The description leaves out what was not said, except for the pinned GOMAXPROCS."""
    assert described(GcSettings()) == {"gomaxprocs": "2"}
    assert described(GcSettings(25, "off", 1, {"a": "1"})) == {
        "gogc": "25",
        "gomemlimit": "off",
        "gomaxprocs": "1",
        "godebug": "a=1",
    }
    assert described(GcSettings(manual_gc="off"))["manual_gc"] == "off"
    for size, text in ((100_000_000, "100MB"), (96 << 20, "96MiB"), (1_000_001, "1000001B"), (10**9, "1GB")):
        assert described(GcSettings(manual_gc=size))["manual_gc"] == text


@pytest.mark.parametrize("size", [1, 1023, 1024, 2**20 * 3, 2**40, 2**63 - 1])
def test_a_limit_survives_the_way_through_its_spelling(size: int) -> None:
    """What GOMEMLIMIT is set to is read back as the same number of bytes."""
    written = environment(GcSettings(gomemlimit=size), None, gctrace=False)["GOMEMLIMIT"]
    assert parse_gc({"gomemlimit": written}, PLACE).gomemlimit == size


@pytest.mark.parametrize("name", PINNED)
def test_a_pinned_variable_is_refused_in_env(name: str) -> None:
    """A GC variable in a service's env is sent to the gc section, which checks it."""
    check_env({"PATH": "/bin"}, PLACE)
    with pytest.raises(ConfigError, match=rf"gc: {{{name.lower()}: "):
        check_env({name: "1"}, PLACE)


def test_gc_settings_need_no_yaml() -> None:
    """Reading a marker's settings loads neither yaml nor pytest."""
    code = (
        "import sys, pytest_gomem.config.marker; print([m for m in ('yaml', 'pytest', 'psutil') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
