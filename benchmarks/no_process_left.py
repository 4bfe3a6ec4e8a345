"""Shows that nothing outlives pytest, however pytest ends: SIGKILL, SIGTERM, or Ctrl-C in the middle of a test.

pytest is stopped while the test sleeps, or while a load is under way, on a service with two children of which each has
left the session. What must be gone is every descendant of pytest at that moment: supervisor, load driver, service and
its children. The service has a memory limit where this machine permits it, and its memory cgroup must be gone too.
Last, pytest and its supervisor are both killed by SIGKILL, and the next run has to remove the group. The peer is a
service that a fixture starts by subprocess.Popen and terminates at its end.

    python benchmarks/no_process_left.py [--small]
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

import psutil
from common import LISTEN, Project, ms, program, service_yaml, small_asked, table, verdict, workshop

from pytest_gomem.base.errors import GomemError
from pytest_gomem.cgroup.hierarchy import hierarchies
from pytest_gomem.commands.limit_trial import memory_limit_words

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
    """What became of a pytest: how many descendants and memory cgroups it had, how many were left, how long it took."""

    descendants: int
    groups: int
    left: int
    groups_left: int
    seconds: float

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left."""
        return not self.left and not self.groups_left


def alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that nobody has waited for yet has ended too."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def groups_of(pids: Iterable[int]) -> list[Path]:
    """The folders of memory cgroups that these processes own."""
    begins = tuple(f"pytest-gomem-{pid}-" for pid in pids)
    # os.walk passes over what vanishes meanwhile, as groups of other runs do.
    folders = [Path(folder) for hierarchy in hierarchies() for folder, _, _ in os.walk(hierarchy.root)]
    return [folder for folder in folders if folder.name.startswith(begins) and not folder.name.endswith(".scope")]


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
    pytest = in_the_middle(project, test)
    family = psutil.Process(pytest.pid).children(recursive=True)
    groups = groups_of(process.pid for process in family)
    if number == signal.SIGINT:
        os.killpg(pytest.pid, number)  # as a terminal does
    else:
        pytest.send_signal(number)
    pytest.wait(PATIENCE)
    ended = time.monotonic()
    wait_for(lambda: not any(map(alive, family)) and not any(group.exists() for group in groups), LEFT_AFTER)
    left = [process for process in family if alive(process)]
    for process in left:
        process.kill()
    groups_left = sum(group.exists() for group in groups)
    return Ending(len(family), len(groups), len(left), groups_left, time.monotonic() - ended)


def killed_with_its_supervisor(project: Project) -> Ending:
    """Kill both, so that nobody is left to clean up, and let another run come and end."""
    pytest = in_the_middle(project, "test_sleep")
    family = psutil.Process(pytest.pid).children(recursive=True)
    groups = groups_of(process.pid for process in family)
    for process in (*(one for one in family if one.ppid() == pytest.pid), pytest):
        process.kill()
    pytest.wait(PATIENCE)
    ended = time.monotonic()
    following = in_the_middle(project, "test_sleep")
    left = [process for process in family if alive(process)]
    groups_left = sum(group.exists() for group in groups)
    gone = time.monotonic() - ended
    following.terminate()
    following.wait(PATIENCE)
    for process in left:
        process.kill()
    return Ending(len(family), len(groups), len(left), groups_left, gone)


def in_the_middle(project: Project, test: str) -> subprocess.Popen[bytes]:
    """A pytest that is in the middle of the test."""
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
    return pytest


def row(name: str, endings: list[Ending]) -> tuple[str, ...]:
    """One line of the table."""
    clean = sum(ending.is_clean for ending in endings)
    sizes = sorted({ending.descendants for ending in endings})
    slowest = f"{ms(median(e.seconds for e in endings))}, {ms(max(e.seconds for e in endings))}"
    groups = "/".join(map(str, sorted({ending.groups for ending in endings})))
    return name, "/".join(map(str, sizes)), groups, f"{clean} of {len(endings)}", f"{clean / len(endings):.2f}", slowest


@cache
def limit() -> str:
    """The memory limit for the service, "" where there can be none."""
    try:
        memory_limit_words()
    except GomemError as error:
        print(f"without a memory limit: {error}")
        return ""
    return "    memory_limit: 512MiB\n"


def project_in(folder: Path) -> Project:
    """The project whose pytest is ended."""
    server = program("server", folder)
    yaml = service_yaml(server, (*LISTEN, "--children", "2", "--setsid")) + limit()
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
            missed += [f"{number.name}: {e.groups_left} groups were left" for e in endings if e.groups_left]
        if limit() and peers:
            endings = [killed_with_its_supervisor(project) for _ in range(rounds)]
            rows.append(row("SIGKILL, and its supervisor", endings))
            missed += [f"of a killed supervisor, {e} stayed" for e in endings if not e.is_clean]
        for number in SIGNALS if peers else ():
            endings = [ended_by(number, project, "test_plain") for _ in range(peers)]
            rows.append(row(f"{number.name}, peer: subprocess.Popen in a fixture", endings))
    head = ("pytest ended by", "processes", "groups", "none left", "ratio", "gone after pytest: median, slowest")
    table("processes that outlive pytest", head, rows)
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
