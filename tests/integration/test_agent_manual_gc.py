"""Collections by hand: the agent in a real service forces one after each so many bytes, and none otherwise."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path

import pytest
from agent_programs import PATIENCE, running

from pytest_gomem.launch.launcher import MANUAL_GC_VARIABLE

EVERY = 4_000_000
PLAIN = {"GOGC": "off", "GOMEMLIMIT": "1GiB"}


@pytest.fixture
def run(binaries):
    """Runs the obedient program under a policy."""

    @contextlib.contextmanager
    def run(**env):
        with (
            tempfile.TemporaryDirectory(prefix="gomem-") as folder,
            running(binaries("obedient", agent=True), Path(folder), env={**PLAIN, **env}) as program,
        ):
            program.process.stdout.readline()
            yield program

    return run


def forced(agent):
    """How many cycles the program has forced."""
    return agent.memstats().common.num_forced_gc


def test_it_collects_after_each_so_many_bytes(run):
    """One cycle for each time that the program allocates as much; they are forced, and the policy is told."""
    with run(**{MANUAL_GC_VARIABLE: str(EVERY)}) as program:
        agent = program.agent
        agent.gc()  # the count begins anew
        before = forced(agent)
        program.tell(f"alloc {EVERY * 3 // 4}")
        time.sleep(0.05)
        assert forced(agent) == before
        for number in (1, 2, 3):
            program.tell(f"alloc {EVERY}")
            deadline = time.monotonic() + PATIENCE
            while forced(agent) < before + number and time.monotonic() < deadline:
                time.sleep(0.005)
            assert forced(agent) == agent.memstats().common.num_gc == before + number
        assert agent.settings().manual_gc == EVERY


def test_without_it_nothing_runs(run):
    """No goroutine, no cycle."""
    with run(**{MANUAL_GC_VARIABLE: str(EVERY)}) as program:
        own = program.agent.ping().agent_goroutines
    with run() as program:
        assert program.agent.ping().agent_goroutines == own - 1
        program.tell(f"alloc {3 * EVERY}")
        stats = program.agent.memstats().common
        assert (stats.num_gc, program.agent.settings().manual_gc) == (0, None)
