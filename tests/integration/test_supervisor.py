"""The supervisor: what it starts, keeps, stops and never leaves behind, with real processes throughout."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from looking import is_running

from pytest_gomem.base.errors import SupervisorError
from pytest_gomem.launch import ending
from pytest_gomem.launch.ports import free_ports
from pytest_gomem.observe import oom
from pytest_gomem.supervisor.client import LaunchRequest, SupervisorClient

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
MIB = 1 << 20
PATIENCE = 60.0  # seconds until a test gives up; none comes near when all is well
DEAF = "trap '' TERM HUP;"  # in sh, inherited by what it starts


def sh(script):
    return ("/bin/sh", "-c", script)


def descriptors(pid):
    return sorted(int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir())


@contextlib.contextmanager
def stopped(pid):
    """A process that does nothing meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def opened(fifo):
    """Open a FIFO for a moment, if somebody waits at its other end."""
    try:
        os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def sleeping_child(pid):
    """Name of the only child of a process, if it is asleep."""
    (child,) = psutil.Process(pid).children() or [psutil.Process(pid)]
    return child.name() if child.status() == psutil.STATUS_SLEEPING else None


def written_by(pid):
    """Bytes that a process has put into its pipes and files."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(fields["wchar"])


class TestBirth:
    def test_environment_is_exact(self, supervisor):
        """A service gets the asked variables, whatever their names and bytes, the launch mark, and no other."""
        asked = {
            "my.var-x": "1",
            "BASH_FUNC_f%%": "() {  :\n}",
            "EMPTY": "",
            "ümläut": "ß",
            "NOT_UTF8": "a\udcffb",
            "GOGC": "7",
        }
        child = supervisor.launch(LaunchRequest(["/bin/sleep", "100"], asked, "/"))
        found = Path(f"/proc/{child.pid}/environ").read_bytes().rstrip(b"\0").split(b"\0")
        mark = [entry for entry in found if entry.startswith(b"PYTEST_GOMEM_LAUNCH=")]
        assert len(mark) == 1
        assert sorted(found) == sorted([os.fsencode(f"{name}={value}") for name, value in asked.items()] + mark)

    def test_only_the_standard_descriptors_are_inherited(self, start):
        """Neither our open files nor the supervisor's reach a service, and its stdin is empty."""
        read_end, write_end = os.pipe()
        os.set_inheritable(write_end, True)
        try:
            child = start("/bin/sleep", "100")
            assert descriptors(child.pid) == [0, 1, 2]
            assert Path(f"/proc/{child.pid}/fd/0").resolve() == Path(os.devnull)
        finally:
            os.close(read_end)
            os.close(write_end)

    def test_signals_are_at_their_defaults(self):
        """What the test process ignores or blocks, as under nohup, a service neither ignores nor blocks."""
        ignored = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGQUIT)}
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM})
        try:
            supervisor = SupervisorClient()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            for number, handler in ignored.items():
                signal.signal(number, handler)
        with contextlib.closing(supervisor):
            child = supervisor.launch(LaunchRequest(["/bin/sleep", "100"], dict(os.environ), "/"))
            status = Path(f"/proc/{child.pid}/status").read_text()
            masks = [line.split()[1] for line in status.splitlines() if line.startswith(("SigIgn", "SigBlk"))]
            libc_own = 1 << (32 - 1) | 1 << (33 - 1)  # glibc lets nobody change these two, whoever started us
            assert [int(mask, 16) & ~libc_own for mask in masks] == [0, 0]

    def test_leads_a_session_and_is_the_program_itself(self, start):
        """When launch returns the program runs, alone in a session and process group of its own."""
        child = start("/bin/sleep", "100")
        assert os.getsid(child.pid) == os.getpgid(child.pid) == child.pid
        assert Path(f"/proc/{child.pid}/exe").resolve() == Path("/bin/sleep").resolve()

    @pytest.mark.parametrize("mib", [1, 64])
    def test_peak_is_the_program_s_own(self, programs, start, mib):
        """wait4's ru_maxrss holds what the program held, and nothing of the supervisor that started it."""
        ended = start(programs["hold"], "--mb", str(mib), "--for", "0").wait(PATIENCE).exit
        assert ended.code == 0
        assert mib * MIB < ended.max_rss < (mib + 9) * MIB  # a Python supervisor alone has 12 MiB and more

    @pytest.mark.parametrize("setsid", [None, "#!/bin/sh\necho 'Usage: setsid [-c] PROG ARGS' >&2; exit 1\n"])
    def test_without_a_usable_setsid(self, monkeypatch, tmp_path, setsid):
        """Where setsid(1) is missing, or BusyBox's, programs still start in sessions and their ends are told."""
        if setsid is not None:
            (tmp_path / "setsid").write_text(setsid)
            (tmp_path / "setsid").chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        with contextlib.closing(SupervisorClient()) as supervisor:
            launches = [LaunchRequest(list(sh(f"exit {code}")), {}, "/") for code in (3, 4, 5)]
            children = [supervisor.launch(launch) for launch in launches]
            ends = [child.wait(PATIENCE).exit for child in children]
            assert [ended.code for ended in ends] == [3, 4, 5]
            assert [ended.max_rss for ended in ends] == [None, None, None]
            sleeper = supervisor.launch(LaunchRequest(["/bin/sleep", "100"], {}, "/"))
            assert os.getsid(sleeper.pid) == sleeper.pid
            with pytest.raises(SupervisorError, match="/no/such"):
                supervisor.launch(LaunchRequest(["/no/such"], {}, "/"))

    def test_every_launch_returns_its_own_process(self, start, tagged):
        """Orphans that come to the supervisor at the same moment are not taken for the program being launched."""
        start(*sh("while :; do setsid -f sleep 0.01; sleep 0.01; done"), env=tagged.env)
        for number in range(20):
            child = start("/bin/sleep", f"10{number}")
            assert psutil.Process(child.pid).cmdline() == ["/bin/sleep", f"10{number}"]

    def test_threads_may_launch_at_once(self, start):
        """Each of several threads gets the child that it asked for."""
        started = {}

        def launch(number):
            started[number] = start("/bin/sleep", f"20{number}")

        threads = [threading.Thread(target=launch, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        commands = {number: psutil.Process(child.pid).cmdline() for number, child in started.items()}
        assert commands == {number: ["/bin/sleep", f"20{number}"] for number in range(8)}


def made(path, content, mode=0o755):
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def foreign_program(path):
    """An ELF file of a machine that this one is not."""
    head = bytearray(Path(sys.executable).resolve().read_bytes()[:4096])
    head[18] ^= 0xFF
    return made(path, bytes(head))


class TestFailedLaunch:
    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (lambda tmp: "/no/such", "No such file or directory"),
            (str, "Permission denied"),
            (lambda tmp: made(tmp / "data", b"#!/bin/sh\n", 0o644), "Permission denied"),
            (lambda tmp: made(tmp / "lost", b"#!/no/such/interpreter\n"), "No such file or directory"),
            (lambda tmp: made(tmp / "text", b"touch ran\n"), "neither a program for this machine nor a script"),
            (lambda tmp: made(tmp / "empty", b""), "neither a program for this machine nor a script"),
            (lambda tmp: foreign_program(tmp / "foreign"), "neither a program for this machine nor a script"),
            (lambda tmp: "a\0b", "null byte"),
        ],
        ids=["missing", "folder", "not executable", "no interpreter", "no #!", "empty", "other machine", "null byte"],
    )
    def test_says_why_and_leaves_nothing(self, supervisor, start, tmp_path, make, words):
        """What cannot be started is refused in the system's words, was not run, and costs no descriptor."""
        start("/bin/true").wait(PATIENCE)
        before = descriptors(supervisor.pid)
        with pytest.raises(SupervisorError, match=words):
            start(make(tmp_path))
        assert descriptors(supervisor.pid) == before
        assert not (tmp_path / "ran").exists()
        assert start("/bin/true").wait(PATIENCE).exit.code == 0

    def test_folder_missing(self, start):
        """A missing working directory is named."""
        with pytest.raises(SupervisorError, match="No such file or directory: /no/such/folder"):
            start("/bin/true", cwd="/no/such/folder")

    def test_impossible_environment(self, start):
        """A variable that cannot be is refused, and the supervisor goes on."""
        with pytest.raises(SupervisorError, match="illegal environment variable name"):
            start("/bin/true", env={"A=B": "1"})
        assert start("/bin/true").wait(PATIENCE).exit.code == 0

    def test_a_bad_request_spoils_no_service(self, supervisor, start):
        """Requests that the supervisor cannot carry out are errors to who asked, and nothing to the others."""
        child = start("/bin/sleep", "100")
        with pytest.raises(SupervisorError, match="knows no 'nonsense'"):
            supervisor.ask("nonsense")
        with pytest.raises(SupervisorError):
            supervisor.watch(2**22 + 1, tree=False, sample_rate=50.0)
        assert child.state().exit is None


