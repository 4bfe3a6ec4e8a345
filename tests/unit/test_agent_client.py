"""The agent's client: what it makes of an agent that misbehaves, and of its answers."""

from __future__ import annotations

import contextlib
import json
import socket
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_gomem.base.errors import ObserveError, ObserveTimeout
from pytest_gomem.observe.agent.answers import memstats_of
from pytest_gomem.observe.agent.client import AgentClient, read_peak
from pytest_gomem.observe.agent.records import GcRecord, Histogram, Peak

INFO = {"protocol": 1, "pid": 7, "go_version": "go1.26.8", "agent_goroutines": 3, "stderr_split": False}


def ok(body):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"ok %012d\n" % len(data) + data


@contextlib.contextmanager
def agent(*replies, timeout=5.0):
    """A client, and the requests of an agent that answers each by the next reply (None: never) and then hangs up."""
    with tempfile.TemporaryDirectory(prefix="gomem-") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder) / "agent"
        listener.bind(str(path))
        listener.listen()
        requests = []

        def serve():
            with listener.accept()[0] as connection:
                for reply in replies:
                    requests.append(connection.recv(10_000))
                    if reply is None:
                        connection.recv(1)
                        return
                    connection.sendall(reply)
                # A client that gives up leaves what it has not read.
                with contextlib.suppress(ConnectionError):
                    connection.shutdown(socket.SHUT_WR)
                    connection.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        client = AgentClient(path, timeout)
        try:
            yield client, requests
        finally:
            client.close()
            thread.join()


def test_requests_are_tab_separated_lines():
    """The words of a command, a path with blanks among them, go as one line."""
    with agent(ok(b""), ok({"gogc": 100})) as (client, requests):
        client.start_cpu_profile(Path("/tmp/a b/cpu"))
        assert client.set_gc_percent(None) == 100
    assert requests == [b"cpu\tstart\t/tmp/a b/cpu\n", b"setgcpercent\t-1\n"]


def test_a_path_that_no_line_can_hold_is_refused():
    """A tab or a new line in a path would be taken for another request."""
    client = AgentClient(Path("/nowhere"))
    for path in ("a\tb", "a\nb"):
        with pytest.raises(ObserveError, match="cannot hold a tab"):
            client.start_cpu_profile(Path(path))


def test_a_refusal_is_the_agents_own_words():
    """An error answer is raised, and the connection goes on."""
    with agent(b"no 000000000011\nnot started", ok(INFO)) as (client, _):
        with pytest.raises(ObserveError, match="the agent of the service: not started"):
            client.stop_cpu_profile()
        assert client.ping().pid == 7


@pytest.mark.parametrize(
    "reply", [b"ok 000000000100\n{", b"ok 0000", b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"ok -00000000001\n"]
)
def test_answers_cut_off_or_foreign_are_told(reply):
    """Half an answer, none, or that of something else: an error that names the agent, not a hang."""
    with agent(reply) as (client, _), pytest.raises(ObserveError, match="agent"):
        client.ping()


@pytest.mark.parametrize("body", [b"not json", [1], {"pid": 7}, {**INFO, "more": 1}])
def test_answers_of_an_unknown_shape_are_told(body):
    """The command stands in the message."""
    with agent(ok(body)) as (client, _), pytest.raises(ObserveError, match="answer to 'ping' has unknown fields"):
        client.ping()


def test_silence_ends_in_time():
    """An agent that says nothing costs the timeout, once: it is not asked again before its silence is forgotten."""
    with agent(None, timeout=0.05) as (client, requests):
        for ask in (client.ping, client.memstats):
            with pytest.raises(ObserveTimeout, match=r"did not answer 'ping' within 0\.05 s"):
                ask()
        client.silence.forget()
        with pytest.raises(ObserveTimeout, match="did not answer 'memstats'"):
            client.memstats()
    assert requests[0] == b"ping\n"


def test_an_answer_beyond_all_bounds_is_refused():
    """Before any of it is read."""
    with (
        agent(b"ok 000134217729\n") as (client, _),
        pytest.raises(ObserveError, match="134217729 bytes, more than"),
    ):
        client.ping()


