"""The settings in force: GOGC by the heap goal, of a model of the pacer and of real services; what the agent reads."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gomem_windows import MIB, cycle, memstats
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.config.gc_settings import GcSettings
from pytest_gomem.observe.agent.records import Settings
from pytest_gomem.observe.effective import effective_settings, settings_in_force

GOGC = st.integers(min_value=10, max_value=1000)
LIVE = st.integers(min_value=100_000, max_value=4 << 30)
SCANNED = st.integers(min_value=0, max_value=200 * MIB)


def goal(gogc, live, stacks, global_data):
    """runtime/mgcpacer.go commit(): growth by GOGC, and at least the minimum heap."""
    return max(live + (live + stacks + global_data) * gogc // 100, 4 * MIB * gogc // 100)


def read_back(requested, next_gc, live, stacks=0, global_data=0, gctrace=True, **stats):
    """What effective_settings() says of GOGC; gctrace prints stacks and globals in whole MiB."""
    read = memstats(10, 0, 0, next_gc=next_gc, heap_alloc=live, **{"stack_inuse": stacks + 500_000, **stats})
    last = cycle(10, stacks=stacks // MIB * MIB, globals=global_data // MIB * MIB)
    return effective_settings(requested, read, [last] if gctrace else [])["gogc"]


@given(gogc=GOGC, live=LIVE, stacks=SCANNED, global_data=SCANNED)
def test_what_is_in_force_is_never_denied(gogc, live, stacks, global_data):
    """A service that left GOGC as it was asked is never said to have changed it."""
    said = read_back(GcSettings(gogc=gogc), goal(gogc, live, stacks, global_data), live, stacks, global_data)
    assert said.partition(",")[0] == str(gogc)


@given(gogc=GOGC, live=LIVE, stacks=SCANNED, global_data=st.integers(0, MIB - 1))
def test_nor_without_gctrace(gogc, live, stacks, global_data):
    """Nor where gctrace was turned off, and MemStats alone tell the stacks."""
    said = read_back(
        GcSettings(gogc=gogc), goal(gogc, live, stacks, global_data), live, stacks, global_data, gctrace=False
    )
    assert said.partition(",")[0] == str(gogc)


@given(gogc=GOGC, live=st.integers(16 * MIB, 4 << 30), factor=st.sampled_from([0.5, 0.8, 1.25, 2.0]))
def test_a_change_is_found(gogc, live, factor):
    """From 16 MiB live on, a GOGC that is a fifth off is told, and which one it is about."""
    said = read_back(GcSettings(gogc=max(1, round(gogc * factor))), goal(gogc, live, 0, 200_000), live, 0, 200_000)
    assert said.startswith("about ")
    assert float(said.split()[1].rstrip(",")) == pytest.approx(gogc, rel=0.03, abs=1)


@given(gogc=st.integers(50, 1000), asked=GOGC, live=st.integers(100_000, 300_000))
def test_a_small_heap_tells_exactly(gogc, asked, live):
    """Far below the minimum heap the goal is 4 MiB * GOGC/100, and nothing else can have set it."""
    said = read_back(GcSettings(gogc=asked), goal(gogc, live, 20_000, 200_000), live, 20_000, 200_000)
    if abs(asked - gogc) > 0.02 * gogc + 1:
        assert said.startswith(f"about {gogc}")
    if asked == gogc:
        assert said == str(gogc)


# (asked, MemStats and gctrace of tests/programs/server with debug.SetGCPercent(N), what is to be said); Go 1.26.
MEASURED = [
    (None, (4194304, 171512, 0), "100"),
    (None, (42509298, 21148904, 0), "100"),
    (None, (2097152, 171560, 0), "about 50, or a memory limit of its own (heap goal 2.10 MB at 172 kB live)"),
    (None, (3145728, 177360, 0), "about 75, or a memory limit of its own (heap goal 3.15 MB at 177 kB live)"),
    (None, (44643726, 21148168, 0), "about 110 (heap goal 44.6 MB at 21.1 MB live)"),
    (None, (16777216, 171752, 0), "about 400 (heap goal 16.8 MB at 172 kB live)"),
    (None, (6841330, 3315024, 0), "100, the heap goal fits any from 75 to 106"),
    (None, (7888354, 3178512, 1), "100, the heap goal fits any from 74 to 111"),  # 5000 goroutines
    (None, (8946670875744046831, 5421208, 0), "off, no memory limit"),
]


@pytest.mark.parametrize(("asked", "figures", "words"), MEASURED)
def test_measured(asked, figures, words):
    """Figures of real services, where stacks stand for 330 kB in MemStats, and for 10 MB with 5000 goroutines."""
    next_gc, live, stacks = figures
    stack_inuse = 10_584_064 if stacks else 327_680
    said = read_back(GcSettings(gogc=asked), next_gc, live, stacks * MIB, stack_inuse=stack_inuse)
    assert said == words


def test_memory_limit_sets_the_goal():
    """A goal that is just what the requested limit leaves is the limit's doing, with GOGC on or off."""
    read = {"sys": 16_873_736, "heap_idle": 6_250_000}
    off = GcSettings(gogc="off", gomemlimit=64 * MIB)
    assert read_back(off, 59_975_334, 5_418_344, **read) == "off, the memory limit sets the heap goal"
    on = GcSettings(gogc=2000, gomemlimit=64 * MIB)
    assert read_back(on, 59_975_334, 5_418_344, **read) == "2000, the memory limit sets the heap goal"


def test_memory_limit_below_the_live_heap():
    """A live heap beyond the limit is its own goal."""
    read = {"sys": 33_921_288, "heap_idle": 7_300_000}
    said = read_back(GcSettings(gogc=100, gomemlimit=16 * MIB), 21_149_312, 21_148_656, **read)
    assert said == "100, the memory limit sets the heap goal"


def test_a_goal_that_the_limit_does_not_explain():
    """A goal far below what the requested limit leaves was set by the service itself."""
    read = {"sys": 17_144_072, "heap_idle": 6_250_000}
    said = read_back(GcSettings(gogc="off", gomemlimit=64 * MIB), 8_233_925, 5_418_568, **read)
    assert said.startswith("about 50, or a memory limit of its own")


def test_nothing_read_nothing_said():
    """Without MemStats nothing is claimed of GOGC."""
    assert effective_settings(GcSettings(gogc=100), None, [cycle(3, procs=4)]) == {"gomaxprocs": "4"}


def test_the_agent_reads_them():
    """What the agent reads is spelled as what was requested."""
    read = Settings("go1.26", "linux", "amd64", 2, None, 128 << 20, "", 512 << 10)
    found = {"gogc": "off", "gomemlimit": "128MiB", "gomaxprocs": "2"}
    assert settings_in_force(read) == found
    assert settings_in_force(replace(read, profile_rate=4096)) == {**found, "profile_rate": "4096"}
