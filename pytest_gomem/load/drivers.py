"""pytest's side of the load drivers: starts them, sends them loads, and says why one died."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile

from pytest_gomem.base.clock import Deadline
from pytest_gomem.base.errors import LoadError
from pytest_gomem.base.processes import helper_path, is_stopped
from pytest_gomem.load.failures import refuse_forked
from pytest_gomem.load.spec import LoadRecord, LoadSpec, Message, record_from_message, spec_to_message

_BOOTSTRAP = "import sys; sys.path += sys.argv[2:]; from pytest_gomem.load.driver import main; main(int(sys.argv[1]))"
_LAST_WORDS = 4096  # bytes of a dead driver's stderr that are shown
_PATIENCE = 5.0  # seconds a driver has to end by itself
_LOOK = 0.5  # seconds between looks at a silent driver
_STOPPED_LOOKS = 10  # in a row that find it stopped, then it is given up; Ctrl-Z stops it and pytest together
_SLACK = 60.0  # seconds that a driver has besides the requests, to start and to send its figures
_PIECE = 1 << 20


class LoadDriver:
    """Runs loads in separate processes, started when needed and kept; usable from several threads.

    Two loads at the same time get a process each.
    """

    def __init__(self) -> None:
        self._idle: list[_Process] = []
        self._owner = os.getpid()

    def prepare(self) -> None:
        """Start a process before the first load, so that its start is not in the load's window."""
        if not self._idle:
            self._idle.append(_Process())

    def run(self, spec: LoadSpec) -> LoadRecord:
        """Run a load to its end; raises LoadError if the driver dies, is stopped or cannot make such requests.

        If it is interrupted, the process is killed, and the next load starts another.
        """
        refuse_forked(self._owner)
        process = self._take()
        try:
            answer = process.ask(spec_to_message(spec), 2 * spec.longest + _SLACK)
        except BaseException:
            process.kill()
            raise
        self._idle.append(process)
        if "error" in answer:
            raise LoadError(f"load of {spec.url}{spec.path}: {answer['error']}")
        return record_from_message(answer)

    def _take(self) -> _Process:
        while True:
            try:
                process = self._idle.pop()
            except IndexError:
                return _Process()
            if process.alive:
                return process
            process.kill()

    def close(self) -> None:
        """Let the idle processes end; a later run starts another."""
        while self._idle:
            self._idle.pop().close()


class _Process:
    """One driver process, running as long as its stdin is open."""

    def __init__(self) -> None:
        # -I: PYTHON* variables and the working directory do not change what it imports. Other variables may be needed
        # to start Python (LD_LIBRARY_PATH) or to trust a server (SSL_CERT_FILE).
        command = [sys.executable, "-I", "-S", "-c", _BOOTSTRAP, str(os.getpid()), *helper_path("urllib3")]
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - kill() closes it
        self._popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr)
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._stdin, self._stdout = self._popen.stdin.fileno(), self._popen.stdout.fileno()
        os.set_blocking(self._stdin, False)  # we must not wait for a stopped process in the middle of a request

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def ask(self, message: Message, seconds: float) -> Message:
        """Send a request and wait for its answer, at most that long.

        Raises LoadError if the process is gone, stopped, or not done in time.
        """
        try:
            line = self._answer_to(json.dumps(message).encode() + b"\n", Deadline(seconds))
        except BrokenPipeError:
            raise LoadError(self._obituary()) from None
        except TimeoutError:
            raise LoadError(f"{self._name} did not end within {seconds:.0f} s: it was given up") from None
        answer: Message = json.loads(line)
        return answer

    def _answer_to(self, request: bytes, deadline: Deadline) -> bytes:
        """The answer; raises BrokenPipeError if the process is gone, TimeoutError, LoadError if it is stopped."""
        unsent, answer, stopped = memoryview(request), bytearray(), 0
        pipes = select.poll()
        pipes.register(self._stdin, select.POLLOUT)
        pipes.register(self._stdout, select.POLLIN)
        while not answer.endswith(b"\n"):
            ready = dict(pipes.poll(1e3 * min(_LOOK, deadline.left())))
            if self._stdin in ready:
                unsent = unsent[os.write(self._stdin, unsent) :]
                if not unsent:
                    pipes.unregister(self._stdin)
            if self._stdout in ready:
                answer += (piece := os.read(self._stdout, _PIECE))
                if not piece:
                    raise BrokenPipeError
            stopped = stopped + 1 if not ready and is_stopped(self._popen.pid) else 0
            if stopped == _STOPPED_LOOKS:
                after = f"{stopped * _LOOK:g} s"
                raise LoadError(f"{self._name} is stopped (SIGSTOP, or a debugger): it was given up after {after}")
        return bytes(answer)

    @property
    def _name(self) -> str:
        return f"the process that sends the load (pid {self._popen.pid})"

    def _obituary(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(_PATIENCE)
        code = self._popen.returncode
        how = "closed its output" if code is None else _ending(code)
        self._stderr.seek(max(0, self._stderr.seek(0, os.SEEK_END) - _LAST_WORDS))
        words = self._stderr.read().decode(errors="replace").rstrip()
        return f"{self._name} {how} in the middle of it\n{words}".rstrip()

    def close(self) -> None:
        """Ask it to end by closing its stdin."""
        assert self._popen.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(_PATIENCE)
        self.kill()

    def kill(self) -> None:
        """End it at once and close its files."""
        self._popen.kill()
        self._popen.wait()
        for file in (self._popen.stdin, self._popen.stdout, self._stderr):
            assert file is not None
            with contextlib.suppress(BrokenPipeError):  # nobody reads the rest
                file.close()


def _ending(code: int) -> str:
    return f"exited with status {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
