"""The parts that the supervisor is made of: log, tables, messages, pipes, OOM counters."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path

import psutil
import pytest
from gomem_windows import cycle
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.observe import oom
from pytest_gomem.observe.records import GcCycle, Sample
from pytest_gomem.supervisor import spawn
from pytest_gomem.supervisor.child import LogEnds
from pytest_gomem.supervisor.process import PIPE_BYTES, READ_BYTES, DrainedPipe, Kept
from pytest_gomem.supervisor.protocol import Channel, ChildState, ExitRecord, ServingChannel
from pytest_gomem.supervisor.timeline import CycleTable, Timeline, cycles, samples


def system_oom_kills() -> int:
    lines = Path("/proc/vmstat").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


CHUNKS = st.lists(st.binary(max_size=30), max_size=40)


class TestLogEnds:
    @given(chunks=CHUNKS, limit=st.integers(1, 50), first=st.integers(0, 50), offset=st.integers(0, 1300))
    def test_are_the_first_and_the_last_of_what_was_written(self, chunks, limit, first, offset):
        """Whatever the pieces: addressed by their offset since the start, and what is missing between is counted."""
        log, written = LogEnds(limit, first), b"".join(chunks)
        for chunk in chunks:
            log.append(chunk)
        assert log.end == len(written)
        told, wanted = log.since(offset), written[offset:]
        if len(wanted) <= limit or len(written) - limit <= first:
            assert told == wanted
            return
        lost = len(wanted) - limit - len(written[offset:first])
        assert told == written[offset:first] + b"\n... %d bytes are left out here ...\n" % lost + wanted[-limit:]

    def test_small_pieces_do_not_pile_up(self):
        """A log of single bytes takes no more memory than one of large pieces."""
        log = LogEnds(1000)
        for _ in range(10_000):
            log.append(b"x")
        assert sys.getsizeof(log._kept) < 4000


class TestTables:
    @given(
        st.lists(
            st.builds(
                Sample,
                t=st.floats(0, 1e6),
                rss=st.integers(0, 2**45),
                hwm=st.none() | st.integers(0, 2**45),
                threads=st.integers(1, 10_000),
                fds=st.none() | st.integers(0, 10**6),
            ),
            max_size=20,
        ),
        st.floats(0, 1e6),
        st.floats(0, 1e6),
    )
    def test_samples_come_back(self, recorded, start, end):
        """Samples of an interval come back as they were, through JSON too, unknown values as None."""
        recorded.sort(key=lambda sample: sample.t)
        timeline = Timeline()
        for sample in recorded:
            timeline.append(sample)
        columns = json.loads(json.dumps(timeline.between(start, end)))
        assert samples(columns) == tuple(sample for sample in recorded if start <= sample.t <= end)

    def test_cycles_come_back(self):
        """Cycles come back as they were, each field of its own type."""
        table, recorded = CycleTable(), [cycle(number, forced=number == 3) for number in range(1, 6)]
        for one in recorded:
            table.append(one)
        back = cycles(json.loads(json.dumps(table.between(recorded[1].t, recorded[3].t))))
        assert back == tuple(recorded[1:4])
        for field in fields(GcCycle):
            assert type(getattr(back[0], field.name)) is type(getattr(recorded[1], field.name)), field.name

    def test_old_cycles_go(self):
        """At the limit the older half goes: memory is bounded, and the newest are there."""
        table = CycleTable(limit=10)
        for number in range(1, 26):
            table.append(cycle(number))
        numbers = [one.number for one in cycles(table.between(0.0, 1e9))]
        assert numbers == list(range(numbers[0], 26))
        assert 5 <= len(numbers) < 10


class TestMessages:
    @pytest.fixture
    def ends(self):
        ours, theirs = socket.socketpair()
        channel = Channel(ours, 10.0)
        yield channel, ServingChannel(theirs), ours
        channel.close()
        theirs.close()

    def test_there_and_back(self, ends):
        """Messages arrive whole in both directions, in order, in as many pieces as it takes."""
        client, server, _ = ends
        client.send({"do": "a", "name": "ümläut\udcff\n"})
        client.send({"do": "b"})
        assert server.receive() == [{"do": "a", "name": "ümläut\udcff\n"}, {"do": "b"}]
        assert server.receive() == []
        large = {"log": "x" * 3_000_000}
        server.post(large)
        found = []
        while not found:
            server.flush()
            found = client.receive()
        assert found == [large]
        assert not server.is_sending

    @given(torn=st.integers(1, 30))
    def test_a_torn_message_is_dropped_alone(self, torn):
        """A message that was cut off anywhere, because its sender was interrupted, spoils none after it."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            server = ServingChannel(theirs)
            ours.sendall(b'\n{"serial":1,"do":"state","id":{"a":[1]}}\n'[:torn])
            Channel(ours, 10.0).send({"serial": 2})
            assert [message for message in server.receive() if message.get("serial") != 1] == [{"serial": 2}]

    def test_serving_never_waits(self, ends):
        """What the other end does not take is kept, and sent as room comes."""
        _, server, _ = ends
        server.post({"log": "x" * 3_000_000})
        server.flush()
        assert server.is_sending

    def test_the_other_end_gone(self, ends):
        """The end of the connection is an error on both sides."""
        client, server, ours = ends
        ours.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionResetError):
            server.receive()
        server.sock.close()
        with pytest.raises(ConnectionResetError):
            client.receive()

    @pytest.mark.parametrize("ended", [None, ExitRecord(1.5, None, 9, 1 << 20, 0.25, "", killed=True)])
    def test_states_survive_json(self, ended):
        """A child's state arrives as it was sent."""
        state = ChildState(7, 1.25, ended, 100, 2, 0.5)
        assert ChildState.from_message(json.loads(json.dumps(asdict(state)))) == state


