"""The process that is measured is the one that serves, or the launch says why it cannot be."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from looking import Stranger

from pytest_gomem.base.errors import LaunchError, ObserveError, ServiceDied
from pytest_gomem.diagnosis.explanation import ByProfiles
from pytest_gomem.launch import serving as serving_module
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.load.connection import Request
from pytest_gomem.load.http_client import HttpClient
from pytest_gomem.measure.registry import Registry
from pytest_gomem.observe.system import System
from pytest_gomem.session.attached import AttachedProcess
from pytest_gomem.session.processes import LaunchedProcess
from pytest_gomem.session.run import Run, RunSettings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
LISTEN = ["-listen", "127.0.0.1:{port}"]
READY = {"http": "/healthz"}


@pytest.fixture
def chaos(launch, programs):
    """Launches the program in one of its modes."""

    def chaos(mode, *args, **service):
        return launch(command=[programs["chaos"], "-mode", mode, *args], **service)

    return chaos


def get(launched, path):
    client = HttpClient(f"http://127.0.0.1:{launched.ports['']}")
    try:
        return client.request(Request("GET", path)).text.strip()
    finally:
        client.close()


def process_of(launched):
    return LaunchedProcess(launched, 50.0, os.environ)


def shell(program, *args):
    """A script that starts a program without exec."""
    return ["sh", "-c", f"{shlex.join([program, *args])}; exit $?"]


class TestWrappers:
    def test_a_shell_without_exec(self, launch, programs, until):
        """What it starts is measured: samples, gctrace, build information and end are all of that process."""
        command = shell(programs["chaos"], *LISTEN)
        launched = launch(command=command, ready=READY)
        pid = int(get(launched, "/pid"))
        assert launched.serving.pid == pid != launched.child.pid
        assert launched.binary.module.path == "example.com/programs"
        assert launched.serving.notes[0].startswith(f"pid {pid} ({programs['chaos']}")
        assert f"and not pid {launched.child.pid} (sh -c" in launched.serving.notes[0].replace("/usr/bin/", "")
        before = launched.child.log()[1]
        get(launched, "/keep?mb=40")
        get(launched, "/keep?mb=40")
        until(lambda: [s for s in launched.child.samples() if s.rss > 70 << 20])
        assert launched.child.gc_cycles()[0][-1].heap_live >= 40 << 20
        assert " MB globals, " not in launched.child.log(before)[0]
        process = process_of(launched)
        assert (process.pid, process.no_gctrace, process.ending()) == (pid, "", None)
        os.kill(pid, 9)
        until(process.ending)
        assert process.ending_words().startswith(
            "ended (its exit status is known only to its parent); what had started it "
        )

    def test_two_go_programs_that_start_together(self, chaos, until):
        """Where lines of two cannot be told apart, gctrace is unavailable; a panic below is still told."""
        launched = chaos("supervisor", *LISTEN, ready=READY)
        process = process_of(launched)
        assert process.pid == int(get(launched, "/pid")) != launched.child.pid
        assert "cannot be separated" in process.no_gctrace
        with pytest.raises(Exception, match="/panic"):
            get(launched, "/panic")
        until(process.ending)
        assert process.ending_words().startswith("panicked: boom (its exit status is known only to its parent)")


class TestDaemons:
    @pytest.mark.parametrize("mode", ["daemon", "late-daemon"])
    def test_is_no_service_unless_it_is_to_be_followed(self, chaos, mode, until):
        """One that leaves its parent fails, at once or when the parent has ended; the words say what to do."""
        try:
            process = process_of(chaos(mode, *LISTEN, ready=READY))
            until(process.ending)
            words = process.ending_words()
        except ServiceDied as died:
            words = str(died)
        assert "ended with exit status 0" in words
        assert "left pid " in words
        assert "follow: true" in words

    @pytest.mark.parametrize("mode", ["daemon", "late-daemon"])
    def test_followed(self, chaos, mode, until):
        """With follow: true what is left is measured, and its end is its own."""
        launched = chaos(mode, *LISTEN, ready=READY, follow=True)
        process = process_of(launched)
        assert process.pid == int(get(launched, "/pid")) != launched.child.pid
        until(lambda: launched.child.state().exit)
        assert process.ending() is None
        assert until(lambda: launched.child.samples()[-1:])
        with pytest.raises(Exception, match="/exit"):
            get(launched, "/exit?code=7")
        until(process.ending)
        assert "exit status 7" in process.ending_words()

    def test_is_ended_with_its_family(self, chaos):
        """Nothing is left of a followed daemon."""
        launched = chaos("daemon", *LISTEN, ready=READY, follow=True)
        process_of(launched).stop()
        assert not psutil.pid_exists(launched.serving.pid)


class TestSeveral:
    def test_prefork(self, chaos):
        """Processes that share a listener are refused, with the key that measures them together."""
        with pytest.raises(LaunchError, match=r"3 processes of it serve, pid \d+ .*Say  tree: true"):
            chaos("prefork", *LISTEN, ready=READY)

    def test_prefork_as_a_tree(self, chaos):
        """With tree: true the sum of all is measured."""
        launched = chaos("prefork", *LISTEN, ready=READY, tree=True)
        assert launched.serving.pid == launched.child.pid
        assert int(get(launched, "/pid")) != launched.child.pid


class TestStrangers:
    def test_who_answers_is_named(self, chaos):
        """A service that lives beside a stranger on its port is not taken for what answers there."""
        with Stranger() as stranger:
            told = rf"port {stranger.port} is held by pid {os.getpid()} \(.*, which is not a process of this service"
            with pytest.raises(LaunchError, match=told):
                chaos("idle", ready={"http": f"http://127.0.0.1:{stranger.port}/"})

    def test_an_endpoint_of_another_is_not_read(self, launch, programs):
        """What another process serves on a port of the service tells nothing of the one that is measured."""
        both = f"{shlex.join([programs['chaos'], '-listen', '127.0.0.1:{port:admin}', '-admin', '127.0.0.1:0'])} & "
        command = ["sh", "-c", f"{both}exec {shlex.join([programs['chaos'], *LISTEN])}"]
        process = process_of(launch(command=command, ready=READY))
        assert process.pid == process.launched.child.pid
        with pytest.raises(ObserveError, match=f"pid {process.pid} is not who answers on port"):
            process.readers.inside()


def test_a_refused_attach_watches_nothing(launch, programs, tmp_path):
    """Who is refused as the owner of an endpoint is not sampled until the end of the run."""
    launched = launch(command=[programs["chaos"], *LISTEN], ready=READY)
    run = Run(RunSettings(None, Registry(()), tmp_path, ByProfiles()))
    try:
        with pytest.raises(LaunchError, match="is not its own"):
            run.attach(os.getpid(), f"http://127.0.0.1:{launched.ports['']}/debug/pprof", reset_peak=False)
        descriptors = Path(f"/proc/{run.supervisor.pid}/fd").iterdir()
        assert f"/proc/{os.getpid()}/status" not in [str(descriptor.readlink()) for descriptor in descriptors]
    finally:
        run.close()


def test_an_interrupted_look_at_the_agent_leaves_no_service(config, tagged, tmp_path, monkeypatch):
    """A service that nobody was given would run beside the tests that follow."""

    def interrupted(*_):
        assert tagged.alive()
        raise KeyboardInterrupt

    monkeypatch.setattr(System, "image", interrupted)
    run = Run(RunSettings(None, Registry(()), tmp_path / "run", ByProfiles()))
    try:
        with pytest.raises(KeyboardInterrupt):
            run.start(config(command=["sleep", "300"], env=tagged.env), Overrides())
        assert not tagged.alive()
    finally:
        run.close()


def test_a_long_command_is_named_by_whole_words(until):
    """Half a secret would not be known for one."""
    with subprocess.Popen(["sleep", "100", *["0.0001"] * 20]) as sleeper:
        until(psutil.Process(sleeper.pid).cmdline)  # for an instant of its exec it has none
        told = serving_module.named(sleeper.pid)
        sleeper.kill()
    assert re.fullmatch(r"pid \d+ \(sleep 100 (0\.0001 )+\.\.\.\)", told)
    assert len(told) < 100


class TestUnchecked:
    def test_a_network_of_its_own(self, launch, programs, monkeypatch):
        """What forwards a port into a container is another process, and proves nothing: the endpoint is believed."""
        launched = launch(command=[programs["chaos"], *LISTEN], ready=READY)
        port, elsewhere = launched.ports[""], os.getpid()
        assert serving_module.holds_port([elsewhere], port) is False
        with pytest.raises(LaunchError, match=r"is not its own: pid .* answers there"):
            AttachedProcess(elsewhere, f"http://127.0.0.1:{port}/debug/pprof", None, 50.0, reset_peak=False)
        monkeypatch.setattr(serving_module, "_network_of", lambda pid: str(pid == elsewhere))
        assert serving_module.holds_port([launched.child.pid], port) is None
        attached = AttachedProcess(launched.child.pid, None, None, 50.0, reset_peak=False)
        with pytest.raises(ObserveError, match="has a network of its own, as in a container: pass pprof="):
            attached.endpoint()

    def test_a_cleared_environment_has_no_gctrace(self, launch, programs):
        """Without our GODEBUG no line comes, which is no count of 0."""
        launched = launch(command=["env", "-u", "GODEBUG", programs["chaos"], *LISTEN], ready=READY)
        assert "runs without our GODEBUG" in process_of(launched).no_gctrace

    def test_nothing_listens(self, chaos):
        """Without a port nobody can be asked: that is said, and is no failure."""
        serving = chaos("idle").serving
        assert not serving.is_checked
        assert "is the process that serves: it listens on no port and on no unix socket" in serving.notes[0]

    def test_sockets_that_may_not_be_looked_at(self, chaos, monkeypatch):
        """Another user's process is measured as far as it can be, and said to be unchecked."""

        def refused(pid):
            raise PermissionError

        monkeypatch.setattr(serving_module, "socket_inodes", refused)
        serving = chaos("serve", *LISTEN, ready=READY).serving
        assert not serving.is_checked
        assert "the sockets of pid" in serving.notes[0]

    def test_a_unix_socket(self, launch, programs, tmp_path):
        """Who listens on a unix socket is known."""
        command = shell(programs["chaos"], "-mode", "unix", "-unix", str(tmp_path / "socket"))
        launched = launch(command=command, ready={"log": "serving"})
        assert launched.serving.pid != launched.child.pid
        assert f"listens on unix:{tmp_path}/socket" in launched.serving.notes[0]


def test_exec_in_its_place(chaos, until):
    """A service that replaces itself by another program is named, where its pid tells nothing."""
    launched = chaos("serve", *LISTEN, ready=READY)
    process = process_of(launched)
    assert process.remarks() == []
    get(launched, "/exec")
    (remark,) = until(process.remarks)
    assert f"pid {process.pid} has replaced itself by another program (exec) since it was ready" in remark
