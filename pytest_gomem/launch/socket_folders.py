"""Owns where the sockets of agents are: in folders whose paths are short enough for a Unix socket."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from pytest_gomem.base.files import run_folder

SOCKET = "socket"
_LONGEST = 103  # bytes: sockaddr_un holds 108 of them on Linux, 104 on macOS, the last one a NUL
_PREFIX = "gomem-sockets-"
_NAME = "x" * len("agent-12345678") + "/" + SOCKET


class SocketFolders:
    """Makes private folders in the run's own one; where TMPDIR is too long for that, in a short one beside it."""

    def __init__(self, run_dir: Path) -> None:
        self._parent = run_dir / "tmp"
        self._short = contextlib.ExitStack()

    def new(self) -> Path:
        """A new folder; its owner removes it."""
        if not _fits(self._parent):
            self._parent = self._short_parent()
        self._parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="agent-", dir=self._parent))

    def _short_parent(self) -> Path:
        for parent in filter(None, ("/tmp", "/var/tmp", os.environ.get("XDG_RUNTIME_DIR"))):
            if _fits(Path(parent, "x" * len(f"{_PREFIX}12345678"))):
                with contextlib.suppress(OSError):  # a system may have none, or let nobody write there
                    return self._short.enter_context(run_folder(_PREFIX, parent))
        return self._parent  # whoever connects says what is wrong

    def close(self) -> None:
        """Remove the short folder, if there is one."""
        self._short.close()


def _fits(parent: Path) -> bool:
    return len(os.fsencode(parent / _NAME)) <= _LONGEST
