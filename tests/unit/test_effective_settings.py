"""Which GC settings are in force, read back from the heap goal or by the agent."""

from __future__ import annotations

import pytest
from gomem_windows import MIB, cycle, memstats

from pytest_gomem.config.gc import GcSettings
from pytest_gomem.observe.agent.records import Settings
from pytest_gomem.observe.effective import effective_settings, settings_in_force

LARGE = {"heap_alloc": 100 * MIB, "stack_inuse": 0}


def gogc(requested: GcSettings, next_gc: int, **stats: int) -> str:
    read = memstats(10, 0, 0, next_gc=next_gc, **{**LARGE, **stats})
    return effective_settings(requested, read, [cycle(10)])["gogc"]


@pytest.mark.parametrize(("percent", "goal"), [(100, 200), (50, 150), (400, 500)])
def test_a_goal_that_agrees(percent, goal):
    """A heap goal of live + live * GOGC/100 confirms what was asked for."""
    assert gogc(GcSettings(gogc=percent), goal * MIB) == str(percent)


def test_a_service_that_set_its_own():
    """A goal far from the requested one tells about which GOGC set it."""
    assert gogc(GcSettings(gogc=100), 150 * MIB).startswith("about 50")
    assert gogc(GcSettings(), 500 * MIB).startswith("about 39")


def test_off():
    """No goal at all means GOGC=off without a limit."""
    assert gogc(GcSettings(gogc="off", unbounded=True), 1 << 62) == "off, no memory limit"


def test_the_minimum_heap_tells_exactly():
    """Below 4 MiB live the goal is 4 MiB * GOGC/100, which tells a GOGC under 100 exactly."""
    assert gogc(GcSettings(gogc=50), 2 * MIB, heap_alloc=MIB // 4).startswith("50")
    assert not gogc(GcSettings(gogc=100), 2 * MIB, heap_alloc=MIB // 4).startswith("100")


def test_gomaxprocs_comes_from_the_newest_line():
    """The P of the newest gctrace line is GOMAXPROCS; without lines nothing is claimed."""
    assert effective_settings(GcSettings(), None, [cycle(1, procs=8), cycle(2, procs=4)]) == {"gomaxprocs": "4"}
    assert effective_settings(GcSettings(), None, []) == {}


def test_the_agent_reads_them():
    """What the agent reads is spelled as what was requested."""
    read = Settings("go1.26", "linux", "amd64", 8, 2, None, 128 * MIB, "", 0)
    assert settings_in_force(read) == {"gogc": "off", "gomemlimit": "128MiB", "gomaxprocs": "2"}
