"""Where agents' sockets are made: a socket can be bound there, whatever TMPDIR is, and nothing is left."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from pytest_gomem.launch.launched import SOCKET, SocketFolders


@pytest.mark.parametrize("depth", [0, 60, 200])
def test_a_socket_can_be_bound(tmp_path: Path, depth: int) -> None:
    """Each folder is private and new, in the run's own where that is short enough, and gone at the end."""
    run_dir = Path("/", *tmp_path.parts[1:], "d" * depth)
    run_dir.mkdir(exist_ok=True)
    with contextlib.closing(SocketFolders(run_dir)) as folders:
        made = [folders.new(), folders.new()]
        for folder in made:
            assert folder.stat().st_mode & 0o777 == 0o700
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(str(folder / SOCKET))
        assert made[0] != made[1]
        own_is_short = len(f"{run_dir}/tmp/agent-12345678/{SOCKET}") < 104
        assert made[0].is_relative_to(run_dir) == own_is_short
    assert made[0].exists() == own_is_short  # the run's folder goes with the run
