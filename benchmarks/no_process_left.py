"""Shows that no process outlives pytest, however pytest ends: SIGKILL, SIGTERM, or Ctrl-C in the middle of a test.

pytest is stopped while the test sleeps, or while a load is under way, on a service with two children of which each has
left the session. What must be gone is every descendant of pytest at that moment: supervisor, load driver, service and
its children. The peer is a service that a fixture starts by subprocess.Popen and terminates at its end.

    python benchmarks/no_process_left.py [--small]
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
from common import LISTEN, Project, ms, program, service_yaml, small_asked, table, verdict, workshop

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
PATIENCE = 60.0  # seconds until pytest must have come to the middle of its test, and have ended after the signal
LEFT_AFTER = 5.0  # seconds after the end of pytest from which on a process counts as left behind

TESTS = """
    import json, subprocess, time
    from pathlib import Path

    import pytest

    GIVEN = json.loads(Path("given.json").read_text())


    def test_sleep(go_service):
        Path("middle").touch()
        time.sleep(600)


    def test_load(go_service):
        Path("middle").touch()
        go_service.load("/sleep?ms=20", requests=100_000, connections=4)


    @pytest.fixture
    def plain():
        service = subprocess.Popen([GIVEN["server"], "--listen", "127.0.0.1:0"], start_new_session=True)
        yield service
        service.terminate()
        service.wait()


    def test_plain(plain):
        Path("middle").touch()
        time.sleep(600)
"""


@dataclass(frozen=True)
class Ending:
    """What became of a pytest and its descendants: how many there were, which were left, and how long all took."""

    descendants: int
    left: int
    seconds: float


def alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that nobody has waited for yet has ended too."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def ended_by(number: signal.Signals, project: Project, test: str) -> Ending:
    """Start pytest in a session of its own, stop it in the middle of the test, and look at what is left."""
    middle = project.folder / "middle"
    middle.unlink(missing_ok=True)
    pytest = subprocess.Popen(
        [*project.command, "-q", f"test_it.py::{test}"],
        cwd=project.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(lambda: middle.exists() or pytest.poll() is not None, PATIENCE)
    if not middle.exists():
        pytest.kill()
        raise SystemExit(f"{test} did not come to its middle")
    time.sleep(0.05)  # into the sleep or the load
    family = psutil.Process(pytest.pid).children(recursive=True)
    if number == signal.SIGINT:
        os.killpg(pytest.pid, number)  # as a terminal does
    else:
        pytest.send_signal(number)
    pytest.wait(PATIENCE)
    ended = time.monotonic()
    wait_for(lambda: not any(map(alive, family)), LEFT_AFTER)
    left = [process for process in family if alive(process)]
    for process in left:
        process.kill()
    return Ending(len(family), len(left), time.monotonic() - ended)


def row(name: str, endings: list[Ending]) -> tuple[str, ...]:
    """One line of the table."""
    clean = sum(ending.left == 0 for ending in endings)
    sizes = sorted({ending.descendants for ending in endings})
    slowest = f"{ms(median(e.seconds for e in endings))}, {ms(max(e.seconds for e in endings))}"
    return name, "/".join(map(str, sizes)), f"{clean} of {len(endings)}", f"{clean / len(endings):.2f}", slowest


def project_in(folder: Path) -> Project:
    """The project whose pytest is ended."""
    server = program("server", folder)
    yaml = service_yaml(server, (*LISTEN, "--children", "2", "--setsid"))
    return Project(folder / "project", TESTS, yaml, {"server": str(server)})


def main() -> int:
    """Measure and print."""
    rounds, peers = (1, 0) if small_asked(__doc__) else (20, 3)
    rows, missed = [], []
    with workshop() as folder:
        project = project_in(folder)
        for number in SIGNALS:
            endings = [ended_by(number, project, ("test_load", "test_sleep")[at % 2]) for at in range(rounds)]
            rows.append(row(number.name, endings))
            missed += [f"{number.name}: {e.left} of {e.descendants} processes were left" for e in endings if e.left]
        for number in SIGNALS if peers else ():
            endings = [ended_by(number, project, "test_plain") for _ in range(peers)]
            rows.append(row(f"{number.name}, peer: subprocess.Popen in a fixture", endings))
    head = ("pytest ended by", "processes", "none left", "ratio", "gone after pytest: median, slowest")
    table("processes that outlive pytest", head, rows)
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
