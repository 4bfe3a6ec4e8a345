"""Facts about reading gctrace, over recordings of every release from Go 1.19 on and over streams made by hand."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.observe.gctrace import GctraceReader
from pytest_gomem.observe.records import GcCycle

RECORDED = Path(__file__).parent.parent / "recorded"
RELEASES = sorted(path.name for path in RECORDED.glob("go1.*"))
MODES = ("plain", "logging", "child")
FORGED_BY_LOGGING = 25  # look-alikes that the recorded program wrote among its log lines


class Recording(NamedTuple):
    stream: bytes
    truth: dict[str, Any]


def recording(release: str, mode: str) -> Recording:
    truth = json.loads((RECORDED / release / "truth.json").read_text())[mode]
    return Recording((RECORDED / release / f"{mode}.stderr").read_bytes(), truth)


@pytest.fixture(params=[(release, mode) for release in RELEASES for mode in MODES], ids="-".join)
def recorded(request: pytest.FixtureRequest) -> Recording:
    return recording(*request.param)


class Reading(NamedTuple):
    cycles: list[GcCycle]
    log: bytes
    rejected: int

    @property
    def numbers(self) -> list[int]:
        return [cycle.number for cycle in self.cycles]


def read(*chunks: bytes) -> Reading:
    """What an untimed reader makes of these chunks."""
    return read_at(None, *((chunk, None) for chunk in chunks))


def read_at(started: float | None, *looks: tuple[bytes, float | None]) -> Reading:
    reader = GctraceReader(started)
    cycles, log = [], []
    for chunk, t in looks:
        found, rest = reader.feed(chunk, t)
        cycles += found
        log.append(rest)
    log.append(reader.close())
    return Reading(cycles, b"".join(log), reader.rejected)


def replay(recorded: Recording) -> Reading:
    """Feed a recording as it arrived, in the same pieces at the same times."""
    looks, at = [], 0
    for microseconds, size in recorded.truth["looks"]:
        looks.append((recorded.stream[at : at + size], microseconds / 1e6))
        at += size
    return read_at(0.0, *looks)


def gc_line(number: int, since_start: float = 0.0, tail: str = "2 P\n", clock: str = "0.10+0.20+0.010") -> bytes:
    cpu = "0.20+0.010/0.30/0+0.020 ms cpu, 4->5->2 MB, 6 MB goal, 1 MB stacks, 3 MB globals, "
    return f"gc {number} @{since_start:.3f}s 1%: {clock} ms clock, {cpu}{tail}".encode()


def test_every_release_is_recorded() -> None:
    """The recordings cover Go 1.19 to 1.27."""
    assert [f"go1.{minor}" for minor in range(19, 28)] == RELEASES


def test_a_line_becomes_base_units() -> None:
    """Milliseconds become seconds, the runtime's MB, which are MiB, become bytes."""
    line = (
        b"gc 1 @0.005s 2%: 0.10+12+0.007 ms clock, 0.21+0.10/1.5/0+0.015 ms cpu, "
        b"3->4->2 MB, 4 MB goal, 1 MB stacks, 5 MB globals, 8 P (forced)\n"
    )
    [cycle] = read_at(None, (line, 7.5)).cycles
    assert cycle == GcCycle(
        number=1,
        t=7.5,
        since_start=0.005,
        util=2,
        stw_sweep_term=pytest.approx(0.1e-3),
        concurrent_mark=pytest.approx(12e-3),
        stw_mark_term=pytest.approx(7e-6),
        cpu_sweep_term=pytest.approx(0.21e-3),
        cpu_assist=pytest.approx(0.1e-3),
        cpu_background=pytest.approx(1.5e-3),
        cpu_idle=0.0,
        cpu_mark_term=pytest.approx(15e-6),
        heap_start=3 << 20,
        heap_mark_end=4 << 20,
        heap_live=2 << 20,
        heap_goal=4 << 20,
        stacks=1 << 20,
        globals=5 << 20,
        procs=8,
        forced=True,
    )


def test_a_search_for_leaked_goroutines_is_a_cycle_like_others() -> None:
    """Go 1.26 says between `%` and `:` that a cycle looked for leaked goroutines."""
    assert read(gc_line(1).replace(b"%:", b"% (checking for goroutine leaks):")).numbers == [1]
    assert b"(checking for goroutine leaks)" in recording("go1.27", "plain").stream


def test_recorded_numbers_rise_within_what_the_runtime_counted(recorded: Recording) -> None:
    """No cycle is accepted twice, none that the runtime did not count."""
    for reading in (read(recorded.stream), replay(recorded)):
        assert all(a < b for a, b in pairwise(reading.numbers))
        assert reading.numbers[-1] <= recorded.truth["num_gc"]
        assert len(reading.cycles) > 0.7 * recorded.truth["num_gc"]


