"""The agent: built by the real go command into real programs, and asked while they run."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import urllib.request
from functools import partial
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
from agent_programs import OBEDIENT, PATIENCE, build, module, running

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.agent.client import AgentClient, read_peak
from pytest_gomem.observe.agent.records import Histogram
from pytest_gomem.observe.endpoint import PprofEndpoint
from pytest_gomem.observe.gctrace import GctraceReader
from pytest_gomem.observe.memstats import parse_memstats
from pytest_gomem.observe.stacks import read_stacks
from pytest_gomem.pprof.aggregate import aggregate
from pytest_gomem.pprof.read import parse_profile, read_profile


@pytest.fixture(scope="module")
def binaries(binaries):
    """Path of each program with the agent in it, built when first asked for."""
    return partial(binaries, agent=True)


@pytest.fixture
def folder():
    """A private folder (0700) with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="gomem-") as path:
        yield Path(path)


@pytest.fixture
def obedient(binaries, folder):
    with running(binaries("obedient"), folder) as program:
        assert program.process.stdout.readline() == "up\n"
        yield program


@contextlib.contextmanager
def serving(binary, folder, *args, **popen):
    """The server program and a function that fetches from it."""
    command = ("--listen=127.0.0.1:0", "--pprof", "--log-ready", *args)
    with running(binary, folder, *command, stderr=subprocess.PIPE, **popen) as program:
        program.url = f"http://{program.process.stderr.readline().split()[-1]}"
        yield program, lambda path: urllib.request.urlopen(program.url + path, timeout=PATIENCE).read().decode()


@pytest.fixture
def server(binaries, folder):
    with serving(binaries("server"), folder) as served:
        yield served


def until(look):
    """What `look()` answers as soon as that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (answer := look()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return answer


# Figures


def test_memstats_lie_between_those_that_pprof_prints_before_and_after(server):
    """The agent's MemStats and net/http/pprof's are the same counters, field by field."""
    program, get = server
    before = parse_memstats(get("/debug/pprof/heap?debug=1"), t=0)
    mine = program.agent.memstats().common
    after = parse_memstats(get("/debug/pprof/heap?debug=1"), t=0)
    for field in ("total_alloc", "mallocs", "frees", "num_gc", "sys", "buck_hash_sys", "gc_sys"):
        assert getattr(before, field) <= getattr(mine, field) <= getattr(after, field), field
    assert mine.heap_inuse + mine.heap_idle == mine.heap_sys


def test_memstats_are_complete(obedient):
    """Size classes and the total of all pauses come too, which pprof's text leaves out."""
    obedient.tell("burn 3")
    stats = obedient.agent.memstats()
    assert stats.common.num_gc == stats.common.num_forced_gc == len(stats.common.pauses) == 3
    assert stats.pause_total == pytest.approx(sum(pause for _, pause, _ in stats.common.pauses))
    assert abs(time.time() - stats.common.pauses[-1][2]) < PATIENCE
    assert 0 < sum(row.mallocs for row in stats.common.by_size) <= stats.common.mallocs
    assert [row.size for row in stats.common.by_size] == sorted(row.size for row in stats.common.by_size)


def test_held_memory_shows(binaries, folder):
    """50 MiB that the service holds are in the live heap by the agent's MemStats and metrics alike."""
    with running(binaries("hold"), folder, "--mb=50") as program:
        program.process.stdout.readline()
        program.agent.gc()
        assert 50 << 20 <= program.agent.memstats().common.heap_alloc < 52 << 20
        (objects,) = program.agent.metrics("/memory/classes/heap/objects:bytes").values()
        assert 50 << 20 <= objects < 52 << 20


def test_reading_adds_next_to_nothing(obedient):
    """A reading of MemStats allocates under 1 kB in the service, where pprof's text costs 17-170 kB."""
    totals = [obedient.agent.memstats().common.total_alloc for _ in range(6)]
    beside_metrics = []
    for _ in range(4):
        obedient.agent.metrics()
        beside_metrics.append(obedient.agent.memstats().common.total_alloc)
    # The runtime allocates as well, where a busy machine lets it start a thread.
    assert min(after - before for before, after in pairwise(totals)) < 1000
    assert min(after - before for before, after in pairwise(beside_metrics)) < 1000


