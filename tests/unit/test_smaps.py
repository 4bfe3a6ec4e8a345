"""/proc/PID/smaps: real mappings summed by kind, the Go heap found with names and without."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from smaps_recordings import NAMES, load

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.smaps import Resident, parse_smaps, read_smaps

MIB = 2**20
EXE = "/srv/service"


def mapping(place: str, name: str = "", rss: int = 4, mode: str = "rw-p", **fields: int) -> str:
    """One mapping as smaps prints it, sizes in kB."""
    lines = [f"{place} {mode} 00000000 00:00 0 {name}".rstrip(), f"Rss: {rss:>17} kB"]
    return "\n".join([*lines, *(f"{field}: {size:>10} kB" for field, size in fields.items()), "VmFlags: rd wr", ""])


def totals_of(*mappings: str):
    return parse_smaps("".join(mappings), EXE, 1.0)


def rss_of_lines(text: str, pattern: str) -> int:
    """Rss of all mappings whose header line matches, read in another way than the parser's."""
    total, counted = 0, False
    for line in text.splitlines():
        if re.match("[0-9a-f]+-", line):
            counted = re.search(pattern, line) is not None
        elif line.startswith("Rss:") and counted:
            total += int(line.split()[1]) * 1024
    return total


@pytest.mark.parametrize("name", NAMES)
def test_kinds_sum_to_the_rss_of_all_mappings(name):
    """No mapping is lost and none counted twice."""
    recording = load(name)
    assert recording.totals.rss == rss_of_lines(recording.text, "") > 20 * MIB


def counted_heap(name: str) -> int:
    """What the arenas hold as the runtime counts it: spans in use, idle ones it keeps, stacks."""
    stats = load(name).stats
    return stats.heap_inuse + stats.heap_idle - stats.heap_released + stats.stack_inuse


@pytest.mark.parametrize("name", ["fixed-hints", "named", "race", "random-base"])
def test_the_go_heap_is_found(name):
    """Resident in the arenas is what the runtime counts there, less a little that was never touched."""
    assert 0 <= counted_heap(name) - load(name).totals.go_heap.rss < MIB


def test_huge_pages_of_the_go_heap_are_found():
    """Huge pages keep more resident in the arenas than the runtime counts there, by no more than they hold."""
    heap = load("huge-pages").totals.go_heap
    assert 10 * MIB < heap.rss - counted_heap("huge-pages") <= heap.huge


def test_names_tell_the_heap_from_the_tables():
    """Where mappings have names, the Go heap and the runtime's tables are what is named so, to the byte."""
    recording = load("named")
    assert recording.totals.named
    assert recording.totals.go_heap.rss == rss_of_lines(recording.text, r"\[anon: Go: heap\]")
    assert recording.totals.go_runtime.rss == rss_of_lines(recording.text, r"\[anon: Go: (?!heap\])")


def test_arenas_of_glibc_are_not_the_go_heap():
    """Arenas of malloc have the size and alignment of Go's, and are told apart by where they lie."""
    recording = load("random-base")
    assert not recording.totals.named
    assert recording.totals.malloc.rss > rss_of_lines(recording.text, r"\[heap\]") > 5 * MIB


def test_shadow_memory_is_not_the_go_heap():
    """The race detector's shadow lies in the lower half, whole arenas of it, and counts as anonymous."""
    recording = load("race")
    assert recording.totals.go_heap.rss == rss_of_lines(recording.text, "^c0")
    assert recording.totals.anonymous.rss > rss_of_lines(recording.text, "^[23][0-9a-f]{11}-") > 10 * MIB


