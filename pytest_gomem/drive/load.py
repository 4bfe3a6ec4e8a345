"""Owns pytest's side of the load drivers: starting them, asking them, and what is said when one dies."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile

from pytest_gomem.drive.failures import refuse_forked
from pytest_gomem.drive.protocol import Message, record_from_message, spec_to_message
from pytest_gomem.drive.record import LoadRecord
from pytest_gomem.drive.spec import LoadSpec
from pytest_gomem.errors import LoadError
from pytest_gomem.helper_path import helper_path

_BOOTSTRAP = "import sys; sys.path += sys.argv[2:]; from pytest_gomem.drive.driver import main; main(int(sys.argv[1]))"
_LAST_WORDS = 4096  # bytes of a dead driver's stderr that are shown
_PATIENCE = 5.0  # seconds a driver has to end by itself


class LoadDriver:
    """Runs loads in processes of its own, started when first needed and kept; usable from several threads.

    Two loads at the same time get a process each, so that neither waits for the other.
    """

    def __init__(self) -> None:
        self._idle: list[_Process] = []
        self._owner = os.getpid()

    def prepare(self) -> None:
        """Start a process ahead of the first load, whose window would otherwise hold its start."""
        if not self._idle:
            self._idle.append(_Process())

    def run(self, spec: LoadSpec) -> LoadRecord:
        """Run one load to its end; raises LoadError when the driver process dies or cannot make such requests.

        Interrupted, it leaves no half-run load behind: that process is killed, and the next load starts another.
        """
        refuse_forked(self._owner)
        process = self._take()
        try:
            answer = process.ask(spec_to_message(spec))
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
        # -I: neither PYTHON* variables nor the working directory change what it imports; the rest of the environment
        # may be needed to start Python at all (LD_LIBRARY_PATH) or to trust a server (SSL_CERT_FILE).
        command = [sys.executable, "-I", "-S", "-c", _BOOTSTRAP, str(os.getpid()), *helper_path("urllib3")]
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - kill() closes it
        self._popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr)

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def ask(self, message: Message) -> Message:
        """Send one request and wait for its answer; raises LoadError when the process is gone."""
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        line = b""
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.write(json.dumps(message).encode() + b"\n")
            self._popen.stdin.flush()
            line = self._popen.stdout.readline()
        if not line.endswith(b"\n"):
            raise LoadError(self._obituary())
        answer: Message = json.loads(line)
        return answer

    def _obituary(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(_PATIENCE)
        code = self._popen.returncode
        how = "closed its output" if code is None else _ending(code)
        self._stderr.seek(max(0, self._stderr.seek(0, os.SEEK_END) - _LAST_WORDS))
        words = self._stderr.read().decode(errors="replace").rstrip()
        return f"the process that sends the load (pid {self._popen.pid}) {how} in the middle of it\n{words}".rstrip()

    def close(self) -> None:
        """Ask it to end by closing its stdin."""
        assert self._popen.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._popen.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(_PATIENCE)
        self.kill()

    def kill(self) -> None:
        """End it at once and let go of its files."""
        self._popen.kill()
        self._popen.wait()
        for file in (self._popen.stdin, self._popen.stdout, self._stderr):
            assert file is not None
            with contextlib.suppress(BrokenPipeError):  # what was not flushed has no reader any more
                file.close()


def _ending(code: int) -> str:
    return f"exited with status {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"