def test_every_recorded_line_is_accepted_or_rejected(recorded: Recording) -> None:
    """Accepted and rejected lines together are those that the program, its child and its log printed."""
    forged = FORGED_BY_LOGGING if b"writer" in recorded.stream else 0
    for reading in (read(recorded.stream), replay(recorded)):
        printed = recorded.truth["num_gc"] + recorded.truth["child_num_gc"] + forged
        assert len(reading.cycles) + reading.rejected == printed


@pytest.mark.parametrize("release", RELEASES)
def test_nothing_is_lost_when_nobody_else_writes(release: str) -> None:
    """A stream of gctrace alone is accepted whole, and its log is empty."""
    plain = recording(release, "plain")
    for reading in (read(plain.stream), replay(plain)):
        assert reading.numbers == list(range(1, plain.truth["num_gc"] + 1))
        assert (reading.log, reading.rejected) == (b"", 0)


def test_recorded_pauses_are_those_of_memstats(recorded: Recording) -> None:
    """Accepted pauses agree with PauseNs, which those of another program would not.

    To the printed digit; but from Go 1.22 on PauseNs begins a little later than the clock, and counts also the stops
    after which marking had to go on. So a tenth of the cycles may differ.
    """
    pauses = recorded.truth["pause_ns"]
    first = recorded.truth["num_gc"] - len(pauses) + 1
    cycles = [cycle for cycle in replay(recorded).cycles if cycle.number >= first]
    agree = [agrees(cycle, pauses[cycle.number - first] / 1e9) for cycle in cycles]
    assert agree.count(True) >= 0.9 * len(agree)


def agrees(cycle: GcCycle, pause: float) -> bool:
    boundary = 5e-6
    cut_off = print_step(cycle.stw_sweep_term) + print_step(cycle.stw_mark_term)
    return cycle.pause - boundary <= pause <= cycle.pause + cut_off + boundary


def print_step(seconds: float) -> float:
    """What the runtime may have cut off: it prints two digits, and no less than a microsecond."""
    return next((step for limit, step in ((1e-4, 1e-6), (1e-3, 1e-5), (1e-2, 1e-4)) if seconds < limit), 1e-3)


def test_the_recorded_log_is_the_rest_of_the_stream(recorded: Recording) -> None:
    """The log is the stream without the accepted lines, byte for byte and in order."""
    reading = replay(recorded)
    assert reading.log == without(recorded.stream, reading.cycles)


def without(stream: bytes, cycles: list[GcCycle]) -> bytes:
    rest = b"\n" + stream
    for cycle in cycles:
        at = rest.index(f"\ngc {cycle.number} @{cycle.since_start:.3f}s {cycle.util}%".encode())
        rest = rest[:at] + rest[rest.index(b"\n", at + 1) :]
    return rest[1:]


SAMPLE = b"".join(
    [
        b"starting\n\n", gc_line(1, 0.001), b"progress...", gc_line(2, 0.002), gc_line(3, 0.003).replace(b" ms", b"\n"),
        gc_line(4, 0.004), gc_line(3, 0.003), gc_line(5, 0.005, "2 P (forced)\n"), gc_line(5, 0.006),
        b"of 3 MB globals, 2\r\n", gc_line(7, 0.1, "2 P\r\n"), b"gc \ngc\ng\n\n", gc_line(8, 0.2), gc_line(9, 0.3)[:-1],
    ]
)  # fmt: skip


def test_the_sample_is_read_as_meant() -> None:
    """A cycle is accepted if its line is whole and its number follows, counting each line that is torn."""
    reading = read(SAMPLE)
    assert reading.numbers == [1, 4, 5, 8]
    assert [cycle.forced for cycle in reading.cycles] == [False, False, True, False]
    assert reading.log == without(SAMPLE, reading.cycles)
    assert reading.rejected == SAMPLE.count(b" MB globals, ") - 4


def chunked(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


@given(st.lists(st.integers(0, len(SAMPLE))))
def test_chunks_do_not_matter(cuts: list[int]) -> None:
    """However a stream is cut, its cycles, its log and the count of rejected lines are the same."""
    assert read(*chunked(SAMPLE, cuts)) == read(SAMPLE)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [1, 7, 64])
def test_small_chunks_of_a_recording_do_not_matter(mode: str, size: int) -> None:
    """A recording read in pieces of a few bytes gives the same as the whole of it."""
    stream = recording("go1.27", mode).stream[:20_000]
    assert read(*(stream[i : i + size] for i in range(0, len(stream), size))) == read(stream)


