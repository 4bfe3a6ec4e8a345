"""One request and its answer over the agent's socket, within bounds of time and size."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from pathlib import Path

from pytest_gomem.base.clock import Deadline, Silence
from pytest_gomem.base.errors import ObserveError, ObserveTimeout

_HEADER_SIZE = 16
_HEADER = re.compile(rb"(ok|no) ([0-9]{12})\n")  # and the body's length in bytes
_MOST_BYTES = 128 << 20  # of an answer; a heap profile of 200 000 samples has some 2 MB
_FIRST_LOOK, _LONGEST_LOOK = 0.001, 0.02


class Channel:
    """A kept connection, opened when it is first needed; safe to use from several threads."""

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self.silence = Silence()

    def ask(self, *words: str, timeout: float | None = None) -> bytes:
        """The body of the answer; raises ObserveError if the agent refuses, is missing, ends or takes too long."""
        if any("\t" in word or "\n" in word for word in words):
            raise ObserveError(f"the agent's requests cannot hold a tab or a new line: {words!r}")
        deadline = Deadline(self._timeout if timeout is None else timeout)
        with self._lock, self.silence.kept():
            try:
                return self._exchange("\t".join(words).encode() + b"\n", deadline)
            except TimeoutError:
                self._drop()
                raise ObserveTimeout(
                    f"the agent of the service did not answer '{words[0]}' within {deadline.seconds:g} s"
                ) from None
            except (OSError, EOFError) as error:
                self._drop()
                raise ObserveError(f"the agent of the service is gone ({error}): has the service ended?") from None

    def open(self, timeout: float) -> None:
        """Connect to a service that was just started; raises ObserveError without a socket after `timeout` s."""
        deadline, look = Deadline(timeout), _FIRST_LOOK
        with self._lock:
            while self._socket is None:
                try:
                    self._socket = self._connect(deadline)
                except (FileNotFoundError, ConnectionRefusedError):
                    self._refuse_failed_start()
                    time.sleep(look)
                    look = min(2 * look, _LONGEST_LOOK)
                except OSError as error:
                    raise ObserveError(
                        f"no agent answers on {self._path} ({str(error) or 'it took too long'})"
                    ) from None

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        with self._lock:
            self._drop()

    def _refuse_failed_start(self) -> None:
        with contextlib.suppress(OSError):
            reason = self._path.with_name(self._path.name + ".error").read_text()
            raise ObserveError(f"the agent could not make its socket {self._path}: {reason}")

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _exchange(self, request: bytes, deadline: Deadline) -> bytes:
        if self._socket is None:
            self._socket = self._connect(deadline)
        self._socket.settimeout(deadline.left())
        self._socket.sendall(request)
        header = _HEADER.fullmatch(beginning := self._receive(_HEADER_SIZE, deadline))
        if header is None:
            raise OSError(f"{beginning!r} came instead of an answer")
        if (length := int(header[2])) > _MOST_BYTES:
            self._drop()
            raise ObserveError(f"the agent of the service announced an answer of {length} bytes, more than 128 MiB")
        body = self._receive(length, deadline)
        if header[1] == b"no":
            raise ObserveError(f"the agent of the service: {body.decode(errors='replace')}")
        return body

    def _connect(self, deadline: Deadline) -> socket.socket:
        with contextlib.ExitStack() as undo:
            connection = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            connection.settimeout(deadline.left())
            connection.connect(str(self._path))
            undo.pop_all()
        return connection

    def _receive(self, count: int, deadline: Deadline) -> bytes:
        assert self._socket is not None
        received = bytearray()
        while len(received) < count:
            self._socket.settimeout(deadline.left())
            piece = self._socket.recv(min(count - len(received), 1 << 20))
            if not piece:
                raise EOFError("it closed the connection")
            received += piece
        return bytes(received)
