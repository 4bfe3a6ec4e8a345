"""Builds and the Go command: slow, hanging, or going on when pytest is killed. The Go command is a script here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

PATIENCE = 60.0
GO = """#!/bin/sh
echo "$1" >> {folder}/asked
case $1 in
version) {version} ;;
build) {build} ;;
esac
"""
ANSWERS = "echo go version go1.26.0 linux/amd64"
FASTER = """
from pytest_gomem.base import processes
from pytest_gomem.launch import launcher, toolchain

processes.SLOW = launcher.SLOW = 0.1
toolchain._VERSION_SECONDS = 0.5
"""


@pytest.fixture
def project(scenario, tmp_path, monkeypatch):
    """A service that is built by a Go command of the given shell: project(version=..., build=..., package=...)."""

    def project(version=ANSWERS, build="exit 1", package="./cmd/api"):
        bin_dir = tmp_path / "bin"
        bin_dir.mkdir(exist_ok=True)
        (bin_dir / "go").write_text(GO.format(folder=tmp_path, version=version, build=build))
        (bin_dir / "go").chmod(0o755)
        monkeypatch.setenv("PATH", str(bin_dir), prepend=os.pathsep)
        return scenario(
            """
            @pytest.mark.parametrize("number", range(2))
            def test_it(gomem, number):
                gomem.launch("built")
            """,
            more_services=f'built: {{build: "{package}", agent: false}}',
            conftest=FASTER,
        )

    return project


def asked(folder: Path) -> list[str]:
    return (folder / "asked").read_text().split()


def test_slow_build_is_announced(project):
    """One line says what is built, once, on a line of its own, though output is captured; none under -q.

    No name in it makes a terminal do anything.
    """
    made = project(build="sleep 0.5; echo no such luck >&2; exit 1", package=r"./cmd/\e[31mapi")
    line = r"gomem: building ./cmd/\x1b[31mapi (0.1 s so far; Go compiles it once)..."
    outcome = made.run()
    assert f"\ntest_it.py \n{line}\ntest_it.py FF " in outcome.text
    assert outcome.text.count("gomem: building") == 1
    assert "no such luck" in outcome.text
    assert asked(made.folder).count("build") == 1
    assert made.run("-n2").text.count(f"\n{line}\n") == 1
    assert "gomem: building" not in made.run("-q").text


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])
def test_hanging_go_is_asked_once(project, workers):
    """A Go that does not answer is named, and given no second chance to hold the run up, by no worker."""
    made = project(version="exec sleep 300")
    outcome = made.run(*workers)
    assert outcome.status == 1
    assert "go version` did not answer within 0.5 s: is that a working Go? install Go" in outcome.text
    assert "2 failed" in outcome.text
    assert asked(made.folder) == ["version"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_build_outlives_pytest(project):
    """kill -9 of pytest ends the build that it waits for, and what that has started."""
    made = project(build="sleep 300 & echo $! $$ > new; mv new pids; sleep 300")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest"]
    with subprocess.Popen(command, cwd=made.folder, stdout=subprocess.DEVNULL) as run:
        try:
            pids = [int(pid) for pid in waited_for(made.folder / "pids").split()]
        finally:
            run.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while left := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def waited_for(file: Path) -> str:
    deadline = time.monotonic() + PATIENCE
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return file.read_text()


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