class TestOutput:
    def test_log_holds_both_outputs_from_any_offset(self, start):
        """stdout and stderr are read to their ends, and what came after an offset can be asked for."""
        child = start(*sh("echo out; echo err >&2"))
        child.wait(PATIENCE)
        log, end = child.log()
        assert sorted(log.splitlines()) == ["err", "out"]
        assert child.log(end - 1) == (log[-1], end)
        assert child.log(end) == ("", end)

    def test_gigabytes_are_read_and_not_kept(self, supervisor, start):
        """Every byte of a great log is counted, the newest are kept, and the supervisor stays small."""
        child = start(*sh("head -c 500000000 /dev/zero; echo the end"), log_bytes=MIB)
        assert child.wait(PATIENCE).log_end == 500_000_000 + len("the end\n")
        log, _ = child.log()
        assert MIB <= len(log) < MIB + 100_000  # the beginning is kept beside it
        assert log.endswith("the end\n")
        assert psutil.Process(supervisor.pid).memory_info().rss < 64 * MIB

    def test_a_full_pipe_is_counted(self, supervisor, start, until, tmp_path):
        """A service that waits for room in its pipe, beyond 1 MiB without a reader, is counted and timed."""
        os.mkfifo(tmp_path / "go")
        child = start(*sh("cat go; head -c 4000000 /dev/zero"))
        with stopped(supervisor.pid):
            until(lambda: opened(tmp_path / "go"))
            until(lambda: sleeping_child(child.pid) == "head")
        assert child.wait(PATIENCE).log_end == 4_000_000
        assert child.state().stalls >= 1
        assert child.state().stalled > 0

    def test_room_in_the_pipe_is_no_stall(self, supervisor, start, until, tmp_path):
        """A burst of 900 kB is taken at once and not counted, however late the supervisor reads it."""
        for fifo in ("before", "after"):
            os.mkfifo(tmp_path / fifo)
        child = start(*sh("cat before; head -c 900000 /dev/zero; cat after"))
        with stopped(supervisor.pid):
            until(lambda: opened(tmp_path / "before"))
            until(lambda: opened(tmp_path / "after"))
        assert child.wait(PATIENCE).log_end == 900_000
        assert child.state().stalls == 0

    def test_flood_does_not_stop_sampling(self, start, until):
        """While a service writes without end, samples go on being taken and requests being answered."""
        child = start(*sh("exec yes 'a line of the log, of some length, written again and again' >&2"))
        until(lambda: child.state().log_end > 50 * MIB)
        seen = len(child.samples())
        until(lambda: len(child.samples()) > seen + 10)

    def test_what_a_dead_service_left_behind_may_write_on(self, start, tagged, until):
        """A child that floods the log of its dead parent neither holds the supervisor up nor survives the stop."""
        child = start(*sh("yes >&2 & exit 3"), env=tagged.env)
        assert child.wait(PATIENCE).exit.code == 3
        child.stop(grace=0.0)
        assert not tagged.alive()


