"""A launched program: how it was started, its agent's socket, and how to discard it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_gomem.base.errors import MeasureError, SupervisorError
from pytest_gomem.base.files import run_folder
from pytest_gomem.config.gc_settings import GcSettings
from pytest_gomem.config.memory_limit import MemoryLimitSettings
from pytest_gomem.config.services import ServiceConfig
from pytest_gomem.config.tokens import unexpanded
from pytest_gomem.launch.build import BinaryInfo
from pytest_gomem.launch.serving import Serving
from pytest_gomem.launch.sides import Source
from pytest_gomem.supervisor.client import KeptChild

SOCKET = "socket"
_LONGEST = 103  # bytes: sockaddr_un holds 108 of them on Linux, 104 on macOS, the last one a NUL
_PREFIX = "gomem-sockets-"
_NAME = "x" * len("agent-12345678") + "/" + SOCKET


class SocketFolders:
    """Makes private folders in the run's folder, or in a short one if TMPDIR is too long."""

    def __init__(self, run_dir: Path) -> None:
        self._parent = run_dir / "tmp"
        self._short = contextlib.ExitStack()

    def new(self) -> Path:
        """A new folder, which the caller removes."""
        if not _fits(self._parent):
            self._parent = self._short_parent()
        self._parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="agent-", dir=self._parent))

    def _short_parent(self) -> Path:
        for parent in filter(None, ("/tmp", "/var/tmp", os.environ.get("XDG_RUNTIME_DIR"))):
            if _fits(Path(parent, "x" * len(f"{_PREFIX}12345678"))):
                with contextlib.suppress(OSError):  # it may be missing, or not writable
                    return self._short.enter_context(run_folder(_PREFIX, parent))
        return self._parent  # the error comes when something connects

    def close(self) -> None:
        """Remove the short folder, if there is one."""
        self._short.close()


def _fits(parent: Path) -> bool:
    return len(os.fsencode(parent / _NAME)) <= _LONGEST


@dataclass(frozen=True)
class Built:
    """A binary with its build information, and what it was built from."""

    binary: Path
    info: BinaryInfo
    source: Source


@dataclass(frozen=True)
class Launched:
    """A running program and how it was started.

    socket: where the agent in it listens; None without one, for the reason `no_agent`. record: the folder that the
    agent of a program that ends writes to; None for services. no_end: why it does not see the end, "" if it does.
    serving: the process to measure, not always the child. profile_rate: bytes per heap profile sample, if not Go's own.
    startup_peak: the kernel's peak when it was ready, bytes; None if nothing was waited for, or there is no peak.
    hidden: values that must not be shown, from `values_of_variables`. memory_limit: what it may use, None for no limit.
    """

    config: ServiceConfig
    child: KeptChild
    serving: Serving
    argv: tuple[str, ...]
    env: Mapping[str, str]
    ports: Mapping[str, int]
    tmp: Path
    gc: GcSettings
    binary: BinaryInfo
    port_tries: int
    socket: Path | None
    no_agent: str
    source: Source
    profile_rate: int | None = None
    startup_peak: int | None = None
    hidden: Mapping[str, str] = field(default_factory=dict)
    record: Path | None = None
    no_end: str = ""
    memory_limit: MemoryLimitSettings | None = None

    @property
    def built(self) -> Built:
        """What runs, and what it was built from."""
        return Built(Path(self.argv[0]), self.binary, self.source)

    def port(self, name: str | int | None = None) -> int:
        """The port of that name, else the unnamed one, or the only one; raises MeasureError."""
        ports, service = self.ports, f"service '{self.config.name}'"
        if name is not None:
            if not isinstance(name, str) or name not in ports:
                raise MeasureError(f"{service} has no port '{name}'; its ports: {', '.join(ports) or 'none'}")
            return ports[name]
        if "" in ports or len(ports) == 1:
            return ports.get("", next(iter(ports.values())))
        if not ports:
            raise MeasureError(
                f"{service} was given no port: write {{port}} into its args or env in gomem.yaml, "
                "as in 127.0.0.1:{port}"
            )
        raise MeasureError(f"{service} has no unnamed {{port}}: name one of its ports ({', '.join(ports)})")

    def shown(self, text: str) -> str:
        """The text with the names of variables in place of their values."""
        return unexpanded(text, self.hidden)

    def log(self) -> str:
        """The kept end of its output, as it wrote it."""
        return self.child.log()[0]

    def shown_log(self) -> str:
        """The end of its output, without hidden values."""
        return self.shown(self.log())

    def remove_folders(self) -> None:
        """Remove the folders made for this launch."""
        remove_folders(self.tmp, self.socket.parent if self.socket else self.record)


def remove_folders(tmp: Path, of_agent: Path | None) -> None:
    """Remove the private folders of a launch: its own, and its agent's."""
    for folder in (tmp, *([of_agent] if of_agent else ())):
        shutil.rmtree(folder, ignore_errors=True)


def discard(launched: Launched) -> None:
    """Stop a launched program at once, and drop its recordings."""
    with contextlib.suppress(SupervisorError):  # a supervisor that is gone has ended its services
        launched.child.stop(grace=0.0)
    launched.child.forget()
    launched.remove_folders()
