"""What the kernel tells of waiting for a CPU, by processes that have to share one."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from pytest_gomem.observe import scheduling as module
from pytest_gomem.observe.scheduling import scheduling

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SPIN = """
import os, sys, threading
os.sched_setaffinity(0, {int(sys.argv[1])})
threading.Thread(target=lambda: [0 for _ in iter(int, 1)], daemon=True).start()
print(flush=True)
while True: pass
"""


def test_who_shares_a_cpu_waits_for_it():
    """Of three threads on one CPU, two of them of one process, each runs a third of the time and waits for the rest."""
    cpu = str(min(os.sched_getaffinity(0)))
    commands = [(sys.executable, "-I", "-S", "-c", SPIN, cpu)] * 2
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for command in commands]
    try:
        for process in processes:
            assert process.stdout.readline() == b"\n"
        before = scheduling(process.pid for process in processes)
        time.sleep(0.3)
        after = scheduling(process.pid for process in processes)
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert len(after.threads) == 4
    ran, waited = (sum(t[kind] for t in after.threads.values()) for kind in (0, 1))
    assert ran + waited > sum(map(sum, before.threads.values()))
    assert waited > 0.3 * (ran + waited)
    assert after.machine[0] > before.machine[0] >= before.machine[1]


def test_all_groups_of_a_process_tell_their_throttling(tmp_path, monkeypatch):
    """v1 counts it in ns and v2 in us; a quota may stand on a group above; a group without one is no error."""
    for folder, line in (("", "throttled_usec 5"), ("a", "nr_throttled 3\nthrottled_usec 2000000"), ("a/b", "usage 1")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "cpu.stat").write_text(f"nr_periods 9\n{line}\n")
    (tmp_path / "cpu" / "x").mkdir(parents=True)
    (tmp_path / "cpu" / "x" / "cpu.stat").write_text("throttled_time 1500000000\n")
    monkeypatch.setattr(module, "_CGROUPS", tmp_path)
    groups = [(tmp_path, "/a/b"), (tmp_path / "cpu", "/x")]
    monkeypatch.setattr(module, "_groups", lambda pid: iter(groups))
    told = scheduling([os.getpid()]).throttled
    assert told == {
        str(tmp_path / "cpu.stat"): pytest.approx(5e-6),
        str(tmp_path / "a" / "cpu.stat"): pytest.approx(2.0),
        str(tmp_path / "cpu" / "x" / "cpu.stat"): pytest.approx(1.5),
    }


def test_nobody_to_ask_has_no_threads():
    """A process that has ended."""
    assert scheduling([2**22 + 1]).threads == {}