class TestStop:
    def test_sigterm_first(self, start, until):
        """A service that obeys SIGTERM ends in its own way, long before its grace is over."""
        child = start(*sh("trap 'echo bye; exit 7' TERM; echo up; while :; do :; done"))
        until(lambda: "up" in child.log()[0])
        ended = child.stop(grace=PATIENCE).exit
        assert (ended.code, ended.signal, ended.killed) == (7, None, False)
        assert child.log()[0] == "up\nbye\n"

    def test_sigterm_to_the_whole_family(self, start, tagged, until):
        """Children are told too, also those in a session of their own."""
        waiting = "trap 'echo told; exit' TERM; echo up; while :; do :; done"
        child = start(*sh(f'sh -c "{waiting}" & setsid sh -c "{waiting}" & {waiting}'), env=tagged.env)
        until(lambda: child.log()[0].count("up") == 3)
        child.stop(grace=PATIENCE)
        assert child.log()[0].count("told") == 3
        assert not tagged.alive()

    def test_sigkill_after_the_grace(self, start, until):
        """A service that is deaf to SIGTERM is killed, and its end says that it was us."""
        child = start(*sh(f"{DEAF} echo up; while :; do sleep 0.01; done"))
        until(lambda: "up" in child.log()[0])
        ended = child.stop(grace=0.05).exit
        assert (ended.code, ended.signal, ended.killed) == (None, signal.SIGKILL, True)
        assert ending.describe(ended, "") == "did not end when asked to, and was killed (SIGKILL)"

    def test_a_stopped_service_ends_by_sigterm(self, start, until):
        """It is continued to be able to, so that nobody waits for its grace in vain."""
        child = start("sleep", "300")
        os.kill(child.pid, signal.SIGSTOP)
        until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_STOPPED)
        ended = child.stop(grace=PATIENCE).exit
        assert (ended.signal, ended.killed) == (signal.SIGTERM, False)

    def test_who_serves_is_waited_for_too(self, start, until):
        """However late its end is told, which the child's own does not wait for."""
        for _ in range(15):
            child = start(*sh("sleep 300; :"))
            until(lambda child=child: len(child.members()) == 2)
            child.serve_by(child.members()[1])
            assert child.stop(grace=PATIENCE).serving_exit is not None

    def test_second_stop_shortens_the_grace(self, start, until):
        """A stop that was given up does not hold up the next one."""
        child = start(*sh(f"{DEAF} echo up; while :; do sleep 0.01; done"))
        until(lambda: "up" in child.log()[0])
        child._ask("terminate", grace=1e6)
        assert child.stop(grace=0.0).exit.killed

    @pytest.mark.parametrize(
        "script",
        [
            "setsid sleep 300 & sleep 300 & wait",
            "setsid -f setsid -f sleep 300; exit 0",
            "while :; do sleep 300 & sleep 0.002; done",
            "while :; do (setsid -f sleep 300); done",
        ],
        ids=["own session", "daemon", "forks on", "forks daemons"],
    )
    def test_nothing_of_the_family_is_left(self, start, tagged, until, script):
        """However the children fork, daemonize and ignore SIGTERM, stop() ends all of them."""
        child = start(*sh(DEAF + script), env=tagged.env)
        until(lambda: "sleep" in tagged.alive().values())
        child.stop(grace=0.02)
        assert not tagged.alive()

    def test_what_hides_ends_with_the_supervisor(self, supervisor, start, tagged, until):
        """A daemon that has dropped the launch mark is nobody's to stop(), but does not outlive the supervisor."""
        # It lives on for a moment: a program that ends at once may be taken for its daemon.
        daemon = "setsid -f env -u PYTEST_GOMEM_LAUNCH sleep 300"
        child = start(*sh(f"{daemon}; sleep 0.2"), env=tagged.env)
        child.wait(PATIENCE)
        until(lambda: list(tagged.alive().values()) == ["sleep"])
        child.stop(grace=0.0)
        until(lambda: list(tagged.alive().values()) == ["sleep"])  # in the middle of exec it shows no environment
        supervisor.close()
        assert not tagged.alive()

    def test_a_process_that_forks_away_is_caught(self, start, tagged, until):
        """Parent after parent ends at once: no list of processes holds the living one, but its group does."""
        comet = "import os, signal\nsignal.signal(15, signal.SIG_IGN)\nwhile True:\n if os.fork(): os._exit(0)"
        child = start(sys.executable, "-I", "-S", "-c", comet, env=tagged.env)
        child.wait(PATIENCE)
        child.stop(grace=0.0)
        until(lambda: not any(group_of(pid) == child.pid for pid in psutil.pids()))

    def test_forget_kills(self, supervisor, start, tagged, until):
        """What is forgotten while it runs is killed, its family too, and nothing can be asked of it any more."""
        child = start(*sh(f"{DEAF} setsid sleep 300 & sleep 300"), env=tagged.env)
        until(lambda: len(tagged.alive()) > 2)
        child.forget()
        until(lambda: not tagged.alive())
        with pytest.raises(SupervisorError, match="nothing is kept"):
            child.state()

    def test_launches_cost_no_descriptors(self, supervisor, start, until):
        """A supervisor that has launched and forgotten many programs is as it was."""
        start("/bin/true").forget()
        until(lambda: len(descriptors(supervisor.pid)) < 10)
        before = descriptors(supervisor.pid)
        for _ in range(10):
            child = start("/bin/sleep", "100")
            child.stop(grace=1.0)
            child.forget()
        until(lambda: descriptors(supervisor.pid) == before)