def test_the_binary_is_told_from_other_files():
    """Text, rodata, data and bss are the binary's; libraries and mapped files are not."""
    recording = load("random-base")
    from_file = rss_of_lines(recording.text, rf"{re.escape(recording.exe)}$")
    assert from_file < recording.totals.binary.rss < from_file + MIB / 4
    assert recording.totals.files.rss == rss_of_lines(recording.text, r"\.so|deleted")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("[heap]", "malloc"),
        ("[anon: glibc: malloc]", "malloc"),
        ("[anon:libc_malloc]", "malloc"),
        ("[stack]", "stacks"),
        ("[anon: Go: OS thread stack]", "stacks"),
        ("[anon: Go: heap]", "go_heap"),
        ("[anon: Go: heap reservation]", "go_heap"),
        ("[anon: Go: unused]", "go_heap"),
        ("[anon: Go: heap index]", "go_runtime"),
        ("[anon: Go: profiler hash buckets]", "go_runtime"),
        ("/dev/zero (deleted)", "shared_memory"),
        ("/memfd:cache (deleted)", "shared_memory"),
        ("[anon_shmem:cache]", "shared_memory"),
        ("[vdso]", "kernel"),
        ("[vvar_vclock]", "kernel"),
        (EXE, "binary"),
        ("/usr/lib/libc.so.6", "files"),
        ("/var/data with blanks (deleted)", "files"),
        ("", "anonymous"),
    ],
)
def test_kind_by_name(name, kind):
    """Each name of the kernel, of Go and of C libraries counts where its memory belongs."""
    totals = totals_of(mapping("7f0000001000-7f0000002000", name))
    assert getattr(totals, kind) == Resident(4096)
    assert totals.rss == 4096


def test_all_sizes_are_read():
    """Huge, lazily freed and swapped bytes are kept with the kind; kB are 1024 bytes."""
    totals = totals_of(mapping("7f0000001000-7f0000801000", rss=4096, AnonHugePages=2048, LazyFree=12, Swap=8))
    assert totals.anonymous == Resident(4 * MIB, 2 * MIB, 12 * 1024, 8 * 1024)
    assert totals.swap == 8 * 1024


def test_bss_follows_the_data():
    """Unnamed memory right behind the binary's data is its bss; behind a gap, or behind its text, it is not."""
    data = mapping("00600000-00601000", EXE)
    text = mapping("00500000-00501000", EXE, mode="r-xp")
    assert totals_of(data, mapping("00601000-00602000")).binary.rss == 8192
    assert totals_of(data, mapping("00602000-00603000")).anonymous.rss == 4096
    assert totals_of(text, mapping("00501000-00502000")).anonymous.rss == 4096


def test_arenas_on_arm64():
    """The heap of an arm64 program up to Go 1.25, with a stack at 48 bits, is at its own hint."""
    heap = mapping("4000000000-4000400000", rss=4096), mapping("4000400000-4004000000", rss=0, mode="---p")
    assert totals_of(*heap, mapping("ffffd0000000-ffffd0021000", "[stack]")).go_heap.rss == 4 * MIB


def test_an_arena_apart_from_its_neighbour():
    """Memory that lies right behind an arena and is none itself does not hide the arena."""
    heap = mapping("286128000000-28612c000000", rss=4096)
    totals = totals_of(heap, mapping("28612c000000-28612c021000"))
    assert (totals.go_heap.rss, totals.anonymous.rss) == (4 * MIB, 4096)


def test_without_a_go_heap_no_arena_is_said_to_be_malloc():
    """Where no arena of Go is found, one at the kernel's own choice may be it and stays anonymous."""
    assert totals_of(mapping("7f18b4000000-7f18b8000000")).anonymous.rss == 4096


def test_no_smaps():
    """Another text is refused with its beginning."""
    with pytest.raises(ObserveError, match=r"not a /proc/PID/smaps: '<html>'"):
        parse_smaps("<html>", EXE, 0.0)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
class TestLiveProcess:
    """The reading of processes that run."""

    def test_own_process(self):
        """A process's own mappings sum to the RSS that the kernel counts, and the interpreter is the binary."""
        totals = read_smaps(os.getpid())
        assert totals.rss == pytest.approx(psutil.Process().memory_info().rss, abs=4 * MIB)
        assert totals.binary.rss > 0
        assert totals.stacks.rss > 0

    def test_ended_process(self):
        """A process that has ended, reaped or not, has no mappings."""
        child = subprocess.Popen([sys.executable, "-c", ""])
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ObserveError, match="has ended"):
            read_smaps(child.pid)
        child.wait()
        with pytest.raises(ObserveError, match="has ended"):
            read_smaps(child.pid)

    def test_foreign_process(self, monkeypatch):
        """A refusal by the kernel is told as such."""
        monkeypatch.setattr(Path, "readlink", _refuse)
        with pytest.raises(ObserveError, match=r"process 1 \(/proc/1/smaps\) is not allowed"):
            read_smaps(1)


def _refuse(path: Path) -> Path:
    raise PermissionError(13, "Permission denied", str(path))


def test_other_systems(monkeypatch):
    """Where there is no /proc, the reason is the system."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ObserveError, match="only Linux"):
        read_smaps(os.getpid())