TRIO = [gc_line(1, 0.001), gc_line(2, 0.002, "16 P (forced)\n"), gc_line(3, 0.003)]


def figures(cycles: list[GcCycle]) -> dict[int, GcCycle]:
    """The cycles by number; `(forced)` is printed after the line could have ended, and may get lost."""
    return {cycle.number: replace(cycle, forced=False) for cycle in cycles}


@given(st.integers(0, len(TRIO[1])), st.binary(max_size=20), st.binary(max_size=20))
def test_a_torn_line_gives_no_wrong_figures(at: int, before: bytes, after: bytes) -> None:
    """Text with a newline in the middle of a line takes its cycle away, or leaves it as it is."""
    first, torn, last = TRIO
    reading = read(first, torn[:at], before, b"\n", after, torn[at:], last)
    true = figures(read(*TRIO).cycles)
    assert all(true[number] == cycle for number, cycle in figures(reading.cycles).items())


WRITES = [piece.start() for piece in re.finditer(rb"[0-9.]+|[^0-9.]+", TRIO[1])]


@given(st.sampled_from(WRITES), st.text(st.characters(codec="utf-8", exclude_characters="g"), max_size=20))
def test_a_torn_line_costs_one_cycle(at: int, text: str) -> None:
    """A log line between two writes of the runtime hides one cycle at most: the next number is still expected."""
    first, torn, last = TRIO
    assert {1, 3} <= set(read(first, torn[:at], text.encode(), b"\n", torn[at:], last).numbers)


LOOK_ALIKES = {
    "repeated": gc_line(3, 0.5),
    "older": gc_line(2, 0.5),
    "zero": gc_line(0, 0.5),
    "from nowhere": gc_line(5, 0.5),
    "huge": gc_line(999_999, 0.5),
    "begins before the last one ended": gc_line(4, 0.001),
    "leading zero": gc_line(4, 0.5).replace(b"gc 4", b"gc 04"),
    "indented": b" " + gc_line(4, 0.5),
    "after text": b"progress..." + gc_line(4, 0.5),
    "carriage return": gc_line(4, 0.5, "2 P\r\n"),
    "text behind": gc_line(4, 0.5, "2 P (forced), sorry\n"),
    "other decimals": gc_line(4, 0.5).replace(b"@0.500s", b"@0.5s"),
    "three digits of ms": gc_line(4, 0.5, clock="0.100+0.20+0.010"),
    "one digit of ms": gc_line(4, 0.5, clock="0.10+0.2+0.010"),
    "no stacks": gc_line(4, 0.5).replace(b" 1 MB stacks,", b""),
    "a number too long to be one": gc_line(4, 0.5).replace(b"gc 4", b"gc " + b"4" * 5000),
    "pacer": b"pacer: assist ratio=+0.000000e+000 (scan 0 MB in 3->4 MB) workers=1++0.000000e+000\n",
    "scavenger": b"scav 8 KiB work (bg), 0 KiB work (eager), 3 KiB now, 91% util\n",
}


@pytest.mark.parametrize("forged", LOOK_ALIKES.values(), ids=LOOK_ALIKES)
def test_look_alikes_stay_in_the_log(forged: bytes) -> None:
    """What is almost a gctrace line goes to the log unchanged, again and again, and never stops the true ones."""
    stream = b"".join(gc_line(n, n / 1e3) for n in (1, 2, 3)) + forged * 3 + gc_line(4, 0.6)
    reading = read(stream)
    assert reading.numbers == [1, 2, 3, 4]
    assert reading.log == forged * 3
    assert reading.rejected == 3 * forged.count(b" MB globals, ")


@pytest.mark.parametrize("torn", [1, 2, 5])
def test_each_torn_line_leaves_room_for_one_number(torn: int) -> None:
    """The number may skip as many cycles as there are torn lines since the last accepted one, and not one more."""
    noise = b"a line torn before 3 MB globals, by this\n" * torn
    assert read(gc_line(1), noise, gc_line(2 + torn, 0.1)).numbers == [1, 2 + torn]
    assert read(gc_line(1), noise, gc_line(3 + torn, 0.1)).numbers == [1]


def test_a_childs_lines_are_told_by_their_clock() -> None:
    """A child that started later repeats, then continues the numbers; its `@` is behind the time of arrival."""
    looks = [(gc_line(1, 0.1), 0.102), (gc_line(2, 1.0), 1.003)]
    looks += [(gc_line(n, n / 100), 2.01 + n / 100) for n in range(1, 200)]
    looks += [(gc_line(3, 4.1), 4.102)]
    reading = read_at(0.0, *looks)
    assert [(cycle.number, cycle.since_start) for cycle in reading.cycles] == [(1, 0.1), (2, 1.0), (3, 4.1)]
    assert reading.rejected == 199