def group_of(pid):
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


# The owner of a supervisor in a process of its own. Prints the supervisor's pid, then "there" when the phase has come.
OWNER = """
import contextlib, os, sys, threading, time
from pathlib import Path
from pytest_gomem.config.gomem_yaml import load_config
from pytest_gomem.supervisor.client import SupervisorClient, LaunchRequest
from pytest_gomem.launch.launcher import Launcher, Overrides

phase, folder, server = sys.argv[1:]
supervisor = SupervisorClient()
print(supervisor.pid, flush=True)
family = [server, "--listen", "127.0.0.1:0", "--children", "2", "--setsid", "--ignore-sigterm", "--log-ready"]
start = lambda: supervisor.launch(LaunchRequest(family, dict(os.environ), folder))
there = lambda: print("there", flush=True)
if phase == "launching":
    there()
    while True:
        start()
if phase == "waiting until ready":
    launcher = Launcher(lambda: supervisor, Path(folder), 50.0)
    threading.Timer(0.2, there).start()
    launcher.launch(load_config(Path(folder, "gomem.yaml"), {}).services["api"], Overrides())
child = start()
while "listening" not in child.log()[0]:
    pass
if phase == "stopping":
    threading.Timer(0.05, there).start()
    child.stop(1000)
if phase == "reading":
    flood = supervisor.launch(LaunchRequest(["/bin/sh", "-c", "yes >&2"], dict(os.environ), folder))
    there()
    while True:
        flood.log()
if phase == "forked" and os.fork() == 0:
    time.sleep(60)
    os._exit(0)
there()
time.sleep(60)
"""
PHASES = ("launching", "waiting until ready", "running", "stopping", "reading", "forked")