class TestPipe:
    @pytest.fixture
    def pipe(self):
        pipe = DrainedPipe()
        yield pipe
        pipe.close()

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux has pipes of other sizes")
    def test_is_large(self, pipe):
        """The pipe holds 1 MiB, where the user's limit of pipe memory allows it."""
        if pipe.capacity != PIPE_BYTES:
            pytest.skip("fs.pipe-user-pages-soft is reached")
        assert os.write(pipe.write_fd, bytes(PIPE_BYTES)) == PIPE_BYTES

    def test_a_full_pipe_is_a_stall(self, pipe):
        """Only a pipe without any room counts, once a look, with the time since the look before."""
        assert pipe.read(0.0) == b""
        os.write(pipe.write_fd, b"some")
        assert pipe.read(0.0) == b"some"
        assert (pipe.stalls, pipe.stalled) == (0, 0.0)
        os.write(pipe.write_fd, bytes(pipe.capacity))
        looked = time.monotonic()  # somebody else's look, that found it with room
        taken = len(pipe.read(looked))
        assert taken <= READ_BYTES
        assert pipe.stalls == 1
        assert 0 < pipe.stalled <= time.monotonic() - looked
        while chunk := pipe.read(0.0):
            taken += len(chunk)
        assert (taken, pipe.stalls) == (pipe.capacity, 1)


def test_who_cannot_be_killed_is_looked_for_ever_more_rarely(monkeypatch):
    """A look reads all processes of the machine, and would disturb what is measured meanwhile."""
    kept = Kept(os.getpid(), "1-1", time.monotonic())
    monkeypatch.setattr(kept.family, "kill", lambda *, reaped: False)
    waits = []
    for _ in range(15):
        before = time.monotonic()
        kept.kill()
        waits.append(kept.kill_at - before)
    assert waits[0] < 1.0 <= waits[-1]
    monkeypatch.setattr(kept.family, "kill", lambda *, reaped: True)
    kept.kill()
    assert kept.kill_at is None


