"""The heap dump of a window: when it is taken, what becomes of it, and why there may be none."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from test_session_window import CLOSING, OPENING, read_in

from pytest_gomem.base.errors import ObserveError, ToolchainError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.config.dump_limits import DEFAULT_LIMITS, DumpLimits
from pytest_gomem.instruments import heap_dump
from pytest_gomem.instruments.heap_dump import HeapDump, HeapGrowth
from pytest_gomem.retention.model import Retention
from pytest_gomem.session.instrument import Closes
from pytest_gomem.testing import FakeProcess

FOUND = Retention("go1.26", 10, 1000, 1.0, 1.0)
TAKEN = ["gc twice", "memstats", "heap dump"]
BUILT = SimpleNamespace(binary=Path("/bin/api"))


@pytest.fixture
def read(monkeypatch):
    """What was read: the dump's name, whether it was there, and the earlier dump's name. Its answer is FOUND."""
    read = []

    def holders_in(dump, built, limits, base=None, of=()):
        assert built is BUILT
        read.append((dump.name, dump.exists(), base and base.name))
        return FOUND

    monkeypatch.setattr(heap_dump, "holders_in", holders_in)
    return read


def dumping(folder):
    """A process whose agent writes heap dumps."""
    process = FakeProcess(folder=folder)

    def dump_heap(path, seconds):
        process.record("heap dump")
        path.write_bytes(b"go1.7 heap dump\n")

    process._agent.dump_heap = dump_heap
    return process


def taken(process, instrument, *, cycles=0):
    """What the instrument found of a window that went well."""
    window = process.open_window(instruments=[instrument])
    for number in range(1, cycles + 1):
        window.instruments.cycled(window, number)
    window.close()
    window.measurement = SimpleNamespace(service=SimpleNamespace(process=SimpleNamespace(built=BUILT)))
    window.instruments.close(Closes.AFTERWARDS, window)
    [(name, finding)] = window.instruments.findings()
    assert name == "heap_dump"
    return finding.retention


def test_it_is_the_last_that_is_taken(read, tmp_path):
    """After all readings of the window; the file is gone when it has been read."""
    process = dumping(tmp_path)
    assert taken(process, HeapDump(DEFAULT_LIMITS)) is FOUND
    assert read_in(process) == [*OPENING, *CLOSING, *TAKEN]
    assert [(is_there, base) for _, is_there, base in read] == [(True, None)]
    assert list(tmp_path.iterdir()) == []


def test_growth_is_what_two_dumps_differ_in(read, tmp_path):
    """The earlier one is of the opening, and stays until both are read."""
    process = dumping(tmp_path)
    assert taken(process, HeapGrowth(DEFAULT_LIMITS)) is FOUND
    assert read_in(process) == [*TAKEN, *OPENING, *CLOSING, *TAKEN]
    [(later, is_there, earlier)] = read
    assert (is_there, earlier not in (None, later)) == (True, True)
    assert list(tmp_path.iterdir()) == []


def test_the_first_cycle_is_no_growth(read, tmp_path):
    """The earlier dump is taken again after it, and not after others."""
    process = dumping(tmp_path)
    assert taken(process, HeapGrowth(DEFAULT_LIMITS), cycles=3) is FOUND
    assert read_in(process) == [*TAKEN, *OPENING, *TAKEN, *CLOSING, *TAKEN]
    assert len(read) == 1
    assert list(tmp_path.iterdir()) == []


def test_why_there_is_none(read, tmp_path, monkeypatch):
    """Its limits, no agent, no Go; each is a reason, and no error."""
    process = dumping(tmp_path)
    assert "more than 5" in taken(process, HeapDump(DumpLimits(max_objects=5))).reason
    assert "more than 5" in taken(process, HeapGrowth(DumpLimits(max_objects=5))).reason
    without = FakeProcess(inside="pprof")
    assert taken(without, HeapDump(DEFAULT_LIMITS)) == Unavailable("a heap dump needs the agent: it was not built here")
    assert read == []

    def no_go(*_, **__):
        raise ToolchainError("no Go toolchain")

    monkeypatch.setattr(heap_dump, "holders_in", no_go)
    assert taken(process, HeapDump(DEFAULT_LIMITS)) == Unavailable("no Go toolchain")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", [HeapDump, HeapGrowth])
def test_a_service_that_dies_of_it_is_a_reason(read, tmp_path, kind):
    """In the words of its end."""
    process = dumping(tmp_path)
    window = process.open_window(instruments=[instrument := kind(DEFAULT_LIMITS)])
    window.close()

    def dies(path, seconds):
        process.end(signal=9)
        raise ObserveError("the agent of the service is gone")

    process._agent.dump_heap = dies
    window.measurement = SimpleNamespace(service=SimpleNamespace(process=SimpleNamespace(built=BUILT)))
    found = instrument.close(window).retention
    assert found.reason.startswith("the process was killed by SIGKILL")
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_ends_is_not_dumped():
    """Nobody can ask it."""
    assert "a program that ends by itself" in HeapDump(DEFAULT_LIMITS).ended(None).retention.reason