class TestOwnersDeath:
    @pytest.fixture
    def die(self, programs, config, tmp_path, tagged, until):
        """Runs an owner up to a phase, kills it in a way, and waits until nothing of all is left."""
        config(binary=programs["server"], args=["--never-ready", "--listen", "127.0.0.1:{port}"], ready={"tcp": True})

        def die(phase, number, send):
            command = [sys.executable, "-c", OWNER, phase, str(tmp_path), programs["server"]]
            env = {**os.environ, **tagged.env}
            with subprocess.Popen(
                command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
            ) as owner:
                supervisor = int(owner.stdout.readline())
                assert owner.stdout.readline() == "there\n"
                send(owner.pid, number)
                if phase != "forked":  # the fork holds our pipe
                    owner.wait(PATIENCE)
            until(lambda: not is_running(supervisor))
            assert "server" not in tagged.alive().values()

        return die

    @pytest.mark.parametrize("phase", PHASES)
    def test_killed(self, die, phase):
        """kill -9 of the owner, whatever it was doing, leaves neither services nor supervisor behind."""
        die(phase, signal.SIGKILL, os.kill)

    def test_killed_with_its_group(self, die):
        """Nor does kill -9 of its whole process group, in which the supervisor is not."""
        die("running", signal.SIGKILL, os.killpg)

    @pytest.mark.parametrize("phase", PHASES[:4])
    def test_terminated(self, die, phase):
        """Neither does SIGTERM to its whole process group, as a CI runner sends it."""
        die(phase, signal.SIGTERM, os.killpg)

    @pytest.mark.parametrize("phase", PHASES[:4])
    @pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["process", "group"])
    def test_interrupted(self, die, phase, send):
        """Neither does Ctrl-C, to the owner alone or to its group."""
        die(phase, signal.SIGINT, send)


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
class TestOwnersForks:
    def test_a_forked_copy_cannot_ask(self, supervisor, start):
        """A fork of the test process is refused in words, and its copy closes without harm to the services."""
        child = start("/bin/sleep", "100")
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                supervisor.close()
                supervisor.ask("ping")
            except SupervisorError as error:
                code = 0 if "forked copy" in str(error) else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert child.state().exit is None

    def test_close_does_not_wait_for_a_fork(self, supervisor, start, tagged):
        """The supervisor ends when its owner closes, even while a fork of the owner still holds the connection."""
        start("/bin/sleep", "100", env=tagged.env)
        pid = os.fork()
        if pid == 0:
            signal.pause()
            os._exit(0)
        try:
            supervisor.close()
            assert not tagged.alive()
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


