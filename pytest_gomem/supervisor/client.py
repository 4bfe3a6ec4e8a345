"""pytest's side of the supervisor: starts it, asks it, waits for what it holds, and runs commands in its care."""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from pytest_gomem.base.errors import SupervisorError
from pytest_gomem.base.processes import Ends, Output, Runner, helper_path, is_stopped
from pytest_gomem.cgroup.reading import GroupReading
from pytest_gomem.observe.records import GcCycle, Sample
from pytest_gomem.supervisor.protocol import Channel, ChildState, HelperRequest, LaunchRequest, Message
from pytest_gomem.supervisor.timeline import cycles, samples

_BOOTSTRAP = (
    "import sys; sys.path += sys.argv[3:];"
    "from pytest_gomem.supervisor.loop import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)
_FIRST_LOOK, _LONGEST_LOOK = 0.001, 0.02
_LOOK_AT_SUPERVISOR = 0.5
_SILENCE = 60.0  # seconds without an answer, then a supervisor is given up; a launch takes at most 10
_SILENCE_STOPPED = 5.0  # the same for one that is stopped (SIGSTOP, debugger)
_END = 40.0  # seconds that a supervisor may take to end its services
FOREVER = float("inf")


class SupervisorClient:
    """A running supervisor; safe to use from several threads."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        numbers = [str(theirs.fileno()), str(os.getpid())]
        command = [sys.executable, "-I", "-S", "-c", _BOOTSTRAP, *numbers, *helper_path("psutil")]
        with theirs:
            self._process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
            )
        self._channel = Channel(ours, _SILENCE)
        self._lost = ""
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._serials = itertools.count(1)
        self._keys = itertools.count(1)
        self._has_groups = False

    @property
    def pid(self) -> int:
        """Pid of the supervisor process."""
        return self._process.pid

    @property
    def is_lost(self) -> bool:
        """Whether it was killed or given up: its services have ended or will be, and it cannot be asked."""
        return os.getpid() == self._owner and (bool(self._lost) or self._process.poll() is not None)

    def ask(self, do: str, **arguments: object) -> Message:
        """Send a request and return its answer; raises SupervisorError if it is gone, silent too long, or refuses."""
        if os.getpid() != self._owner:
            raise SupervisorError("gomem objects belong to the process that made them: this is a forked copy")
        with self._lock:
            if self._lost:
                raise SupervisorError(self._lost)
            try:
                serial = next(self._serials)
                self._channel.send({"serial": serial, "do": do, **arguments})
                answer = self._answer_to(serial)
            except OSError as error:
                self._lost = f"the supervisor process {self.pid}, which holds the services, {self._what_became(error)}"
                raise SupervisorError(self._lost) from None
        if "error" in answer:
            raise SupervisorError(str(answer["error"]))
        return answer

    def _answer_to(self, serial: int) -> Message:
        asked = time.monotonic()
        while True:
            while not self._channel.has_come(_LOOK_AT_SUPERVISOR):
                silence = time.monotonic() - asked
                if silence > (_SILENCE_STOPPED if is_stopped(self.pid) else _SILENCE):
                    raise TimeoutError(f"{silence:.0f} s")
            for message in self._channel.receive():
                if message["serial"] == serial:  # another serial answers an interrupted request
                    return message

    def _what_became(self, error: OSError) -> str:
        if isinstance(error, TimeoutError):
            stopped = "is stopped (SIGSTOP, or a debugger)" if is_stopped(self.pid) else "does not answer"
            return f"{stopped}: it was given up after {error}"
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self._process.wait(_LOOK_AT_SUPERVISOR)
            return (
                f"is gone: it was killed by {signal.Signals(-status).name}" if status < 0 else "is gone: it has ended"
            )
        return f"is gone: {error}"

    def launch(self, request: LaunchRequest) -> KeptChild:
        """Start a program; raises SupervisorError with the system's message if it cannot be started."""
        self._has_groups = self._has_groups or request.memory_limit is not None
        return self._start("launch", request)

    def help(self, request: HelperRequest) -> KeptChild:
        """Start a command that runs to its end, such as a build; raises SupervisorError as `launch` does."""
        return self._start("help", request)

    def _start(self, do: str, request: LaunchRequest | HelperRequest) -> KeptChild:
        key = next(self._keys)
        try:
            answer = self.ask(do, id=key, **{do: asdict(request)})
        except SupervisorError:
            raise
        except BaseException:  # interrupted: it may be running, and nobody else could stop it
            with contextlib.suppress(SupervisorError):
                self.ask("forget", id=key)
            raise
        return KeptChild(self, key, ChildState.from_message(answer["state"]))

    def watch(self, pid: int, *, tree: bool, sample_rate: float) -> Watched:
        """Sample a process that is not ours."""
        key = next(self._keys)
        self.ask("watch", id=key, pid=pid, tree=tree, sample_rate=sample_rate)
        return Watched(self, key)

    def close(self) -> None:
        """Let the supervisor kill what is left, and end; if it was killed or is stopped, kill what it has left."""
        if os.getpid() == self._owner:
            with contextlib.suppress(OSError):  # it is gone already
                self._channel.shutdown()
            if self._end() < 0:
                from pytest_gomem.supervisor.family import kill_orphans_of

                kill_orphans_of(self.pid)
                if self._has_groups:
                    from pytest_gomem.cgroup.ways import remove_leftovers

                    remove_leftovers()
        self._channel.close()

    def _end(self) -> int:
        """Wait for the supervisor's exit status; it is killed if it does not end by itself."""
        asked = time.monotonic()
        while not self._lost:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self._process.wait(_LOOK_AT_SUPERVISOR)
            if time.monotonic() - asked > (_SILENCE_STOPPED if is_stopped(self.pid) else _END):
                break
        self._process.kill()
        return self._process.wait()


class Watched:
    """A sampled process."""

    def __init__(self, supervisor: SupervisorClient, key: int) -> None:
        self._supervisor = supervisor
        self._key = key

    def samples(self, since: float = 0.0, until: float = FOREVER) -> tuple[Sample, ...]:
        """The timeline between two CLOCK_MONOTONIC instants."""
        return samples(self._ask("samples", since=since, until=min(until, sys.float_info.max))["columns"])

    def forget(self) -> None:
        """Stop sampling and drop the recordings; the process goes on."""
        with contextlib.suppress(SupervisorError):
            self._ask("unwatch")

    def _ask(self, do: str, **arguments: object) -> Message:
        return self._supervisor.ask(do, id=self._key, **arguments)


class KeptChild(Watched):
    """A program that the supervisor launched."""

    def __init__(self, supervisor: SupervisorClient, key: int, first: ChildState) -> None:
        super().__init__(supervisor, key)
        self.pid = first.pid
        self.started = first.started
        self._is_served_by_another = False

    def state(self) -> ChildState:
        """Its state now."""
        return ChildState.from_message(self._ask("state")["state"])

    def serve_by(self, pid: int) -> None:
        """Sample another process of the family from now on, the one that serves, and report its end too.

        Raises SupervisorError if it has ended already.
        """
        self._ask("serve_by", pid=pid)
        self._is_served_by_another = True

    def log(self, since: int = 0) -> tuple[str, int]:
        """Its output from byte `since` on, if still kept, and the offset of its end."""
        answer = self._ask("log", since=since)
        return base64.b64decode(answer["log"]).decode(errors="replace"), answer["end"]

    def gc_cycles(self, since: float = 0.0, until: float = FOREVER) -> tuple[tuple[GcCycle, ...], int]:
        """GC cycles read between two instants, and how many lines were rejected since the start."""
        answer = self._ask("gctrace", since=since, until=min(until, sys.float_info.max))
        return cycles(answer["columns"]), answer["rejected"]

    def read_group(self, reset_peak: bool = False) -> GroupReading:
        """The figures of its memory cgroup; reset_peak: and let the peaks begin anew afterwards.

        Sampled ones always do; the kernel's own on v1, and on v2 from Linux 6.12: `peak_since` of the next one tells.
        Raises SupervisorError if the service has no memory limit.
        """
        return GroupReading(**self._ask("read_group", reset_peak=reset_peak)["group"])

    def raise_limit(self, limit: int) -> None:
        """Set a higher memory limit, in bytes; raises SupervisorError."""
        self._ask("raise_limit", limit=limit)

    def wait(self, timeout: float, end: Callable[[ChildState], object] = lambda state: state.exit) -> ChildState:
        """Wait until the program has ended, at most `timeout` seconds; the state shows whether it has.

        end: returns None until the end that is waited for has come.
        """
        return self._wait_until(lambda state: end(state) is not None, timeout)

    def stop(self, grace: float) -> ChildState:
        """SIGTERM, then after `grace` seconds SIGKILL, until nothing of the family is left."""
        self._ask("terminate", grace=grace)
        # The kernel takes long to end a killed process of many GB; the supervisor goes on killing meanwhile.
        return self._wait_until(lambda state: self._has_all_ended(state) and not self.members(), grace + 30.0)

    def _has_all_ended(self, state: ChildState) -> bool:
        return state.exit is not None and (state.serving_exit is not None or not self._is_served_by_another)

    def kill(self) -> None:
        """SIGKILL to the whole family."""
        self._ask("kill")

    def members(self) -> list[int]:
        """Living pids of the family."""
        members: list[int] = self._ask("members")["members"]
        return members

    def forget(self) -> None:
        """Drop the recordings; kills what still runs."""
        with contextlib.suppress(SupervisorError):
            self._ask("forget")

    def _wait_until(self, done: Callable[[ChildState], bool], timeout: float) -> ChildState:
        deadline, look = time.monotonic() + timeout, _FIRST_LOOK
        while True:
            state = self.state()
            if done(state) or time.monotonic() >= deadline:
                return state
            time.sleep(look)
            look = min(2 * look, _LONGEST_LOOK)


def supervised(supervisor: Callable[[], SupervisorClient], parent: Path) -> Runner:
    """A runner for `base.commands.run_by`; meanwhile each command's output is in a folder below `parent`."""

    def run(command: Sequence[str], cwd: Path, env: Mapping[str, str], ends: Ends) -> Output | None:
        client = supervisor()
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, prefix="helper-") as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            try:
                helper = client.help(HelperRequest(list(command), dict(env), str(cwd), str(out), str(err)))
            except SupervisorError as error:
                if client.is_lost:
                    raise
                raise OSError(str(error)) from None
            try:
                if not ends(lambda seconds: helper.wait(seconds).exit is not None):
                    return None
                ended = helper.state().exit
            finally:
                helper.forget()
            assert ended is not None
            return -ended.signal if ended.signal else ended.code or 0, out.read_bytes(), err.read_bytes()

    return run
