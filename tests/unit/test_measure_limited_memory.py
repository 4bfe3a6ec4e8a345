"""The metrics of a memory limit: what the group held, and what of its limit was left without page cache."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.cgroup.reading import GroupReading
from pytest_gomem.measure.limited_memory import METRICS
from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.registry import evaluate
from pytest_gomem.measure.window import GroupEdges, Window
from pytest_gomem.testing import fake_kernel_reading, fake_window
from pytest_gomem.testing.fake_window import MIB

LIMIT = 256 * MIB
OPENED, CLOSED = 1000.0, 1010.0
AT_REST = GroupReading(
    t=OPENED - 0.01, limit=LIMIT, current=6 * MIB, peak=9 * MIB, anon=5 * MIB, file=0, kernel=MIB, anon_peak=6 * MIB,
    oom_kills=0, peak_since=900.0, shmem=0, cache_peak=0, sampled_since=900.0,
)  # fmt: skip


def limited(start: GroupReading | None = AT_REST, by: str = "cgroup v1", hwm: int = 40, **end: Any) -> Window:
    """A window whose group held 31 MiB at most and whose process 40 MiB, 9 MiB of them pages of its binary."""
    usual = {"t": CLOSED, "peak": 31 * MIB, "current": 20 * MIB, "anon": 18 * MIB, "anon_peak": 28 * MIB}
    began = {"peak_since": OPENED - 0.01, "sampled_since": OPENED - 0.01}
    closing = fake_kernel_reading(t=CLOSED, rss=30 * MIB, hwm=hwm * MIB, file=9 * MIB)
    group = GroupEdges(start, replace(AT_REST, **{**usual, **began, **end}), by)
    return fake_window(start=fake_kernel_reading(file=9 * MIB), end=closing, group=group)


def result(name: str, window: Window) -> Reading | Unavailable:
    return evaluate(window, METRICS)[name]


def read(name: str, window: Window) -> Reading:
    found = result(name, window)
    assert isinstance(found, Reading), found
    return found


def reason(name: str, window: Window) -> str:
    found = result(name, window)
    assert isinstance(found, Unavailable), found
    return found.reason


def test_what_the_group_held():
    """The kernel's own peak with its floor, and the highest sample of anonymous memory."""
    peak, anon = read("cgroup_peak", limited()), read("cgroup_anon_peak", limited())
    assert (peak.value, peak.source) == (31 * MIB, "peak of the memory cgroup (cgroup v1)")
    assert peak.note == "floor 6.29 MB, what the group held at the opening"
    assert "256 KiB per CPU" in peak.precision
    assert (anon.value, anon.source) == (28 * MIB, "memory.stat of the memory cgroup (cgroup v1), sampled")
    assert "a spike shorter than 1.00 s may be missed" in anon.precision


@pytest.mark.parametrize("by", ["cgroup v1", "simulated"])
def test_a_file_that_was_mapped_for_a_while_takes_no_headroom(by):
    """Its pages are in the process's own peak, and can be taken back; at the edges of the window it is not there."""
    started = replace(AT_REST, mapped=2 * MIB, mapped_peak=2 * MIB)
    own = {"peak": None} if by == "simulated" else {"peak": 228 * MIB, "cache_peak": 200 * MIB}
    mapped = limited(started, by, hwm=237, mapped=2 * MIB, mapped_peak=202 * MIB, **own)
    assert read("memory_headroom", mapped).value == LIMIT - 29 * MIB
    assert read("memory_headroom", limited(started, by, hwm=237, mapped=2 * MIB, **own)).value < 30 * MIB


def test_headroom_is_what_the_peak_left():
    """Of the ways to see the peak the highest: here the kernel's of the process, without its binary."""
    found = read("memory_headroom", limited(hwm=39))
    assert found.value == LIMIT - 31 * MIB
    assert found.source == "memory_limit of 256MiB less the peak (cgroup v1)"
    assert found.note == ""


def test_a_spike_between_samples_is_in_it():
    """The kernel's peak of the group saw it, also where it was of a child process."""
    assert read("memory_headroom", limited(peak=200 * MIB, hwm=20)).value == LIMIT - 200 * MIB


def test_page_cache_is_no_headroom_lost():
    """600 MB were read: the group came up to its limit, and the process used 31 MiB beside the kernel's 1 MiB."""
    window = limited(peak=LIMIT, current=250 * MIB, file=220 * MIB, cache_peak=222 * MIB)
    found = read("memory_headroom", window)
    assert found.value == LIMIT - 32 * MIB
    assert found.note == "the group came up to its limit by page cache, which the kernel takes back"
    peak = read("cgroup_peak", window)
    assert "page cache of up to 233 MB is in it" in peak.note
    assert "it came up to the limit, where the kernel takes page cache back" in peak.note