class Interrupt(Exception):
    """Raised by a signal handler, as KeyboardInterrupt and pytest-timeout do."""


class TestInterrupts:
    @pytest.fixture
    def interrupting(self, supervisor):
        """Stops the supervisor, and 50 ms later resumes it and raises Interrupt in the middle of what is being done."""

        def handler(*_):
            os.kill(supervisor.pid, signal.SIGCONT)
            raise Interrupt

        before = signal.signal(signal.SIGALRM, handler)

        @contextlib.contextmanager
        def interrupting():
            os.kill(supervisor.pid, signal.SIGSTOP)
            with pytest.raises(Interrupt):  # noqa: PT012 - it may come as soon as it is asked for
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                yield

        yield interrupting
        signal.signal(signal.SIGALRM, before)

    def test_answers_are_not_mixed_up(self, start, interrupting):
        """A request that was interrupted does not leave its answer to the next one."""
        child, other = start("/bin/sleep", "100"), start("/bin/sleep", "100")
        with interrupting():
            child.state()
        assert other.state().pid == other.pid
        assert child.log() == ("", 0)

    def test_a_half_sent_request_spoils_nothing(self, start, interrupting):
        """A request larger than the socket's buffer, interrupted while it was sent, is forgotten."""
        with interrupting():
            start("/bin/sleep", "100", env={"LARGE": "x" * 4 * MIB})
        assert start("/bin/true").wait(PATIENCE).exit.code == 0

    def test_an_interrupted_launch_leaves_nothing(self, start, interrupting, tagged, until):
        """A program whose launch was interrupted, and which nobody therefore holds, is killed."""
        with interrupting():
            start("/bin/sleep", "100", env=tagged.env)
        start("/bin/true")  # after that, the supervisor has dealt with all that was asked before
        until(lambda: not tagged.alive())

    def test_an_answer_that_nobody_reads(self, supervisor, start, until):
        """While the test process does not take an answer, the supervisor goes on draining its services."""
        child = start(*sh("exec yes 'a line of the log, of some length, written again and again' >&2"))
        until(lambda: child.state().log_end > 8 * MIB)
        supervisor._channel.send({"serial": 0, "do": "log", "id": child._key, "since": 0})
        seen = written_by(child.pid)
        until(lambda: written_by(child.pid) > seen + 100 * MIB)
        assert child.state().exit is None