@pytest.mark.parametrize("release", RELEASES)
def test_a_recorded_childs_lines_are_all_rejected(release: str) -> None:
    """By time of arrival each accepted cycle is the parent's: the child's began on another clock."""
    recorded = recording(release, "child")
    reading = replay(recorded)
    assert recorded.truth["child_num_gc"] > recorded.truth["num_gc"]
    assert reading.rejected >= recorded.truth["child_num_gc"]
    arrivals = [cycle.t - cycle.since_start for cycle in reading.cycles if cycle.t is not None]
    assert max(arrivals) < 0.4  # the child was started 0.4 s after the parent's first cycles


def test_a_line_from_the_future_is_rejected() -> None:
    """A cycle cannot end after its line was read; the true line of that number still counts."""
    reading = read_at(10.0, (gc_line(1, 0.1), 10.11), (gc_line(2, 50.0), 10.2), (gc_line(2, 0.3), 10.31))
    assert [(cycle.number, cycle.since_start) for cycle in reading.cycles] == [(1, 0.1), (2, 0.3)]


def test_a_line_may_wait_as_long_as_the_reader_did() -> None:
    """After a pause of the reader old lines are accepted, also when they come in several pieces."""
    late = [gc_line(n, 0.2 * n) for n in range(2, 6)]
    first = (gc_line(1, 0.01), 0.011)
    reading = read_at(0.0, first, (late[0] + late[1], 3.0), (late[2], 3.01), (late[3], 3.02))
    assert reading.numbers == [1, 2, 3, 4, 5]


def test_an_old_line_is_rejected_by_a_punctual_reader() -> None:
    """The same lines, read while the reader looked every 10 ms, are stale: something repeats them."""
    looks: list[tuple[bytes, float]] = [(b"", n / 100) for n in range(1, 300)]
    assert read_at(0.0, *looks, (gc_line(1, 0.2), 3.0)).numbers == []


def test_a_true_line_taken_for_stale_does_not_stop_the_next() -> None:
    """A program that was stopped before it printed loses that cycle only."""
    looks = [(gc_line(1, 0.1), 0.101), *((b"", n / 100) for n in range(11, 200)), (gc_line(2, 0.2), 2.0)]
    reading = read_at(0.0, *looks, (gc_line(3, 2.05), 2.06))
    assert reading.numbers == [1, 3]


def test_a_slow_start_is_learned() -> None:
    """`@` may begin up to a second after exec; a line that arrives that late on a running program is stale."""
    slow = [(b"", n / 100) for n in range(1, 80)]
    assert read_at(0.0, *slow, (gc_line(1, 0.0), 0.8)).numbers == [1]
    assert read_at(0.0, (gc_line(1, 0.0), 0.01), *slow[1:], (gc_line(2, 0.1), 0.9)).numbers == [1]


def test_a_reader_that_joins_takes_the_first_line_of_its_own_clock() -> None:
    """Of the process that serves below a wrapper the first number may be any; the wrapper's clock began earlier."""
    reader = GctraceReader(10.0, joins=True)
    looks = [(3, 12.5, 12.51), (7, 2.6, 12.61), (4, 12.7, 12.71), (8, 12.79, 12.8), (8, 2.8, 12.81)]
    read = [cycle for number, since, t in looks for cycle in reader.feed(gc_line(number, since), t, t - 0.01)[0]]
    assert [(cycle.number, cycle.since_start) for cycle in read] == [(7, 2.6), (8, 2.8)]
    assert reader.rejected == 3


def test_log_text_without_newline_is_not_kept_back() -> None:
    """Only what may become a gctrace line waits for its end; a prompt goes to the log at once."""
    reader = GctraceReader()
    assert reader.feed(b"ready> ") == ([], b"ready> ")
    assert reader.feed(b"gc 1 @0.1") == ([], b"gc 1 @0.1")
    assert reader.feed(b"\ngc 1 @0.1") == ([], b"\n")
    assert reader.close() == b"gc 1 @0.1"


def test_a_line_without_end_is_not_gathered() -> None:
    """A line longer than any of gctrace goes to the log as it comes, and nothing of it is accepted."""
    reader = GctraceReader()
    endless = b"gc " + b"1" * 100_000
    released = b"".join(reader.feed(endless[i : i + 100])[1] for i in range(0, len(endless), 100))
    assert released == endless
    assert reader.feed(b"\n" + gc_line(1))[0][0].number == 1