def test_metrics_come_in_all_their_kinds(obedient):
    """Counts, fractions and histograms with infinite ends arrive; a name that Go does not know is left out."""
    metrics = obedient.agent.metrics()
    assert isinstance(metrics["/gc/cycles/total:gc-cycles"], int)
    assert isinstance(metrics["/cpu/classes/total:cpu-seconds"], float)
    latencies = metrics["/sched/latencies:seconds"]
    assert isinstance(latencies, Histogram)
    assert len(latencies.buckets) == len(latencies.counts) + 1
    assert latencies.buckets[-1] == float("inf")
    some = obedient.agent.metrics("/gc/gogc:percent", "/no/such:metric")
    assert some == {"/gc/gogc:percent": 100}


def test_goroutines_are_counted_without_the_agents_own(server):
    """The count is that of the goroutine profile less the agent's, which the agent knows."""
    program, get = server
    get("/goroutines?n=7")
    more = AgentClient(program.folder / "agent")
    own = more.ping().agent_goroutines
    stacks = get("/debug/pprof/goroutine?debug=2").strip().split("\n\n")
    assert sum(bool(re.search(r"created by main\.(?:\(\*)?pytestGomem", stack)) for stack in stacks) == own == 4
    # A connection ends some time after its request.
    served = sum("created by net/http." in stack for stack in stacks)
    assert 0 <= program.agent.memstats().common.goroutines - (len(stacks) - own - served) <= served
    more.close()


def test_stacks_of_goroutines_come_by_the_agent_and_by_pprof(server):
    """Both tell the same 7, and leave out who answers."""
    program, get = server
    get("/goroutines?n=7")
    with contextlib.closing(PprofEndpoint(f"{program.url}/debug/pprof")) as pprof:
        for found in (read_stacks(program.agent.goroutines()), read_stacks(pprof.goroutine_stacks())):
            waiting = {(stack.state, stack.frames[0].function): count for stack, count in found.counts.items()}
            assert waiting["chan receive", "main.(*keeper).goroutines.func1"] == 7
            assert not any(stack.frames[0].function.startswith("runtime/pprof.") for stack in found.counts)
            assert found.unread == found.left_out == 0


# Settings


@pytest.mark.parametrize(
    ("env", "gogc", "limit"),
    [
        ({"GOGC": "37", "GOMEMLIMIT": "123MiB", "GOMAXPROCS": "1"}, 37, 123 << 20),
        ({"GOGC": "off", "GOMEMLIMIT": "off", "GODEBUG": 'x="y"'}, None, None),
    ],
)
def test_settings_are_those_in_force(binaries, folder, env, gogc, limit):
    """GOGC, GOMEMLIMIT, GOMAXPROCS and GODEBUG are read back, "off" as None."""
    with running(binaries("obedient"), folder, env=env) as program:
        settings = program.agent.settings()
        assert (settings.gogc, settings.gomemlimit) == (gogc, limit)
        assert settings.gomaxprocs == int(env.get("GOMAXPROCS", os.cpu_count()))
        assert settings.godebug == env.get("GODEBUG", "")


def test_settings_change_in_the_run(obedient):
    """What is set is in force at once, and the call tells what was before."""
    agent = obedient.agent
    assert agent.set_gc_percent(50) == 100
    assert agent.set_gc_percent(None) == 50
    assert agent.set_memory_limit(1 << 30) is None
    assert (agent.settings().gogc, agent.settings().gomemlimit) == (None, 1 << 30)
    assert agent.set_memory_limit(None) == 1 << 30
    assert agent.settings().gomemlimit is None


def test_free_gives_the_pages_back(server):
    """100 MB of garbage stay resident until the agent frees them."""
    program, get = server
    process = psutil.Process(program.process.pid)
    get(f"/alloc?bytes={100 << 20}")
    held = process.memory_info().rss
    program.agent.free()
    assert held > 100 << 20
    assert process.memory_info().rss < 40 << 20


# GC records


