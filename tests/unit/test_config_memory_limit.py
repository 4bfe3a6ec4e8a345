"""The memory limit of a service: how it is written, what is refused, and what a share of it becomes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_gomem.base.errors import ConfigError, ConfigErrors, Place
from pytest_gomem.config.fields import located
from pytest_gomem.config.gc_settings import GcSettings, Share, environment
from pytest_gomem.config.marker import parse_gc_marker
from pytest_gomem.config.memory_limit import MemoryLimitSettings, chosen, parse_memory_limit, resolved
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.session.laid_over import laid_over, laid_over_words
from pytest_gomem.session.run import overrides

PLACE = Place("gomem.yaml", 5, "services.api.memory_limit")
LIMIT = MemoryLimitSettings(256 << 20)


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ("256MiB", LIMIT),
        (256 << 20, LIMIT),
        ("1.8GB", MemoryLimitSettings(1_800_000_000)),
        ("4MiB", MemoryLimitSettings(4 << 20)),
        ({"max": "256MiB"}, LIMIT),
        ({"max": "256MiB", "mode": "cgroup"}, replace(LIMIT, mode="cgroup")),
        ({"max": "256MiB", "mode": "simulated"}, replace(LIMIT, mode="simulated")),
        ("off", "off"),
    ],
)
def test_a_limit_is_read(value, limit):
    """In the spellings of all quantities, alone or with its mode."""
    assert parse_memory_limit(located(value, PLACE)) == limit


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("256", "no Go program starts within that"),
        ("3MiB", "no Go program starts within that"),
        ("256 parsec", "does not fit bytes"),
        (True, "not a quantity"),
        (["256MiB"], "a list"),
        (None, "nothing"),
        ({}, "names no limit"),
        ({"mode": "cgroup"}, "names no limit"),
        ({"max": "256MiB", "mode": "rlimit"}, "expected one of auto, cgroup, simulated"),
        ({"max": "256MiB", "mod": "auto"}, "did you mean mode?"),
    ],
)
def test_a_wrong_limit_is_refused(value, says):
    """With its place, and what to write instead."""
    with pytest.raises((ConfigError, ConfigErrors)) as caught:
        parse_memory_limit(located(value, PLACE))
    assert says in str(caught.value)
    assert str(caught.value).startswith("gomem.yaml:5 services.api.memory_limit")


def test_the_last_choice_is_the_one():
    """What a test says replaces what gomem.yaml says, and "off" takes it away."""
    small = MemoryLimitSettings(64 << 20)
    assert chosen(LIMIT, None) == LIMIT
    assert chosen(LIMIT, small) == small
    assert chosen(LIMIT, "off") is None
    assert chosen(None, None) is None


def test_a_size_alone_keeps_the_mode():
    """A search for the least limit tries sizes, and gomem.yaml says how a limit is set."""
    watched, held = replace(LIMIT, mode="simulated"), MemoryLimitSettings(64 << 20, "cgroup")
    assert chosen(watched, MemoryLimitSettings(64 << 20)) == MemoryLimitSettings(64 << 20, "simulated")
    assert chosen(watched, held) == held


def test_a_share_becomes_bytes():
    """GOMEMLIMIT gets whole KiB; all other settings stay."""
    asked = GcSettings(gogc=50, gomemlimit=Share(90))
    found = resolved(asked, LIMIT, PLACE)
    assert found == replace(asked, gomemlimit=235929 << 10)
    assert environment(found, None, gctrace=False)["GOMEMLIMIT"] == "235929KiB"
    assert resolved(GcSettings(gomemlimit=1 << 30), None, PLACE).gomemlimit == 1 << 30


def test_a_share_of_nothing_is_an_error():
    """It would be a limit that nobody asked for, or none at all."""
    with pytest.raises(ConfigError, match="gomemlimit 90% is a share of the memory limit, and there is none"):
        resolved(GcSettings(gomemlimit=Share(90)), None, PLACE)


def test_a_test_says_it_like_gomem_yaml():
    """launch() and fixtures take the same spellings; what lies above wins."""
    said = overrides({"memory_limit": {"max": "256MiB", "mode": "cgroup"}}, Place())
    assert said.memory_limit == replace(LIMIT, mode="cgroup")
    assert Overrides().over(said).memory_limit == said.memory_limit
    assert Overrides(memory_limit="off").over(said).memory_limit == "off"
    laid = laid_over("gogc=200,memory_limit=300MiB")[""]
    assert laid.memory_limit == MemoryLimitSettings(300 << 20)
    assert laid.said == {"gogc", "memory_limit"}
    assert laid_over_words({"": laid}) == "gogc=200, memory_limit=300MiB"
    with pytest.raises(ConfigError, match="memory_limit: '1B' is below 4MiB"):
        overrides({"memory_limit": "1B"}, Place())


def test_limits_are_an_axis_of_a_matrix():
    """Each gives a test of its own, beside the GC settings."""
    found = parse_gc_marker({"memory_limit": ["off", "256MiB"], "gomemlimit": "90%"}, PLACE)
    assert [one.id for one in found] == ["memory_limit=off-gomemlimit=90%", "memory_limit=256MiB-gomemlimit=90%"]
    assert [one.memory_limit for one in found] == ["off", LIMIT]
    assert found[1].written == {"memory_limit": "256MiB", "gomemlimit": "90%"}