class TestSupervisorsDeath:
    def test_says_so_and_cleans_up(self, supervisor, start, tagged, until):
        """Who asks a supervisor that was killed is told, and closing it ends the services that it has left."""
        child = start(*sh("setsid sleep 300 & sleep 300"), env=tagged.env)
        until(lambda: len(tagged.alive()) >= 3)
        os.kill(supervisor.pid, signal.SIGKILL)
        with pytest.raises(
            SupervisorError, match=f"the supervisor process {supervisor.pid}, which holds the services, is gone"
        ):
            child.state()
        supervisor.close()
        until(lambda: not tagged.alive())

    def test_sigterm_is_an_orderly_end(self, supervisor, start, tagged):
        """A supervisor that is asked to end takes its services along."""
        start("/bin/sleep", "100", env=tagged.env)
        os.kill(supervisor.pid, signal.SIGTERM)
        supervisor._process.wait(PATIENCE)
        assert not tagged.alive()


class TestEndings:
    def serve(self, start, until, programs, *args, **options):
        port = free_ports([""])[""]
        child = start(programs["server"], "--listen", f"127.0.0.1:{port}", "--log-ready", *args, **options)
        until(lambda: "listening" in child.log()[0])
        return child, port

    @pytest.mark.parametrize(
        ("path", "code", "words"),
        [
            ("/panic", 2, "panicked: boom (exit status 2)"),
            ("/fatal", 2, "died of a fatal runtime error: sync: unlock of unlocked mutex (exit status 2)"),
            ("/exit?code=7", 7, "ended with exit status 7"),
            ("/exit?code=2", 2, "ended with exit status 2"),
            ("/exit?code=0", 0, "ended with exit status 0"),
        ],
    )
    def test_ways_of_go(self, start, until, programs, path, code, words):
        """A panic, a fatal error of the runtime and os.Exit are told apart by what the service wrote last."""
        child, port = self.serve(start, until, programs)
        ask(port, path)
        ended = child.wait(PATIENCE).exit
        assert (ended.code, ended.signal) == (code, None)
        assert ending.describe(ended, child.log()[0]) == words

    def test_crash_by_signal(self, start, until, programs):
        """With GOTRACEBACK=crash a panic ends in SIGABRT, and is still named."""
        child, port = self.serve(start, until, programs, env={"GOTRACEBACK": "crash"})
        ask(port, "/panic")
        words = ending.describe(child.wait(PATIENCE).exit, child.log()[0])
        assert words == "was ended by SIGABRT after: panic: boom"

    def test_plain_sigkill_is_no_oom_kill(self, start):
        """A SIGKILL from outside is no proof of a lack of memory."""
        child = start("/bin/sleep", "100")
        os.kill(child.pid, signal.SIGKILL)
        ended = child.wait(PATIENCE).exit
        assert (ended.signal, ended.oom, ended.killed) == (signal.SIGKILL, "", False)
        assert "no sign of an OOM kill" in ending.describe(ended, "")

    def test_oom_kill_is_proven(self, start, until, memory_cgroup, tmp_path):
        """A process that the kernel kills for lack of memory is named so, by the counter of its cgroup that rose."""
        os.mkfifo(tmp_path / "go")
        grow = "open('go').read(); held = [bytearray(1 << 20) for _ in range(500)]"
        child = start(*sh(f'echo $$ > {memory_cgroup}/cgroup.procs; exec "$0" -I -S -c "$1"'), sys.executable, grow)
        # The counters of the cgroup are seen once a second.
        until(lambda: len(child.samples()) > 1 and child.samples()[-1].t - child.samples()[0].t > 1.5)
        until(lambda: opened(tmp_path / "go"))
        ended = child.wait(PATIENCE).exit
        assert ended.signal == signal.SIGKILL
        assert ended.oom.startswith(f"oom_kill in {memory_cgroup}/memory.")
        assert "killed by the kernel for lack of memory" in ending.describe(ended, "")

    def test_another_one_s_oom_kill_is_no_proof(self, start, until, memory_cgroup, tmp_path):
        """A SIGKILL from outside is not taken for an OOM kill because somebody else was killed by one just before."""
        child = start("/bin/sleep", "100")
        until(lambda: len(child.samples()) > 1)
        grow = "held = [bytearray(1 << 20) for _ in range(500)]"
        victim = start(*sh(f'echo $$ > {memory_cgroup}/cgroup.procs; exec "$0" -I -S -c "$1"'), sys.executable, grow)
        assert victim.wait(PATIENCE).exit.signal == signal.SIGKILL
        os.kill(child.pid, signal.SIGKILL)
        if not [path for path in oom.counters(os.getpid()) if path.startswith("/sys")]:
            pytest.skip("no cgroup counts for this process: the system's counter alone cannot tell them apart")
        assert child.wait(PATIENCE).exit.oom == ""