def test_waiting_for_nobody_ends_in_time(tmp_path):
    """No socket, or what the agent left in place of one."""
    client = AgentClient(tmp_path / "agent")
    with pytest.raises(ObserveError, match="no agent answers on"):
        client.wait(0.02)
    (tmp_path / "agent.error").write_text("permission denied")
    with pytest.raises(ObserveError, match=r"could not make its socket .*: permission denied"):
        client.wait(5)


def test_an_agent_of_another_protocol_is_refused():
    """A binary built by another release of the plugin must be built anew."""
    with agent(ok({**INFO, "protocol": 2})) as (client, _), pytest.raises(ObserveError, match="build the service anew"):
        client.wait(5)


def test_histograms_and_their_infinite_ends():
    """Infinity comes as Python's json writes and reads it."""
    with agent(ok({"/x:seconds": {"counts": [1, 2], "buckets": [-float("inf"), 0.5, float("inf")]}})) as (client, _):
        assert client.metrics() == {"/x:seconds": Histogram((1, 2), (-float("inf"), 0.5, float("inf")))}


@given(st.integers(0, 600), st.integers(0, 300))
def test_records_and_lost_make_all_cycles(num_gc, kept):
    """len(cycles) + lost is what ended since, for every ring."""
    rows = [[number, 1000 * number, 10**18 + number, 0, 0] for number in range(max(1, num_gc - kept + 1), num_gc + 1)]
    with agent(ok({"num_gc": num_gc, "cycles": rows})) as (client, _):
        records = client.gc_records()
    assert len(records.cycles) + records.lost == num_gc
    assert all(isinstance(record, GcRecord) and record.pause == record.number / 1e6 for record in records.cycles)


FIELDS = """
Alloc TotalAlloc Sys Lookups Mallocs Frees HeapAlloc HeapSys HeapIdle HeapInuse HeapReleased HeapObjects StackInuse
StackSys MSpanInuse MSpanSys MCacheInuse MCacheSys BuckHashSys GCSys OtherSys NextGC LastGC PauseTotalNs NumForcedGC
"""


@given(st.integers(0, 1000))
def test_pauses_of_the_ring_have_their_cycle_numbers(num_gc):
    """The ring of 256 is unrolled, newest last, whatever its turn."""
    lengths, ends = [0] * 256, [0] * 256
    for cycle in range(1, num_gc + 1):
        lengths[(cycle + 255) % 256], ends[(cycle + 255) % 256] = 10**6 * cycle, 10**9 * cycle
    fields = {name: i for i, name in enumerate(FIELDS.split())} | {
        "NumGC": num_gc,
        "PauseNs": lengths,
        "PauseEnd": ends,
    }
    more = {"GCCPUFraction": 0.0, "EnableGC": True, "BySize": [], "NumGoroutine": 9, "AgentGoroutines": 3}
    stats = memstats_of(fields | more, t=1.0)
    first = max(1, num_gc - 255)
    assert stats.common.pauses == tuple((cycle, cycle / 1e3, float(cycle)) for cycle in range(first, num_gc + 1))
    assert stats.common.goroutines == 6


def test_the_peaks_file_is_read(tmp_path):
    """A line of JSON, then the profile; where the system tells no RSS it is None."""
    path = tmp_path / "peak"
    path.write_bytes(b'{"live":5,"rss":0,"cycle":3,"kept":2,"forced":1}\n\x1f\x8b\n!')
    kept = read_peak(path)
    assert (kept.peak, kept.profile) == (Peak(5, None, 3, 2, 1), b"\x1f\x8b\n!")


@pytest.mark.parametrize(
    "text", [b"", b"{}\nx", b'{"live":5,"rss":0,"cycle":3,"kept":2,"forced":1}', b"\x1f\x8b\nx", b"[]\nx"]
)
def test_a_broken_peak_file_is_told(tmp_path, text):
    """What is not a peak profile is refused with its path."""
    path = tmp_path / "peak"
    path.write_bytes(text)
    with pytest.raises(ObserveError, match="is not a peak profile"):
        read_peak(path)
