"""Shows what the plugin costs in time: at every start of pytest, and for each measured test.

Start: `pytest --collect-only`, 40 interleaved pairs with the plugin and without it (-p no:gomem), in a project that
does not use it, in one with a gomem.yaml, and where nothing else is installed (plugin autoload off). Limit, where a
project does not use it: 10 ms more by the median; the fastest runs and the CPU time, which other programs disturb less,
stand beside it, the CPU time also as a share of what pytest takes without the plugin (the aim is 2.5%).
Test: a go_service test with an empty body against launching the same binary by hand until it is ready, turn by turn in
one pytest; the service's own start is theirs alike. Limit: 150 ms more by the median, its stopping included.

    python benchmarks/startup.py [--small]

Wall times of a busy machine mislead: run it on a quiet one. --small prints, and enforces no limit.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from common import Project, go_service, ms, service_yaml, small_asked, table, verdict, workshop

START_LIMIT, TEST_LIMIT = 0.010, 0.150

PLAIN = "def test_it():\n    pass\n"
TESTS = """
    import json, socket, subprocess, time, urllib.request
    from pathlib import Path

    import pytest

    GIVEN = json.loads(Path("given.json").read_text())
    turns = pytest.mark.parametrize("at", range(GIVEN["rounds"] + 1))


    def free_port():
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            return sock.getsockname()[1]


    def is_ready(url):
        try:
            with urllib.request.urlopen(url) as answer:
                return answer.status == 200
        except OSError:
            return False


    @turns
    def test_by_hand(at):
        port = free_port()
        command = [GIVEN["binary"], "--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{free_port()}"]
        with subprocess.Popen(command) as service:
            while not is_ready(f"http://127.0.0.1:{port}/healthz"):
                time.sleep(0.001)
            service.terminate()


    @turns
    def test_measured(go_service, at):
        pass
"""
CONFTEST = """
    import json
    from pathlib import Path

    figures = {}


    def pytest_collection_modifyitems(items):
        items.sort(key=lambda item: item.callspec.params["at"])


    def pytest_runtest_logreport(report):
        name = report.nodeid.rpartition("::")[2].partition("[")[0]
        figures.setdefault(name, {}).setdefault(report.when, []).append(report.duration)


    def pytest_unconfigure():
        Path("figures.json").write_text(json.dumps(figures))
"""


@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds of one run."""

    wall: float
    cpu: float


def cost(command: Sequence[str], folder: Path, env: Mapping[str, str]) -> Cost:
    """Run a command that must succeed."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit status {process.returncode}")
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def pairs(project: Project, rounds: int, *, alone: bool) -> list[tuple[Cost, Cost]]:
    """Runs without and with the plugin, interleaved."""
    # The first pair fills caches: bytecode, and pytest's rewritten asserts.
    env = {**os.environ, **({"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} if alone else {})}
    collect = [*project.command, "--collect-only", "-q"]
    without, beside = (
        (collect, [*collect, "-p", "pytest_gomem.plugin.hooks"]) if alone else ([*collect, "-p", "no:gomem"], collect)
    )
    every = [(cost(without, project.folder, env), cost(beside, project.folder, env)) for _ in range(rounds + 1)]
    return every[1:]


def start_row(name: str, runs: list[tuple[Cost, Cost]]) -> tuple[tuple[str, ...], float]:
    """One line of the table, and how many seconds the plugin adds by the medians of wall time."""
    without, beside = median(a.wall for a, _ in runs), median(b.wall for _, b in runs)
    fastest = min(b.wall for _, b in runs) - min(a.wall for a, _ in runs)
    own = median(a.cpu for a, _ in runs)
    cpu = median(b.cpu - a.cpu for a, b in runs)
    more = beside - without
    row = (
        name,
        ms(without),
        ms(beside),
        ms(more),
        f"{more / START_LIMIT:.2f}",
        ms(fastest),
        ms(cpu),
        f"{cpu / own:.1%}",
    )
    return row, more


def starts(folder: Path, binary: Path, rounds: int) -> list[str]:
    """Print the costs of starting; what is over the limit."""
    unused = Project(folder / "unused", PLAIN)
    using = Project(folder / "using", PLAIN, service_yaml(binary))
    kinds = {
        "does not use it": (unused, False),
        "does not use it, no other plugin": (unused, True),
        "with a gomem.yaml": (using, False),
        "with a gomem.yaml, no other plugin": (using, True),
    }
    rows = {name: start_row(name, pairs(project, rounds, alone=alone)) for name, (project, alone) in kinds.items()}
    head = ("pytest --collect-only", "without", "with", "more", "of 10 ms", "fastest runs", "CPU time", "of pytest's")
    table(f"start of pytest, medians of {rounds} interleaved pairs", head, [cells for cells, _ in rows.values()])
    limited = [name for name, (project, _) in kinds.items() if project is unused]
    return [f"{name}: {ms(rows[name][1])} more" for name in limited if rows[name][1] > START_LIMIT]


def tests(folder: Path, binary: Path, rounds: int) -> list[str]:
    """Print the cost of a measured test; what is over the limit."""
    given = {"rounds": rounds, "binary": str(binary)}
    project = Project(folder / "measured", TESTS, service_yaml(binary), given, CONFTEST)
    project.passed()
    figures = project.figures()
    # The first turn starts the supervisor and the load driver, once per run.
    hand = median(figures["test_by_hand"]["call"][1:])
    phases = {when: median(figures["test_measured"][when][1:]) for when in ("setup", "call", "teardown")}
    whole = median(map(sum, zip(*(figures["test_measured"][when][1:] for when in phases), strict=True)))
    first = sum(figures["test_measured"][when][0] for when in phases)
    rows = [
        ("by hand: launch, wait until ready, stop", ms(hand), "", ""),
        ("go_service, empty body", ms(whole), ms(whole - hand), f"{(whole - hand) / TEST_LIMIT:.2f}"),
        *((f"  its {when}", ms(seconds), "", "") for when, seconds in phases.items()),
        ("the first of the run (supervisor, load driver)", ms(first), ms(first - hand), ""),
    ]
    table(f"a measured test, medians of {rounds} turns", ("", "time", "more", "of 150 ms"), rows)
    return [f"a measured test takes {ms(whole - hand)} more"] if whole - hand > TEST_LIMIT else []


def main() -> int:
    """Measure and print."""
    small = small_asked(__doc__)
    rounds = 1 if small else 40
    # Users have compiled modules; a CI image that sets this would compile them all at every start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with workshop() as folder:
        binary = go_service(folder)
        missed = [*starts(folder, binary, rounds), *tests(folder, binary, 2 if small else 30)]
    return verdict(missed, enforced=not small)


if __name__ == "__main__":
    sys.exit(main())