@pytest.mark.alone
def test_no_cycle_is_lost_while_they_follow_fast(obedient):
    """2000 cycles back to back, 8 turns of the runtime's ring: a record of each, with the pause that MemStats tell."""
    # Nothing comes faster than these; an agent that a busy machine does not wake in time counts what it lost.
    for first in range(1, 12_000, 2000):
        start = time.monotonic()
        obedient.tell("burn 2000")
        records = obedient.agent.gc_records(since=first - 1)
        end = time.monotonic()
        assert records.num_gc == first + 1999
        assert len(records.cycles) + records.lost == 2000
        if not records.lost:
            break
    assert [record.number for record in records.cycles] == list(range(first, first + 2000))
    mine = {record.number: record.pause for record in records.cycles}
    assert all(mine[number] == pause for number, pause, _ in obedient.agent.memstats().common.pauses)
    times = [record.t for record in records.cycles]
    assert times == sorted(times)
    assert start - 0.1 < times[0] < times[-1] < end + 0.1


def test_records_go_on_from_a_number(obedient):
    """since= asks for what came after it; asked at once again, there is nothing new."""
    obedient.tell("burn 5")
    records = obedient.agent.gc_records(since=3).cycles
    assert [record.number for record in records] == [4, 5]
    assert 0 < records[-1].allocated <= obedient.agent.memstats().common.total_alloc
    assert obedient.agent.gc_records(since=5).cycles == ()


def test_lost_cycles_are_counted(binaries, folder):
    """17 000 cycles turn the rings before they are asked for: those without a record are counted as lost."""
    source = OBEDIENT.replace("var early =", "var _ = burn()\n\nvar early =") + (
        "\nfunc burn() bool {\n\tfor i := 0; i < 17000; i++ {\n\t\truntime.GC()\n\t}\n\treturn true\n}\n"
    )
    with tempfile.TemporaryDirectory() as path:
        binary = build(".", module(Path(path) / "src", source), Path(path) / "out")
        with running(binary, folder) as program:
            program.process.stdout.readline()
            records = program.agent.gc_records()
            assert records.num_gc == 17000
            assert len(records.cycles) + records.lost == 17000
            assert records.lost >= 17000 - 16384
            assert records.cycles[-1].number == 17000


# Profiles, traces, dumps


@pytest.mark.parametrize("name", ["heap", "allocs", "goroutine", "threadcreate", "block", "mutex"])
def test_profiles_are_readable(obedient, name):
    """Each profile of runtime/pprof comes in its binary form."""
    assert parse_profile(obedient.agent.profile(name)).sample_types


def test_the_heap_profile_after_two_cycles_names_what_is_held(binaries, folder):
    """gc=True forces two cycles; the profile then names the function that holds the memory."""
    with running(binaries("hold"), folder, "--mb=50") as program:
        program.process.stdout.readline()
        before = program.agent.memstats().common.num_forced_gc
        profile = parse_profile(program.agent.profile("heap", gc=True))
        assert program.agent.memstats().common.num_forced_gc - before == 2
        assert aggregate(profile, "inuse_space").rows[0].frame.function == "main.main"


def test_recordings_are_complete_files(obedient):
    """A CPU profile, an execution trace and a heap dump are written to files of the caller's."""
    agent, folder = obedient.agent, obedient.folder
    agent.start_cpu_profile(folder / "cpu")
    obedient.ask("trace", "start", folder / "trace")
    obedient.tell("burn 50")
    obedient.ask("trace", "stop")
    agent.stop_cpu_profile()
    (folder / "dump").touch(0o600)
    before = agent.memstats().common.num_forced_gc
    agent.dump_heap(folder / "dump", PATIENCE)
    assert agent.memstats().common.num_forced_gc - before == 2, "a dump holds what the live heap counts"
    assert read_profile(folder / "cpu").sample_types
    assert (folder / "trace").read_bytes().startswith(b"go 1.")
    assert (folder / "dump").read_bytes().startswith(b"go1.7 heap dump\n")
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in ("cpu", "trace", "dump")} == {0o600}