class TestOomCounters:
    @pytest.fixture
    def files(self, tmp_path, monkeypatch):
        """Counters in files; set them by files(system=1, own=2), None removes one."""
        system, own = tmp_path / "vmstat", tmp_path / "group/memory.events"
        own.parent.mkdir()
        monkeypatch.setattr(oom, "_ROOT", tmp_path)
        monkeypatch.setattr(oom, "_SYSTEM", system)
        monkeypatch.setattr(oom, "_cgroup_files", lambda pid: [own])

        def files(**counts):
            for name, path in (("system", system), ("own", own)):
                if counts.get(name) is None:
                    path.unlink(missing_ok=True)
                else:
                    path.write_text(f"low 0\nmax 17\noom 9\noom_kill {counts[name]}\noom_group_kill 0\n")

        return files

    def test_a_counter_that_rose(self, files):
        """The process's own cgroup is named as the proof."""
        files(system=5, own=0)
        before = oom.counters(1)
        assert oom.rose(before) is None
        files(system=6, own=1)
        assert oom.rose(before).endswith("group/memory.events rose by 1")

    def test_a_kill_elsewhere(self, files):
        """Where the process's own cgroup counts, a rise of the system's counter was another process's end."""
        files(system=5, own=0)
        before = oom.counters(1)
        files(system=6, own=0)
        assert oom.rose(before) is None

    @pytest.mark.parametrize("own", [{}, {"own": 0}], ids=["no cgroup", "cgroup is gone"])
    def test_the_system_s_counter(self, files, own):
        """Where no cgroup can be asked, the system's counter decides."""
        files(system=5, **own)
        before = oom.counters(1)
        files(system=6)
        assert oom.rose(before).endswith("vmstat rose by 1")

    def test_nothing_known(self, files):
        """Without counters there is no proof and no error."""
        files()
        assert oom.counters(1) == {}
        assert oom.rose({}) is None
        assert oom.RecentCounters(1).evidence() == ""

    def test_an_old_rise_is_none(self, files):
        """A kill of minutes ago says nothing of a process that was killed now; one of seconds ago does."""
        files(system=5, own=0)
        recent = oom.RecentCounters(1)
        recent.look(0.0)
        files(system=6, own=1)
        for second in range(1, 10):
            recent.look(float(second))
        assert recent.evidence().endswith("rose by 1")
        for second in range(10, 100):
            recent.look(float(second))
        assert recent.evidence() == ""

    @pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
    def test_of_this_machine(self):
        """The counters of a real process can be read, and a process that is gone has only the system's."""
        before, found, after = system_oom_kills(), oom.counters(os.getpid()), system_oom_kills()
        assert before <= found["/proc/vmstat"] <= after
        assert set(oom.counters(2**22 + 1)) == {"/proc/vmstat"}


@pytest.mark.skipif(sys.platform != "linux", reason="setsid(1) is used on Linux")
class TestSetsidThatHangs:
    @pytest.fixture
    def hanging(self, tmp_path, monkeypatch):
        path = tmp_path / "setsid"
        path.write_text("#!/bin/sh\necho --fork\nexec sleep 30\n")
        path.chmod(0o755)
        monkeypatch.setattr(spawn, "_SPAWN_TIMEOUT", 0.2)
        return path

    def test_is_none(self, hanging, monkeypatch):
        """Services are started without it, as where there is none."""
        monkeypatch.setenv("PATH", f"{hanging.parent}:{os.environ['PATH']}")
        assert spawn.small_forker.__wrapped__() is None

    def test_is_ended(self, hanging, monkeypatch, tmp_path):
        """It may answer --help and hang nevertheless: the start is given up, and it is not left behind."""
        monkeypatch.setattr(spawn, "small_forker", lambda: str(hanging))
        monkeypatch.setattr(spawn, "become_subreaper", lambda: True)
        with Path(os.devnull).open("w") as null, pytest.raises(OSError, match="setsid did not fork within 0 s"):
            spawn.spawn([sys.executable], {spawn.LAUNCH_MARK: "x"}, str(tmp_path), null.fileno(), null.fileno())
        assert not [child for child in psutil.Process().children() if "sleep" in child.name()]
