"""The heap profile at the memory limit: taken when the memory comes to it, and said to be missing when it does not."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from test_oom_kill import LIMIT, MIB, START

from pytest_gomem.instruments.at_limit import CAME_TO, AtLimit, unreclaimable
from pytest_gomem.instruments.at_limit import LIMIT as OF_LIMIT
from pytest_gomem.instruments.goroutines import AT_CLOSE, AT_OPENING
from pytest_gomem.instruments.peak_profile import PEAK
from pytest_gomem.session.capture import HEAP
from pytest_gomem.testing import FakeProcess

PATIENCE = 30.0


class Process(FakeProcess):
    """Tells when it was ended."""

    def __init__(self, **other):
        super().__init__(**other)
        self.was_killed = threading.Event()
        self.memory_limit, self.group_reading = LIMIT, START
        self.profiles.update(heap=b"of the heap", allocs=b"early", stacks=b"stacks")

    def kill(self):
        super().kill()
        self.was_killed.set()


def at_the_limit(process):
    """What the instrument finds once the memory has come to the limit."""
    instrument = AtLimit()
    window = process.open_window(instruments=[instrument])
    assert process.group_reading.limit > 2 * LIMIT
    process.group_reading = replace(process.group_reading, current=LIMIT + MIB, file=0)
    instrument.watched(PATIENCE)
    return instrument.close(window)


@pytest.mark.parametrize(("above", "raised"), [(LIMIT + 100 * MIB, LIMIT + 50 * MIB), (LIMIT - MIB, LIMIT)])
def test_limit_is_not_raised_beyond_that_of_a_container(above, raised):
    """The container's own kill would end more than the service."""
    process = Process()
    process.limit_above = above
    instrument = AtLimit()
    instrument.close(process.open_window(instruments=[instrument]))
    assert process.group_reading.limit == raised


@pytest.mark.parametrize("inside", ["agent", "pprof"])
def test_profile_at_the_limit(inside):
    """The limit is raised, the profile taken where the old one is, and the process ended then."""
    process = Process(inside=inside)
    found = at_the_limit(process)
    assert process.was_killed.is_set()
    assert found.artifacts[PEAK].raw == found.artifacts[HEAP].raw == b"of the heap"
    assert found.artifacts[AT_OPENING].raw == found.artifacts[AT_CLOSE].raw == b"stacks"
    assert found.figures[CAME_TO] >= found.figures[OF_LIMIT] == LIMIT


def test_profile_without_collections_is_better_than_none():
    """A service in need may not get to the end of a forced collection."""
    process = Process()
    process.failing["heap profile"] = "it has ended"
    assert at_the_limit(process).artifacts[PEAK].raw == b"early"
    process = Process()
    process.failing.update({"heap profile": "it has ended", "allocs profile": "it has ended"})
    found = at_the_limit(process)
    assert process.was_killed.is_set()
    assert "its profile could not be taken within" in found.artifacts[PEAK].raw.reason


def test_memory_that_stays_below_the_limit():
    """Page cache is no use of memory that a limit kills for; nobody is blamed for what is not there again."""
    process, instrument = Process(), AtLimit()
    window = process.open_window(instruments=[instrument])
    process.group_reading = replace(process.group_reading, current=2 * LIMIT, file=2 * LIMIT - 20 * MIB, shmem=MIB)
    assert unreclaimable(process.group_reading) == 21 * MIB
    instrument.watched(0.1)
    found = instrument.close(window)
    assert not process.was_killed.is_set()
    assert "the observed round did not come to the limit of 256MiB again: " in found.artifacts[PEAK].raw.reason


def test_service_without_a_limit():
    """It has nothing to come to."""
    process, instrument = Process(), AtLimit()
    process.group_reading = None
    window = process.open_window(instruments=[instrument])
    found = instrument.close(window)
    assert "its memory limit could not be raised" in found.artifacts[PEAK].raw.reason
    assert not found.figures
