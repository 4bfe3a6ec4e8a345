"""Shows what watching costs: the CPU that the supervisor takes beside an idle service, at 50 and 200 samples a second.

The supervisor's CPU clock is read before and after. Limit: 1% of a core at 50 Hz. The peer is the plainest sampler in
Python: a process that wakes as often and asks psutil for the RSS of the same service, and for nothing else.

    python benchmarks/supervisor_cost.py [--small]
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from common import program, small_asked, table, verdict, workshop

from pytest_gomem.observe.kernel import cpu_seconds
from pytest_gomem.supervisor.client import KeptChild, SupervisorClient
from pytest_gomem.supervisor.protocol import LaunchRequest

LIMIT = 0.01  # of a core, at 50 Hz
RATES = (50.0, 200.0)
PEER = """
import sys, time, psutil
process, period = psutil.Process(int(sys.argv[1])), 1 / float(sys.argv[2])
due = time.monotonic()
while True:
    process.memory_info()
    due += period
    time.sleep(max(due - time.monotonic(), 0))
"""


@contextlib.contextmanager
def idle_service(binary: Path, rate: float) -> Iterator[tuple[SupervisorClient, KeptChild]]:
    """A service that nobody asks anything, in a supervisor's care."""
    argv = [str(binary), "--listen", "127.0.0.1:0", "--log-ready"]
    with contextlib.closing(SupervisorClient()) as supervisor:
        child = supervisor.launch(LaunchRequest(argv, dict(os.environ), "/", sample_rate=rate))
        while "listening" not in child.log()[0]:
            time.sleep(0.01)
        yield supervisor, child


@contextlib.contextmanager
def bare_sampler(pid: int, rate: float) -> Iterator[int]:
    """The peer's pid."""
    with subprocess.Popen([sys.executable, "-c", PEER, str(pid), str(rate)]) as peer:
        try:
            yield peer.pid
        finally:
            peer.kill()


def shares(pids: list[int], seconds: float) -> list[float]:
    """The share of a core that each process takes in the coming seconds."""
    processes = [psutil.Process(pid) for pid in pids]
    time.sleep(1.0)  # until what its start costs is over
    began, before = time.monotonic(), [cpu_seconds(process) for process in processes]
    time.sleep(seconds)
    took, after = time.monotonic() - began, [cpu_seconds(process) for process in processes]
    return [(late - early) / took for early, late in zip(before, after, strict=True)]


def measured(binary: Path, rate: float, seconds: float) -> tuple[float, float, float]:
    """Shares of a core that the supervisor and the peer take, and how many samples a second the first took."""
    with idle_service(binary, rate) as (supervisor, child), bare_sampler(child.pid, rate) as peer:
        began = time.monotonic()
        ours, theirs = shares([supervisor.pid, peer], seconds)
        return ours, theirs, len(child.samples(since=began)) / (time.monotonic() - began)


def main() -> int:
    """Measure and print."""
    small = small_asked(__doc__)
    with workshop() as folder:
        binary = program("server", folder)
        costs = {rate: measured(binary, rate, 2.0 if small else 20.0) for rate in RATES}
    rows = [
        (f"{rate:g} Hz", f"{ours:.2%}", f"{ours / LIMIT:.2f}", f"{theirs:.2%}", f"{reached:.1f} Hz")
        for rate, (ours, theirs, reached) in costs.items()
    ]
    table("CPU of the supervisor beside an idle service", ("asked", "of a core", "of 1%", "peer", "sampled"), rows)
    ours = costs[RATES[0]][0]
    missed = [f"the supervisor takes {ours:.2%} of a core at {RATES[0]:g} Hz"] if ours > LIMIT else []
    return verdict(missed, enforced=not small)


if __name__ == "__main__":
    sys.exit(main())