def test_recordings_refuse_what_makes_no_sense(obedient):
    """Starting twice, stopping what never started, and overwriting a file are errors that leave the service alone."""
    agent, folder = obedient.agent, obedient.folder
    with pytest.raises(ObserveError, match="not started"):
        obedient.ask("trace", "stop")
    obedient.ask("trace", "start", folder / "trace")
    with pytest.raises(ObserveError, match="already started"):
        obedient.ask("trace", "start", folder / "trace2")
    obedient.ask("trace", "stop")
    with pytest.raises(ObserveError, match="file exists"):
        agent.start_cpu_profile(folder / "trace")
    with pytest.raises(ObserveError, match="no such file"):
        agent.dump_heap(folder / "dump", PATIENCE)
    (folder / "link").symlink_to(folder / "trace")
    with pytest.raises(ObserveError, match="too many levels of symbolic links"):
        agent.dump_heap(folder / "link", PATIENCE)
    with pytest.raises(ObserveError, match="no such file"):
        agent.start_cpu_profile(folder / "nowhere" / "cpu")
    agent.start_cpu_profile(folder / "cpu")
    agent.stop_cpu_profile()
    assert agent.ping().pid == obedient.process.pid


def test_a_trace_ends_at_its_limits(obedient):
    """One that is large enough, or lasts long enough, ends by itself; its file is whole, and the next may begin."""
    agent, folder = obedient.agent, obedient.folder
    agent.start_trace(folder / "sized", 1, 0)
    obedient.tell("burn 50")
    sized = agent.traced()
    assert sized.ended_by == "size"
    assert sized.bytes == (folder / "sized").stat().st_size > 1
    agent.start_trace(folder / "timed", 0, 0.01)
    time.sleep(0.1)
    assert agent.traced().ended_by == "time"
    agent.start_trace(folder / "whole", 1 << 30, 60)
    assert agent.traced().ended_by == ""
    assert all((folder / name).read_bytes().startswith(b"go 1.") for name in ("sized", "timed", "whole"))


def test_a_flight_recorder_keeps_what_was_last(obedient):
    """On demand, and by itself where a cycle pauses the program for longer than it may."""
    agent, folder = obedient.agent, obedient.folder
    agent.start_flight(1 << 20, 0.0, folder / "paused")
    obedient.tell("burn 50")
    agent.write_flight(folder / "asked")
    found = agent.stop_flight()
    assert found.kept >= 1
    assert found.cycle >= 1
    assert found.pause > 0
    assert all((folder / name).read_bytes().startswith(b"go 1.") for name in ("asked", "paused"))
    assert list(folder.glob("*.new")) == []
    with pytest.raises(ObserveError, match="not started"):
        agent.stop_flight()


# The peak


def top_of_peak(path):
    """The function that the peak's profile blames most."""
    kept = read_peak(path)
    return kept.peak, aggregate(parse_profile(kept.profile), "inuse_space").rows[0].frame.function


def spiked(obedient, path):
    """The peak after a spike of 200 MB and 5 ms, and the function that its profile blames most."""
    obedient.agent.reset_peak()
    obedient.tell("burn 2")
    obedient.tell("spike")
    obedient.tell("burn 4")
    return top_of_peak(path)


@pytest.mark.alone
def test_a_spike_of_5_ms_is_in_the_peak_profile(obedient):
    """200 MB for 5 ms, then nothing: the peak's profile names the function, the profile at the end does not."""
    path = obedient.folder / "peak"
    obedient.agent.start_peak(path)
    # An agent that a busy machine wakes after the next cycle has missed the spike: benchmarks say how often it does.
    peak, function = next(
        (found for found in (spiked(obedient, path) for _ in range(5)) if found[0].live_heap > 200 << 20),
        (None, "missed five times"),
    )
    assert function == "main.spike"
    assert peak == obedient.agent.peak()
    assert all(
        row.frame.function != "main.spike" for row in aggregate(parse_profile(obedient.agent.profile("heap"))).rows
    )


def test_the_peak_outlives_a_service_that_exits_at_it(obedient):
    """The file is there when the service has ended at its peak without a word."""
    path = obedient.folder / "peak"
    obedient.agent.start_peak(path)
    obedient.process.stdin.write("exit\n")
    obedient.process.stdin.flush()
    assert obedient.process.wait(PATIENCE) == 1
    assert top_of_peak(path)[1] == "main.main"


