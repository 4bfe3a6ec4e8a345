"""Owns running a command line as a user types it, with the commands of this environment in front."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def shell(folder: Path, command: str, **env: str) -> subprocess.CompletedProcess[str]:
    """All that it prints is in `stdout`."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "120", **env},
        shell=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
    )
