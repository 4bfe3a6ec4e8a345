"""The bill of real processes, each holding one kind of memory: its row grows by that much, and no other does."""

from __future__ import annotations

import platform
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest
from agent_programs import running

from pytest_gomem.measure.bill import Bill, bill, sentence
from pytest_gomem.observe.smaps import read_smaps

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the mappings of a process")
MIB = 2**20
# What a row without names of mappings may lose to the runtime's tables, and what a small program scatters.
SLACK = 3 * MIB


@pytest.fixture
def billed(binaries):
    """The bill of the program `billed` with those options."""

    def run(*options: str) -> Bill:
        with (
            tempfile.TemporaryDirectory(prefix="gomem-") as folder,
            running(binaries("billed", agent=True), Path(folder), *options) as program,
        ):
            assert program.process.stdout.readline() == "ready\n"
            return bill_of(program)

    return run


def bill_of(program) -> Bill:
    """The bill as a window takes it: MemStats, the mappings, then MemStats after two forced collections."""
    stats = program.agent.memstats().common
    smaps = read_smaps(program.process.pid)
    program.agent.gc()
    made = bill(smaps, stats, program.agent.memstats().common)
    assert made.rss == smaps.rss
    assert made.explained >= 0.95 * made.rss
    return made


def collapses() -> bool:
    """Whether MADV_COLLAPSE is there."""
    release = tuple(map(int, re.findall("[0-9]+", platform.release())[:2]))
    return release >= (6, 1) and Path("/sys/kernel/mm/transparent_hugepage").exists()


def sizes(made: Bill) -> dict[str, int]:
    return {row.name: row.bytes for row in made.rows}


needs_c = pytest.mark.skipif(shutil.which("gcc") is None, reason="cgo needs a C compiler")


@pytest.mark.parametrize(
    ("option", "row", "place"),
    [
        ("live", "live_heap", "look in the code"),
        ("garbage", "garbage", "look at GOGC"),
        ("free", "free", "look at the memory limit"),
        ("mmap", "cgo", "look at cgo"),
        pytest.param("malloc", "cgo", "look at cgo", marks=needs_c),
        ("file", "files", "look in the code"),
    ],
)
def test_the_guilty_row_is_the_largest_change(billed, option, row, place):
    """40 MiB of one kind are 40 MiB more in its row, little more in any other, and the sentence sends there."""
    before, after = billed(), billed(f"--{option}=40")
    changes = {name: size - sizes(before)[name] for name, size in sizes(after).items()}
    assert changes.pop(row) == pytest.approx(40 * MIB, abs=SLACK)
    assert all(abs(change) <= SLACK for change in changes.values()), changes
    assert place in sentence(after, before)


def test_live_heap_of_100_mib(binaries):
    """A program that holds 100 MiB has a row of the live heap within 3% of that."""
    with (
        tempfile.TemporaryDirectory(prefix="gomem-") as folder,
        running(binaries("hold", agent=True), Path(folder), "-mb=100") as program,
    ):
        assert program.process.stdout.readline() == "holding 100 MiB\n"
        assert sizes(bill_of(program))["live_heap"] == pytest.approx(100 * MIB, rel=0.03)


def test_stacks(billed):
    """Goroutines that used half a MiB of stack each are in the row of stacks, at least with that much."""
    assert sizes(billed("--stacks=20"))["stacks"] >= 10 * MIB


def test_pages_given_back_are_no_row(binaries):
    """What the runtime has returned to the system is not resident, and so in no row."""
    with (
        tempfile.TemporaryDirectory(prefix="gomem-") as folder,
        running(binaries("billed", agent=True), Path(folder), "--free=40") as program,
    ):
        assert program.process.stdout.readline() == "ready\n"
        assert sizes(bill_of(program))["free"] > 30 * MIB
        program.agent.free()
        made = bill_of(program)
        assert sizes(made)["free"] < SLACK
        assert made.rss < 20 * MIB


@pytest.mark.skipif(not collapses(), reason="this kernel does not collapse pages on demand (MADV_COLLAPSE, Linux 6.1)")
def test_huge_pages(billed):
    """Heap that was given back, and that huge pages keep resident, is in their row and in no other."""
    made = billed("--huge=40")
    assert sizes(made)["huge_pages"] == pytest.approx(40 * MIB, abs=SLACK)
    assert sizes(made)["free"] < SLACK