def test_the_peak_is_reset(obedient):
    """After a reset there is no file until the next cycle, and a lower cycle is a peak again."""
    agent, path = obedient.agent, obedient.folder / "peak"
    agent.start_peak(path)
    until(lambda: spiked(obedient, path)[0].live_heap > 200 << 20)
    agent.free()

    def is_gone():
        agent.reset_peak()
        try:
            return not read_peak(path)
        except ObserveError as error:
            return "no GC cycle" in str(error)

    assert until(is_gone)  # on a busy machine the last cycle before the reset may be looked at after it
    obedient.tell("burn 1")
    until(path.exists)
    assert 0 < read_peak(path).peak.live_heap < 10 << 20
    obedient.ask("peak", "stop")
    with pytest.raises(ObserveError, match="not started"):
        agent.peak()
    assert agent.ping().agent_goroutines == 3


def test_a_held_peak_is_looked_at_when_that_is_asked_for(obedient):
    """No cycle sets off a profile while the peak is held; the look that ends this writes it before it answers."""
    agent, path = obedient.agent, obedient.folder / "peak"
    agent.start_peak(path)
    agent.hold_peak()
    for _ in range(20):
        agent.gc()
    assert agent.peak().kept == 0
    agent.look_peak()
    assert agent.peak().kept == 1
    assert read_peak(path).peak == agent.peak()


# The stderr split


@pytest.fixture
def split(binaries, folder):
    """A service whose stderr is split; its descriptor 2 and the application's own, to be read when it has ended."""
    with (folder / "two").open("w") as two, (folder / "own").open("w") as own:

        def start(name, *args, env=None):
            env = {"PYTEST_GOMEM_STDERR_FD": str(own.fileno()), **(env or {})}
            return running(binaries(name), folder, *args, env=env, stderr=two, pass_fds=[own.fileno()])

        yield start, lambda: ((folder / "two").read_text(), (folder / "own").read_text())


def test_the_application_logs_to_a_descriptor_of_its_own(split):
    """Every logger moves, whenever it took os.Stderr; the runtime, println, raw writers and panics stay on 2."""
    start, read = split
    with start("obedient") as program:
        program.process.stdout.readline()
        assert program.agent.ping().stderr_split
        program.tell("log")
        program.agent.gc()
        program.agent.gc()  # a finalizer of the old os.Stderr would have closed descriptor 2 by now
        program.tell("log")
        program.process.communicate("panic\n")
    two, application = read()
    for text in ("early logger", "default logger", "default slog", "os.Stderr"):
        assert application.count(text) == 2
        assert text not in two
    for text in ("println", "raw write"):
        assert two.count(text) == 2
        assert text not in application
    assert "panic: boom" in two


def test_gctrace_is_whole_beside_a_loud_log(split):
    """300 cycles while four goroutines and a child log look-alikes: descriptor 2 holds each cycle's line, no more."""
    start, read = split
    with start("gclogger", "--listen=127.0.0.1:0", env={"GODEBUG": "gctrace=1"}) as program:
        process = psutil.Process(program.process.pid)
        listening = until(lambda: process.net_connections("tcp"))[0]
        get = lambda path: urllib.request.urlopen(f"http://127.0.0.1:{listening.laddr.port}{path}").read()  # noqa: E731
        get("/burn?cycles=300")
        program.process.send_signal(signal.SIGSTOP)
        two, application = read()
        program.process.send_signal(signal.SIGCONT)
        cycles = program.agent.memstats().common.num_gc
    accepted, rest = GctraceReader().feed(two.encode())
    assert [cycle.number for cycle in accepted] == list(range(1, len(accepted) + 1))
    assert cycles - 2 <= len(accepted) <= cycles
    assert rest == b""
    assert "order accepted" in application


def test_without_a_usable_descriptor_stderr_stays(binaries, folder):
    """A number that is no open descriptor changes nothing."""
    for number in ("1", "99", "x", ""):
        with tempfile.TemporaryFile("w+") as two:
            with running(
                binaries("obedient"), folder, agent=False, env={"PYTEST_GOMEM_STDERR_FD": number}, stderr=two
            ) as program:
                program.process.stdout.readline()
                program.tell("log")
            two.seek(0)
            assert "os.Stderr" in two.read()


