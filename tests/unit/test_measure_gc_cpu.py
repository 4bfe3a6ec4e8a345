"""The collector's share of CPU: by the runtime's classes, from gctrace without them, and where there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gomem_windows import CLOSED, MIB, OPENED, kernel, pair, read, reason, runtime, scheduling, trace, window

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.measure.runtime_metrics import CPU_CLASSES, CYCLES, GOMAXPROCS
from pytest_gomem.measure.window import GcTrace, RuntimeMetrics, Window
from pytest_gomem.observe.records import GcRecord

NO_TRACE = Unavailable("gctrace was not asked for")
SHARES = ("gc_cpu", "gc_cpu_capacity", "gc_assist_cpu")
# stw sweep + assist + background + stw mark of one cycle: 41 + 100 + 250 + 34 us, the 300 us of idle marking left out
CYCLE_CPU = 425e-6


def classes(total: float, idle: float, gc: float, pause: float, assist: float, idle_mark: float, cycles: int):
    """Values of runtime/metrics at one edge, with those that runtime() has."""
    values = zip(CPU_CLASSES, (total, idle, gc, pause, assist, idle_mark), strict=True)
    return {**runtime().end, **dict(values), CYCLES: cycles, GOMAXPROCS: 2}


# In the window 20 s of processors: 14 s idle, 1 s idle marking, and of the 5 s that are left 1.5 s the collector's.
OPENING = classes(100.0, 50.0, 10.0, 0.1, 2.0, 1.0, cycles=10)
CLOSING = classes(120.0, 64.0, 12.5, 0.2, 2.5, 2.0, cycles=50)


def told(start=OPENING, end=CLOSING, own=None, **other) -> Window:
    """A window with the agent."""
    return window(runtime=RuntimeMetrics(start, end, own or {}), **other)


def test_the_agent_tells_by_the_classes_of_the_runtime():
    """Idle marking counts neither as the collector's nor as the program's; no gctrace is needed, nor a calm machine."""
    starved = kernel(CLOSED, 30 * MIB, 40 * MIB, cpu=3.0, scheduling=scheduling(3.0, 9.0))
    for one in (told(), told(gctrace=NO_TRACE)):
        assert read("gc_cpu", one).value == pytest.approx(1.5 / 5.0)
        assert read("gc_cpu_capacity", one).value == pytest.approx(1.5 / 20.0)
        assert read("gc_assist_cpu", one).value == pytest.approx(0.5 / 5.0)
    assert read("gc_cpu", replace(told(), end=starved)).value == pytest.approx(0.3)
    assert read("gc_cpu", told()).source == "/cpu/classes of runtime/metrics by the agent"
    assert read("gc_cpu", told()).note == "over 40 cycles"


def test_what_phases_forced_is_in_no_share():
    """Two cycles that a phase forced, 0.5 s of them, and the second from the cycle before them to their end."""
    own = dict(zip(CPU_CLASSES, (2.0, 1.0, 0.5, 0.0, 0.0, 0.0), strict=True)) | {CYCLES: 2}
    assert read("gc_cpu", told(own=own)).value == pytest.approx(1.0 / 4.0)
    assert read("gc_cpu", told(own=own)).note == "over 38 cycles"


def test_no_cycle_is_no_cpu_unless_one_runs():
    """A cycle that began shows by its first stop, and its CPU time is not known before it ends."""
    assert read("gc_cpu", told(end=OPENING)).value == 0
    assert read("gc_cpu", told(end=OPENING)).note == "no GC cycle ran in the window"
    begun = {**OPENING, "/cpu/classes/gc/pause:cpu-seconds": 0.1001}
    for name in SHARES:
        assert "none ended in the window" in reason(name, told(end=begun))


def test_cycles_that_leave_most_of_the_work_out_tell_no_share():
    """The processors were busy for 5 s until the last cycle ended; of 12 s of CPU time most came later."""
    busy = kernel(CLOSED, 30 * MIB, 40 * MIB, cpu=13.0, scheduling=scheduling(13.0, 0.52))
    words = reason("gc_cpu", replace(told(), end=busy))
    assert "ended after at most 5.00 s of the window's 12.0 s of CPU time" in words
    tree = replace(told(), end=busy, tree=True)  # its CPU time is that of its children too
    assert "without its children" in read("gc_cpu", tree).note


def test_shares_are_never_clamped():
    """What cannot be is no share: an idle time that ran ahead leaves nothing to divide by."""
    for end in ({**CLOSING, CPU_CLASSES[1]: 99.0}, {**CLOSING, CPU_CLASSES[2]: 18.0}):
        assert "make no share" in reason("gc_cpu", told(end=end))


def test_a_share_of_nothing_is_no_less_than_that():
    """Where all assists are of what a phase forced, the difference of the sums may fall below 0 by its last digit."""
    end = {**CLOSING, CPU_CLASSES[4]: 2.3}
    own = dict.fromkeys(CPU_CLASSES, 0.0) | {CPU_CLASSES[4]: 0.3, CYCLES: 2}
    assert 2.3 - 2.0 - 0.3 < 0
    assert read("gc_assist_cpu", told(end=end, own=own)).value == 0


@pytest.mark.parametrize(("last", "available"), [(9.5, True), (7.0, False)])
def test_a_phase_that_began_long_after_a_cycle_has_no_share(last, available):
    """The classes cover 10 s before the phase's last cycle: 0.5 s of them, or 3 s, are of work before the phase."""
    phase = told(is_phase=True, gc_records=(GcRecord(50, 1e-4, OPENED + last),))
    if available:
        assert read("gc_cpu", phase).value == pytest.approx(0.3)
    else:
        assert "counts from the GC cycle before the phase, 3.00 s earlier" in reason("gc_cpu", phase)


