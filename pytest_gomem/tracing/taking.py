"""Takes an execution trace of a running service: by its agent, or of so many seconds by its pprof endpoint."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import uuid
from pathlib import Path
from typing import Protocol

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.files import check_beginning
from pytest_gomem.base.units import BYTES, SECONDS, format_value
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.observe.agent.records import Traced
from pytest_gomem.observe.agent.unasked import TRACE_BYTES, TRACE_SECONDS
from pytest_gomem.observe.endpoint import PprofEndpoint

MOST, LONGEST = TRACE_BYTES, TRACE_SECONDS
_STARTS = b"go 1."


class Taking(Protocol):
    """A trace that is being taken."""

    def end(self) -> str:
        """The file is complete when this returns, with what ended the trace earlier, "" if nothing did.

        Raises ObserveError.
        """


class ByAgent:
    """Writes to a file from now until the end, or until a limit is reached. Raises ObserveError if it can't begin."""

    def __init__(self, agent: AgentClient, path: Path, most: int = MOST, seconds: float = LONGEST) -> None:
        self._agent, self._path = agent, path
        try:
            agent.start_trace(path, most, seconds)
        except ObserveError as error:
            raise ObserveError(f"no execution trace was begun: {_already(str(error))}") from None

    def end(self) -> str:
        """See `Taking`."""
        traced = self._agent.traced()
        check_beginning(self._path, _STARTS, "execution trace")
        return ended_words(traced)


def _already(error: str) -> str:
    if "already" not in error:
        return error
    return f"another trace of the service is on, perhaps one that the program has started itself ({error})"


def ended_words(traced: Traced) -> str:
    """What ended a trace before its time; "" if nothing did."""
    if traced.ended_by == "size":
        return f"the trace ended early, after {format_value(traced.bytes, BYTES)}: that is its limit"
    if traced.ended_by == "time":
        return f"the trace ended early, after {format_value(traced.seconds, SECONDS)}: that is its limit"
    return "the trace ended early: the program has stopped it itself" if traced.ended_by else ""


class ByEndpoint:
    """Asks net/http/pprof for a trace of so many seconds from now on; only the file's end can't come earlier."""

    def __init__(self, url: str, path: Path, seconds: float) -> None:
        self._path, self._seconds = path, seconds
        self._failed: ObserveError | OSError | None = None
        self._thread = threading.Thread(target=self._take, args=(url,), daemon=True)
        self._thread.start()

    def _take(self, url: str) -> None:
        try:
            with contextlib.closing(PprofEndpoint(url)) as endpoint:
                self._path.write_bytes(endpoint.execution_trace(self._seconds))
        except (ObserveError, OSError) as error:
            self._failed = error

    def end(self) -> str:
        """See `Taking`; waits for the last of the seconds."""
        self._thread.join()  # the request has a deadline
        if self._failed is not None:
            raise ObserveError(f"no execution trace came: {self._failed}")
        check_beginning(self._path, _STARTS, "execution trace")
        return ""


def new_file(folder: Path) -> Path:
    """A name for a trace in a private folder, where there is no such file yet."""
    return folder / f"trace-{uuid.uuid4().hex[:12]}"


def reserve(keep: Path) -> None:
    """Make an empty file that only this user can read; raises ObserveError if there is one already."""
    try:
        os.close(os.open(keep, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise ObserveError(f"the execution trace cannot be kept as {keep}: {error.strerror}") from None


def leave(path: Path, keep: Path) -> None:
    """Copy a trace into the file that was reserved for it; raises ObserveError, and leaves no half of it."""
    try:
        with path.open("rb") as source, keep.open("wb") as target:
            shutil.copyfileobj(source, target)
    except OSError as error:
        keep.unlink(missing_ok=True)
        raise ObserveError(f"the execution trace cannot be kept as {keep}: {error.strerror}") from None
