"""How much CPU the machine withheld: what the metric makes of run delays, and where its note stands."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gomem_windows import CLOSED, MIB, kernel, read, reason, scheduling, window

from pytest_gomem.measure.metric import Reading
from pytest_gomem.measure.registry import builtin_metrics, evaluate
from pytest_gomem.measure.window import Window


def starved(waited: float, ran: float = 3.0, **other) -> Window:
    """A window of 2 s of CPU time, that began with 1 s run and 0.5 s waited."""
    end = kernel(CLOSED, 30 * MIB, 40 * MIB, cpu=3.0, scheduling=scheduling(ran, 0.5 + waited, **other))
    return window(end=end)


def test_starvation_is_the_share_of_waiting():
    """2 s run and 2 s waited are a half."""
    reading = read("cpu_starvation", starved(2.0))
    assert reading.value == pytest.approx(0.5)
    assert reading.note == "waited 2.00 s, ran 2.00 s"
    assert read("cpu_starvation", starved(0.0)).value == 0


def test_threads_that_begin_count_whole_and_those_that_end_not_at_all():
    """A thread that has run less than before is another one that was given its id."""
    threads = {7: (0.5, 0.25), 8: (1.0, 0.25)}  # 7 is new, 8 too
    assert read("cpu_starvation", starved(0, threads=threads)).value == pytest.approx(0.5 / 2.0)
    short = {7: (1.5, 1.0)}  # of 2 s of CPU time threads that are gone used 1.5 s
    assert "threads that used 75% of the CPU time ended" in reason("cpu_starvation", starved(0, threads=short))


def test_a_kernel_that_does_not_tell_leaves_it_unavailable():
    """Neither no reading nor one without threads is a 0."""
    for one in (starved(0, threads={}), window(end=kernel(CLOSED, MIB, MIB, cpu=3.0))):
        assert "the kernel does not tell" in reason("cpu_starvation", one)


def test_figures_of_wall_time_say_what_the_machine_withheld():
    """Throughput, latencies, pauses, rates: from a tenth on; what counts bytes or CPU says nothing of it."""
    results = evaluate(starved(2.0), builtin_metrics())
    words = "the machine withheld CPU: cpu_starvation 50.0%"
    told = {name for name, result in results.items() if isinstance(result, Reading) and words in result.note}
    expected = {"throughput", "latency_p50", "latency_p99", "alloc_rate", "gc_rate", "gc_interval", "gc_stop_max"}
    pauses = {f"gc_pause_{kind}" for kind in ("max", "p99", "p50", "mean", "total")}
    assert told == expected | pauses | {"gc_stop_p50", "gc_stop_p99", "sched_latency_p99"}
    assert read("throughput", starved(0.2)).note == ""


def test_an_idle_service_is_not_called_starved():
    """A wake-up now and then waits as long as it runs; that is no 1% of the window."""
    idle = starved(0.002, ran=1.002)
    idle = replace(idle, end=replace(idle.end, cpu=1.002))
    assert read("cpu_starvation", idle).value == pytest.approx(0.5)
    assert read("throughput", idle).note == ""


def test_steal_and_throttling_are_named():
    """They are told beside the share, and by themselves are reason enough for the note."""
    stolen = starved(0.0, machine=(22.0, 2.0))
    assert "the hypervisor gave 10% of the machine's CPU time to others (steal)" in read("throughput", stolen).note
    group = "/sys/fs/cgroup/x/cpu.stat"
    throttled = replace(starved(0.0, throttled={group: 3.0}), start=_before(group))
    words = f"the CPU quota of its cgroup stopped it for 2.00 s, all CPUs together ({group})"
    assert words in read("cpu_starvation", throttled).note


def _before(group: str):
    return kernel(1000.0, 20 * MIB, 20 * MIB, cpu=1.0, scheduling=scheduling(1.0, 0.5, throttled={group: 1.0}))
