"""Ctrl-C in a terminal where a command of ours runs pytest: its fixtures are torn down, however long that takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

TESTS = """
import time
from pathlib import Path
import pytest

@pytest.fixture
def database():
    yield
    time.sleep(1)
    Path("torn-down").touch()

def test_long(database):
    with open("ready", "w") as told:
        told.write("running")
    while True:  # an interrupt just before one long sleep would wait for its end
        time.sleep(0.1)
"""
COMMAND = "from pytest_gomem.commands.cli import run; run()"
CAPTURED = "from pytest_gomem.commands.pytest_run import run_pytest; run_pytest(['-q'], captured=True)"


@pytest.mark.parametrize(
    ("code", "args", "status"), [(COMMAND, ("baseline", "update"), 130), (CAPTURED, (), -signal.SIGINT)]
)
def test_ctrl_c_waits_for_the_teardown(tmp_path, code, args, status):
    """What the first Ctrl-C begins is not cut off by us."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(TESTS)
    os.mkfifo(tmp_path / "ready")
    running = subprocess.Popen(
        [sys.executable, "-c", code, *args],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert (tmp_path / "ready").read_text() == "running"
    os.killpg(running.pid, signal.SIGINT)
    assert running.wait(60) == status
    assert (tmp_path / "torn-down").exists()