def test_releases_without_the_classes_fall_back_to_gctrace():
    """Before Go 1.20 the agent does not know them."""
    assert read("gc_cpu", window()).source == "gctrace / CPU clock of the process"


def test_gctrace_is_not_believed_where_the_machine_withheld_cpu():
    """Above 5% of starvation, and above the whole in any case: its workers' times are wall times."""
    for waited, available in ((0.6, True), (0.7, False)):
        end = kernel(CLOSED, 30 * MIB, 40 * MIB, cpu=3.0, scheduling=scheduling(3.0, waited))
        for name in SHARES:
            if available:
                assert read(name, window(end=end)).value > 0
            else:
                assert "threads waited 9.1% of their time" in reason(name, window(end=end))
    slow = tuple(replace(c, cpu_background=0.2) for c in trace(*range(11, 51)).cycles)
    assert "gctrace makes it 400%" in reason("gc_cpu", window(gctrace=GcTrace(slow, 0, 0)))


def test_gctrace_says_where_nobody_knows_how_long_threads_waited():
    """Without the kernel's word the share stands, with a doubt."""
    unknown = kernel(CLOSED, 30 * MIB, 40 * MIB, cpu=3.0)
    assert "waited for a CPU is unknown" in read("gc_cpu", window(end=unknown)).note


def test_gc_cpu_leaves_idle_marking_out():
    """40 cycles of 425 us over 2 s of CPU, or over 2 processors x 10 s; assists alone are 100 us each."""
    assert read("gc_cpu", window()).value == pytest.approx(40 * CYCLE_CPU / 2.0)
    assert read("gc_cpu_capacity", window()).value == pytest.approx(40 * CYCLE_CPU / 20.0)
    assert read("gc_assist_cpu", window()).value == pytest.approx(40 * 100e-6 / 2.0)


def test_share_of_no_cpu_time_is_unavailable():
    """Without measurable CPU time there is no share of it."""
    assert "no measurable CPU" in reason("gc_cpu", window(end=kernel(CLOSED, MIB, MIB, cpu=1.0)))


def test_capacity_follows_the_gomaxprocs_in_force():
    """gctrace's P counts, not what was asked for; a change within the window leaves no capacity."""
    four = tuple(replace(c, procs=4) for c in trace(*range(11, 51)).cycles)
    assert read("gc_cpu_capacity", window(gctrace=GcTrace(four, 0, 0))).value == pytest.approx(40 * CYCLE_CPU / 40.0)
    mixed = (replace(four[0], procs=2), *four[1:])
    assert "changed within the window: 2, 4" in reason("gc_cpu_capacity", window(gctrace=GcTrace(mixed, 0, 0)))


def test_gomaxprocs_nobody_knows_leaves_no_capacity():
    """Without a gctrace line and without a pinned value the capacity is unknown."""
    calm = window(memstats=pair(first=10, last=10), gctrace=NO_TRACE, gomaxprocs=None)
    assert "GOMAXPROCS is unknown" in reason("gc_cpu_capacity", calm)