def ask(port, path):
    """One GET; the service may die of it before it answers."""
    with socket.create_connection(("127.0.0.1", port)) as sock, contextlib.suppress(OSError):
        sock.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        sock.recv(1)


@pytest.fixture
def memory_cgroup():
    """A cgroup of 64 MiB without swap; skips where none can be made."""
    v2 = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    folder = Path("/sys/fs/cgroup" if v2 else "/sys/fs/cgroup/memory") / f"pytest-gomem-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / ("memory.max" if v2 else "memory.limit_in_bytes")).write_text(str(64 * MIB))
    except OSError as error:
        with contextlib.suppress(OSError):
            folder.rmdir()
        pytest.skip(f"no memory cgroup can be made here: {error}")
    yield folder
    deadline = time.monotonic() + PATIENCE
    while folder.exists() and time.monotonic() < deadline:
        with contextlib.suppress(OSError):  # its last process is still ending
            folder.rmdir()


class TestWatching:
    def test_foreign_process(self, supervisor, until):
        """A process that is not ours is sampled, and lives on when we let go of it."""
        with subprocess.Popen(["/bin/sleep", "100"]) as foreign:
            try:
                watched = supervisor.watch(foreign.pid, tree=False, sample_rate=100.0)
                found = until(lambda: watched.samples() if len(watched.samples()) > 3 else None)
                assert all(sample.rss > 0 and sample.hwm >= sample.rss and sample.threads == 1 for sample in found)
                assert found[0].fds is not None
                watched.forget()
                assert foreign.poll() is None
            finally:
                foreign.kill()

    def test_samples_of_an_interval(self, start, until):
        """Samples are asked for by their times, in order, at the rate's distance or more after the first one."""
        child = start("/bin/sleep", "100", sample_rate=200.0)
        times = [sample.t for sample in until(lambda: child.samples() if len(child.samples()) > 10 else None)]
        assert times == sorted(times)
        assert [sample.t for sample in child.samples(times[2], times[5])] == times[2:6]
        assert times[-1] - times[1] >= (len(times) - 3) / 200.0

    def test_tree_is_summed(self, start, until, programs):
        """With tree=True the children's memory and threads are in each sample."""
        child = start(*sh(f"{programs['hold']} --mb 40 & {programs['hold']} --mb 40 & wait"), tree=True)
        until(lambda: any(sample.rss > 80 * MIB for sample in child.samples()))
        until(lambda: any(sample.fds and sample.fds >= 9 for sample in child.samples()))
        alone = start(*sh(f"{programs['hold']} --mb 40 & echo up; wait"))
        until(lambda: "holding" in alone.log()[0])
        assert all(sample.rss < 20 * MIB for sample in alone.samples())


class TestGcCycles:
    def test_lines_become_records(self, start, programs, until):
        """The GC lines of stderr arrive as records of the right types, by the time they were read."""
        child = start(programs["gclogger"], "--child", env={"GODEBUG": "gctrace=1"})
        child.wait(PATIENCE)
        cycles = child.gc_cycles()[0][:9]  # of 10: the program may end while the runtime prints the last one
        assert [cycle.number for cycle in cycles] == list(range(1, 10))
        assert all(
            type(cycle.number) is int and cycle.forced is True and cycle.heap_goal == 4 * MIB for cycle in cycles
        )
        assert child.started <= cycles[0].t <= cycles[-1].t <= time.monotonic()
        assert child.gc_cycles(cycles[3].t, cycles[3].t)[0][0] in cycles
        assert child.gc_cycles(until=child.started) == ((), child.gc_cycles()[1])