# Life and death


def test_it_does_nothing_unless_asked(binaries, folder):
    """Without its variable there is no socket, no goroutine, no descriptor more."""
    with running(
        binaries("server"),
        folder,
        "--listen=127.0.0.1:0",
        "--pprof",
        "--log-ready",
        agent=False,
        stderr=subprocess.PIPE,
    ) as program:
        address = program.process.stderr.readline().split()[-1]
        text = urllib.request.urlopen(f"http://{address}/debug/pprof/goroutine?debug=2").read().decode()
        assert "pytestGomem" not in text
        assert not list(folder.iterdir())


def test_children_start_no_agent(binaries, folder):
    """The variable is gone from the environment that children get."""
    with serving(binaries("server"), folder, "--children=2") as (program, _):
        for pid in psutil.Process(program.process.pid).children():
            assert "PYTEST_GOMEM_AGENT" not in pid.environ()
        assert program.agent.ping().pid == program.process.pid


def test_a_second_process_leaves_the_first_its_socket(binaries, folder, obedient):
    """A process that finds the socket taken runs on without an agent, silently."""
    second = subprocess.run(
        [str(binaries("obedient"))],
        env={**os.environ, "PYTEST_GOMEM_AGENT": str(folder / "agent")},
        input="burn 1\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (second.returncode, second.stdout, second.stderr) == (0, "up\ndone\n", "")
    assert obedient.agent.ping().pid == obedient.process.pid
    assert [path.name for path in folder.iterdir()] == ["agent"]


def test_a_socket_that_cannot_be_made_is_told(binaries, folder):
    """The service runs on, and the client gets the system's words."""
    deep = folder / ("x" * 90)
    deep.mkdir()
    with running(binaries("obedient"), deep, agent=False, env={"PYTEST_GOMEM_AGENT": str(deep / "agent")}) as program:
        program.process.stdout.readline()
        program.tell("burn 1")
        with pytest.raises(ObserveError, match=r"path too long|invalid argument"):
            program.agent.wait(0.1)


def test_a_killed_service_is_told(obedient):
    """The next request after the service's death is an error that says so, at once."""
    obedient.agent.ping()
    obedient.process.kill()
    obedient.process.wait()
    for _ in range(2):
        with pytest.raises(ObserveError, match="the service is gone"):
            obedient.agent.memstats()


def test_a_stopped_service_does_not_hang_the_client(obedient):
    """A service that does not answer costs the timeout, no more, and is asked anew when it wakes."""
    impatient = AgentClient(obedient.folder / "agent", timeout=0.2)
    impatient.ping()
    obedient.process.send_signal(signal.SIGSTOP)
    until(lambda: psutil.Process(obedient.process.pid).status() == psutil.STATUS_STOPPED)
    for _ in range(2):
        with pytest.raises(ObserveError, match="did not answer 'ping' within"):
            impatient.ping()
    obedient.process.send_signal(signal.SIGCONT)
    assert obedient.agent.memstats().common.num_gc == 0
    impatient.close()


@pytest.mark.parametrize("bytes_", [b"nonsense\n", b"\n", b"profile\tnone\n", b"setgcpercent\tmany\n", b"x" * 9000])
def test_nonsense_does_no_harm(obedient, bytes_):
    """Whatever comes over the socket, the service lives and the next request is answered."""
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(str(obedient.folder / "agent"))
        raw.settimeout(PATIENCE)
        raw.sendall(bytes_)
        with contextlib.suppress(ConnectionResetError):
            assert raw.recv(100)[:3] in (b"no ", b"")
    assert obedient.agent.ping().pid == obedient.process.pid
    obedient.tell("burn 1")


def test_several_clients_are_answered_side_by_side(obedient):
    """Eight threads with connections of their own, and one shared by all, get whole answers."""
    shared, wrong = obedient.agent, []

    def ask(client):
        for _ in range(20):
            if client.memstats().common.mallocs <= 0 or not gzip.decompress(shared.profile("heap")):
                wrong.append(client)
        client.close()

    threads = [threading.Thread(target=ask, args=[AgentClient(obedient.folder / "agent")]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert until(lambda: shared.ping().agent_goroutines == 3)