def test_page_cache_below_the_limit_is_left_out_and_named():
    """Also of a file that was removed before the window closed."""
    found = read("memory_headroom", limited(peak=131 * MIB, cache_peak=100 * MIB))
    assert found.value == LIMIT - 32 * MIB
    assert found.note == "page cache of up to 105 MB is left out: with it 131 MB"


def test_files_in_memory_need_room():
    """Nobody can take back what lies in a tmpfs."""
    window = limited(peak=LIMIT, file=220 * MIB, shmem=100 * MIB, cache_peak=120 * MIB)
    assert read("memory_headroom", window).value == LIMIT - 132 * MIB


@pytest.mark.parametrize(("before", "left"), [(0, 0), (1, LIMIT - 31 * MIB)])
def test_a_kill_leaves_nothing(before, left):
    """One before the window was another window's."""
    found = read("memory_headroom", limited(start=replace(AT_REST, oom_kills=before), oom_kills=1))
    assert found.value == left
    assert ("killed a process at the limit" in found.note) == (left == 0)


def test_a_peak_that_cannot_begin_anew():
    """On v2 before Linux 6.12 it is of the group's life: the window's own only if it has risen."""
    old = {"peak_since": 900.0}
    assert read("cgroup_peak", limited(**old)).value == 31 * MIB
    assert read("cgroup_peak", limited(**old)).note == ""
    found = result("cgroup_peak", limited(start=replace(AT_REST, peak=31 * MIB), **old))
    assert isinstance(found, Unavailable)
    assert found.bounds == (20 * MIB, 31 * MIB)
    assert "from before the window" in found.reason
    start = replace(AT_REST, peak=200 * MIB)
    assert read("memory_headroom", limited(start=start, peak=200 * MIB, **old)).value == LIMIT - 32 * MIB
    assert read("cgroup_anon_peak", limited(start=start, **old)).value == 28 * MIB, "samples always begin anew"


def test_a_kernel_without_a_peak():
    """v2 before Linux 5.19: the process's own peak and the samples are left."""
    window = limited(peak=None)
    assert "it takes Linux 5.19" in reason("cgroup_peak", window)
    assert read("memory_headroom", window).value == LIMIT - 32 * MIB


def test_a_simulated_limit():
    """There is no group: what the processes' RssAnon says, and no word of page cache."""
    none = {"current": None, "peak": None, "file": None, "kernel": None, "shmem": None, "cache_peak": None}
    window = limited(start=replace(AT_REST, **none), by="simulated", **none)
    assert "simulated" in reason("cgroup_peak", window)
    assert read("cgroup_anon_peak", window).source == "RssAnon of its processes, sampled"
    found = read("memory_headroom", window)
    assert (found.value, found.note) == (LIMIT - 31 * MIB, "the limit is simulated")
    assert found.precision == "kernel memory is not known"
    assert read("memory_headroom", limited(start=replace(AT_REST, **none), by="simulated", hwm=300, **none)).value < 0


def test_a_service_that_died():
    """Its last reading is that at the reap, where only the peaks are left of it; its own peak is that of wait4."""
    window = replace(limited(anon=0, current=MIB), end=Unavailable("it died"), lifetime_peak=40 * MIB)
    assert read("cgroup_peak", window).value == 31 * MIB
    assert read("memory_headroom", window).value == LIMIT - 31 * MIB


def test_a_program_that_ends_by_itself():
    """Its window is its whole life: nothing came before, and the pages of its binary are not known."""
    whole = Unavailable("the program is measured whole")
    window = replace(limited(start=None), start=whole, end=whole, peak_reset=False, lifetime_peak=40 * MIB)
    assert read("cgroup_peak", window).value == 31 * MIB
    assert read("cgroup_peak", window).note == ""
    assert read("memory_headroom", window).value == LIMIT - 31 * MIB


def test_without_a_limit_there_is_nothing_to_say():
    """And the reason says what to do."""
    assert {"it ran without a memory limit: say memory_limit in gomem.yaml"} == {
        reason(metric.name, fake_window()) for metric in METRICS
    }


sizes = st.integers(0, 300).map(lambda mib: mib * MIB)


@given(peak=sizes, anon_peak=sizes, cache_peak=sizes, kernel=sizes, file=sizes, hwm=st.integers(0, 300))
def test_headroom_is_never_beyond_the_limit_nor_below_what_the_groups_peak_leaves(hwm, **figures):
    """Whatever the sources say: below the limit the group's peak is the most that was needed."""
    found = read("memory_headroom", limited(hwm=hwm, **figures)).value
    assert 0 <= found <= LIMIT
    if figures["peak"] < LIMIT - MIB:
        assert found >= LIMIT - figures["peak"]
