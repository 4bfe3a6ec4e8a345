"""Owns a command that runs to its end in the keeper's care, as a build does: its output goes to files."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from pytest_gomem.keeper.kept import Kept
from pytest_gomem.keeper.protocol import HelperRequest
from pytest_gomem.keeper.spawn import LAUNCH_MARK


class Helper(Kept):
    """A running command, alone in its session, with nothing on stdin; raises OSError when it cannot be started."""

    def __init__(self, request: HelperRequest, mark: str) -> None:
        started = time.monotonic()
        with Path(request.stdout).open("wb") as out, Path(request.stderr).open("wb") as err:
            process = subprocess.Popen(
                request.argv,
                env={**request.env, LAUNCH_MARK: mark},
                cwd=request.cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        process.returncode = 0  # the keeper's own wait4 reaps it
        super().__init__(process.pid, mark, started)
