"""Shows that a search finds the setting that a grid finds, in less than half of the grid's runs, quiet and busy.

Three programs that load themselves with a fixed number of requests (tune_services: a large live heap, churn, a batch
that builds an index and drops it), each run in a memory cgroup of its own; a run takes some 0.3 s. The grid is 6
memory limits x 4 GOGC (50, 100, 200, off), GOMEMLIMIT 90% of the limit, 3 rounds each: 72 runs. Two questions are asked
of the same machine, 10 times each, quiet and beside two processes that spin:

limit: how small may the container be, if a request may take 1.25 times the CPU that it takes with memory to spare?
Best of the grid: the smallest limit of a cell in which 3 of 3 rounds end well, and whose median keeps the bound; where
a dense scan has kills above it, that was luck, and the size from which on all of its rounds survive is the best. The
answer is at most 10% above it, its figure (median of a dense scan: each size, 5 rounds) at most 10% beyond the bound,
'killed there' is the share of the scan's rounds that died at the answers' sizes: 5 of 5 cannot see one in ten. And the
line 'killed below' lies in the scan's band: from a step below the size from which on most of 5 rounds survive,
to 20% above the one from which on all do. What kills there is chance, and 5 rounds often miss 1 kill in 10.
setting: which GOGC and GOMEMLIMIT cost least under the fourth limit? Best of the grid: the cell with the least median
of CPU per request, of all that fit below that limit. The answer and it are run again in turns, 5 rounds each: the
answer costs at most 10% more.

    python benchmarks/tune.py [--small] [--service NAME] [--condition quiet|busy] [--repeats N] [--grid FILE]

It takes about 20 minutes on two quiet cores. --grid keeps grid and scan in a file, and reads them from there. --small
does one short search of one service beside a grid of one cell, and enforces no limit of its figures. Without memory
cgroups it says so and ends.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from common import BUILT, MIB, table, verdict, workshop

from pytest_gomem.base.errors import SupervisorError
from pytest_gomem.config.gc_settings import PINNED, go_bytes
from pytest_gomem.config.services import BuildSpec
from pytest_gomem.launch.build import build_once
from pytest_gomem.supervisor.client import SupervisorClient
from pytest_gomem.supervisor.protocol import LaunchRequest
from pytest_gomem.tune.records import COMFORTABLE, Answer, Ended, Find, Off, Question, RunResult, Setting
from pytest_gomem.tune.search import next_step
from pytest_gomem.tune.sizes import at_least, downwards, shifted
from pytest_gomem.tune.table import SHARE, comfortable, setting_of

PROGRAM = Path(__file__).resolve().parent / "tune_services"
# Requests of a run, and the limits of the grid in MiB: from what kills to what is ample.
SERVICES = {
    "large": (10000, (14, 18, 22, 28, 36, 48)),
    "churn": (2400, (9, 12, 16, 20, 26, 34)),
    "batch": (9000, (9, 12, 15, 20, 26, 36)),
}
GOGC: tuple[int | Off, ...] = (50, 100, 200, "off")
ROUNDS, CONFIRMED, REPEATS = 3, 5, 10
WITHIN = 0.10
BAND = 0.20  # above the scan's band: its 5 rounds of a size miss a kill in 10
MOST_SHARE = 0.5  # of the grid's runs
DEADLINE = 5.0  # seconds of a run: 10 times what it takes beside two busy processes
LEAST_ROOM = 0.25  # effective GOGC; below, with Go's limiter on, it thrashes
BUSY = "while True: pass"
LIMIT = Question(Find.LIMIT)


class Runner:
    """Runs a service by the supervisor; counts its runs."""

    def __init__(self, supervisor: SupervisorClient, binary: Path, service: str) -> None:
        self._supervisor = supervisor
        self._argv = [str(binary), service, str(SERVICES[service][0])]
        self._env = {name: value for name, value in os.environ.items() if name not in PINNED} | {"GOMAXPROCS": "2"}
        self.runs = 0

    def __call__(self, setting: Setting) -> RunResult:
        """One run; raises SupervisorError where no memory cgroup can be had."""
        env = dict(self._env)
        if setting.gogc is not None:
            env["GOGC"] = str(setting.gogc)
        if isinstance(setting.gomemlimit, int):
            env["GOMEMLIMIT"] = go_bytes(setting.gomemlimit)
        limit = setting.memory_limit if isinstance(setting.memory_limit, int) else None
        held = None if limit is None else {"max": limit, "mode": "cgroup"}
        request = LaunchRequest(self._argv, env, "/", gctrace=False, memory_limit=held)
        self.runs += 1
        began = time.monotonic()
        child = self._supervisor.launch(request)
        try:
            ended = child.wait(DEADLINE)
            seconds = time.monotonic() - began
            if ended.exit is None:
                return RunResult(setting, Ended.THRASHING, why=f"not done after {DEADLINE:g} s", seconds=seconds)
            if ended.group_last is not None and ended.group_last.oom_kills:
                return RunResult(setting, Ended.KILLED, why="killed at the memory limit", seconds=seconds)
            if ended.exit.code != 0:
                return RunResult(setting, Ended.FAILED, why=f"{ended.exit}: {child.log()[0]}", seconds=seconds)
            said = json.loads(child.log()[0])
        finally:
            child.forget()
        if said["limiter"] and (said["goal"] - said["live_heap"]) < LEAST_ROOM * said["live_heap"]:
            return RunResult(setting, Ended.THRASHING, why="Go's GC CPU limiter was on", seconds=seconds)
        figures = {
            "cpu_per_op": said["cpu"] / said["requests"],
            "gc_cycles": float(said["gc_cycles"]),
            "live_heap": float(said["live_heap"]),
            "peak_rss": float(ended.exit.max_rss or 0),
        }
        return RunResult(setting, Ended.OK, figures, seconds=seconds)


@dataclass(frozen=True)
class Seen:
    """Rounds of one setting: the CPU per request of those that ended well, and how the others ended."""

    cpu: tuple[float, ...]
    killed: int
    unwell: int  # thrashing, failed

    @property
    def is_well(self) -> bool:
        """Whether all of them ended well."""
        return bool(self.cpu) and not self.killed and not self.unwell

    @property
    def middle(self) -> float:
        """The median; infinite where a round did not end well."""
        return median(self.cpu) if self.is_well else math.inf

    @property
    def typical(self) -> float:
        """The median, where one that did not end well is infinite."""
        return median((*self.cpu, *[math.inf] * (self.killed + self.unwell)))

    @classmethod
    def of(cls, results: Sequence[RunResult]) -> Seen:
        """The rounds of a setting."""
        ended = [result.ended for result in results]
        killed = ended.count(Ended.KILLED)
        cpu = tuple(result.figures["cpu_per_op"] for result in results if result.ended is Ended.OK)
        return cls(cpu, killed, len(ended) - killed - len(cpu))


def in_turns(run: Runner, settings: Sequence[Setting], rounds: int) -> dict[Setting, Seen]:
    """So many rounds of each setting, one after the other, so that what drifts hits all alike."""
    found: dict[Setting, list[RunResult]] = {setting: [] for setting in settings}
    for _ in range(rounds):
        for setting in found:
            found[setting].append(run(setting))
    return {setting: Seen.of(results) for setting, results in found.items()}


@dataclass(frozen=True)
class Known:
    """What grid and dense scan have shown. own: with memory to spare."""

    own: Seen
    grid: dict[Setting, Seen]
    scan: dict[int, Seen]  # by memory limit

    @classmethod
    def measured(cls, run: Runner, limits: Sequence[int], gogc: Sequence[int | Off], rounds: int, dense: int) -> Known:
        """The grid, and the scan of all sizes up to its largest. limits: MiB; rounds, dense: of a cell of each."""
        cells = [Setting(one, int(SHARE * size) * MIB, size * MIB) for size in limits for one in gogc]
        found = in_turns(run, [comfortable(LIMIT), *cells], rounds)
        known = cls(found.pop(comfortable(LIMIT)), found, {})
        sizes = downwards(at_least(limits[-1] * MIB), at_least(limits[0] * MIB * 0.7))
        if dense < CONFIRMED:
            sizes = sizes[:1]
        again = in_turns(run, [comfortable(LIMIT), *(setting_of(LIMIT, size) for size in sizes)], dense)
        own = Seen((*known.own.cpu, *again[comfortable(LIMIT)].cpu), 0, 0)
        return cls(own, found, {size: again[setting_of(LIMIT, size)] for size in sizes})

    @property
    def best_limit(self) -> int | None:
        """Bytes; the smallest memory limit of a cell that keeps the bound."""
        most = self.own.middle * COMFORTABLE
        kept = (cell.memory_limit for cell, seen in self.grid.items() if seen.middle <= most)
        return min((limit for limit in kept if isinstance(limit, int)), default=None)

    def cheapest(self, limit: int) -> Setting:
        """The cell that costs least, of those that fit below a limit."""
        fit = [cell for cell in self.grid if isinstance(cell.memory_limit, int) and cell.memory_limit <= limit]
        return min(fit, key=lambda cell: self.grid[cell].middle)

    @property
    def band(self) -> tuple[int, int]:
        """Bytes, where chance kills: the sizes of the scan from which on most rounds survive, and from which on all."""

        def least(killed: int) -> int:
            wrong = [size for size, seen in self.scan.items() if seen.killed > killed]
            return min((size for size in self.scan if size > max(wrong, default=0)), default=max(self.scan))

        return least(CONFIRMED // 2), least(0)

    def excess(self, size: int) -> float:
        """How far CPU per request at a size of the scan is beyond the bound; infinite where most rounds die."""
        costs = [cost for seen in self._around(size) for cost in (*seen.cpu, *[math.inf] * (seen.killed + seen.unwell))]
        return median(costs) / self.own.middle / COMFORTABLE - 1

    def killed(self, size: int) -> tuple[int, int]:
        """How many rounds of the scan were killed at a size and those beside it, of how many."""
        around = self._around(size)
        return sum(seen.killed for seen in around), sum(len(seen.cpu) + seen.killed + seen.unwell for seen in around)

    def _around(self, size: int) -> list[Seen]:
        near = min(self.scan, key=lambda at: (abs(at - size), at))
        return [seen for at, seen in self.scan.items() if shifted(near, -1) <= at <= shifted(near, 1)]


def kept(path: Path | None, name: str) -> Known | None:
    """Grid and scan of an earlier run."""
    data = json.loads(path.read_text()).get(name) if path is not None and path.exists() else None
    if data is None:
        return None
    grid = {Setting(*setting): seen_from(seen) for setting, seen in data["grid"]}
    return Known(seen_from(data["own"]), grid, {size: seen_from(seen) for size, seen in data["scan"]})


def seen_from(data: Sequence[object]) -> Seen:
    """As `keep` wrote it."""
    cpu, killed, unwell = data
    return Seen(tuple(cpu), int(killed), int(unwell))  # type: ignore[arg-type, call-overload]


def keep(path: Path | None, name: str, known: Known) -> None:
    """Write them for the next run."""
    if path is None:
        return
    data = json.loads(path.read_text()) if path.exists() else {}

    def plain(seen: Seen) -> list[object]:
        return [list(seen.cpu), seen.killed, seen.unwell]

    data[name] = {
        "own": plain(known.own),
        "grid": [[[c.gogc, c.gomemlimit, c.memory_limit], plain(seen)] for c, seen in known.grid.items()],
        "scan": [[size, plain(seen)] for size, seen in known.scan.items()],
    }
    path.write_text(json.dumps(data))


def searched(run: Runner, question: Question) -> tuple[Answer, int]:
    """The answer, and the runs that it took."""
    results: list[RunResult] = []
    while True:
        step = next_step(question, results)
        if isinstance(step, Answer):
            return step, len(results)
        results += [run(setting) for setting in step.settings]


@contextlib.contextmanager
def condition(name: str) -> Iterator[None]:
    """Two processes that spin, while it is busy."""
    spinning = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(2 if name == "busy" else 0)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def limits_found(run: Runner, known: Known, name: str, repeats: int, most: int, rows: list[list[object]]) -> list[str]:
    """Ask how small the container may be; returns what is missed."""
    of_grid, missed, answers, lines, runs = known.best_limit, list[str](), list[int](), list[int](), list[int]()
    if of_grid is None:
        return [f"{name}: no cell of the grid keeps the bound"]
    best = max(of_grid, known.band[1])
    for at in range(repeats):
        answer, took = searched(run, Question(Find.LIMIT, most_runs=most))
        runs.append(took)
        limit = answer.setting.memory_limit if answer.setting is not None else None
        if not isinstance(limit, int) or answer.needs_rounds:
            missed.append(f"{name}, {at + 1}: {answer.reason}")
            continue
        answers.append(limit)
        excess = known.excess(limit)
        if limit > best * (1 + WITHIN):
            missed.append(f"{name}, {at + 1}: {limit / MIB:g} MiB, the best is {best / MIB:g} MiB")
        if excess > WITHIN:
            missed.append(f"{name}, {at + 1}: {limit / MIB:g} MiB costs {excess:+.0%} of the bound, by the scan")
        if answer.killed_below is not None:
            lines.append(answer.killed_below)
            low, high = known.band
            if not shifted(low, -1) <= answer.killed_below <= max(high * (1 + BAND), shifted(high, 1)):
                band = spread((low, high))
                missed.append(
                    f"{name}, {at + 1}: killed below {answer.killed_below / MIB:g} MiB, by the scan {band} MiB"
                )
    risks = list(map(known.killed, answers))
    rows.append(
        [
            name,
            f"{of_grid / MIB:g}",
            spread(answers),
            f"{max(map(known.excess, answers), default=math.nan):+.0%}",
            f"{100 * sum(died for died, _ in risks) / max(sum(rounds for _, rounds in risks), 1):.0f}%",
            f"{fmean(runs):.0f} ({max(runs)})",
            spread(known.band),
            f"{spread(lines)} ({len(lines)} of {repeats})",
        ]
    )
    if max(runs) > MOST_SHARE * len(known.grid) * ROUNDS:
        missed.append(f"{name}: {max(runs)} runs, the grid took {len(known.grid) * ROUNDS}")
    return missed


def settings_found(
    run: Runner, known: Known, name: str, limit: int, repeats: int, most: int, rows: list[list[object]]
) -> list[str]:
    """Ask which setting costs least under a limit; returns what is missed."""
    best, missed, runs, costs = known.cheapest(limit), list[str](), list[int](), dict[Setting, float]()
    told: list[float] = []
    for at in range(repeats):
        answer, took = searched(run, Question(Find.SETTING, limit=limit, most_runs=most))
        runs.append(took)
        if answer.setting is None or answer.needs_rounds:
            missed.append(f"{name}, {at + 1}: {answer.reason}")
            continue
        if answer.setting not in costs:
            again = in_turns(run, [answer.setting, best], CONFIRMED)
            costs[answer.setting] = again[answer.setting].typical / again[best].typical - 1
        told.append(costs[answer.setting])
        if told[-1] > WITHIN:
            missed.append(f"{name}, {at + 1}: {shown(answer.setting)} costs {told[-1]:+.0%}, against {shown(best)}")
    rows.append(
        [
            name,
            f"{limit / MIB:g}",
            shown(best),
            ", ".join(map(shown, costs)),
            f"{max(told, default=math.nan):+.0%}",
            f"{fmean(runs):.0f} ({max(runs)})",
        ]
    )
    if max(runs) > MOST_SHARE * len(known.grid) * ROUNDS:
        missed.append(f"{name}: {max(runs)} runs, the grid took {len(known.grid) * ROUNDS}")
    return missed


def shown(setting: Setting) -> str:
    """A setting in short."""
    gogc = "as it is" if setting.gogc is None else setting.gogc
    size = f"{setting.gomemlimit / MIB:g}" if isinstance(setting.gomemlimit, int) else setting.gomemlimit
    return f"{gogc}/{size}"


def spread(sizes: Sequence[int]) -> str:
    """The smallest to the largest, in MiB."""
    if not sizes:
        return "-"
    low, high = min(sizes) / MIB, max(sizes) / MIB
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def asked() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="one small instance, for CI")
    parser.add_argument("--service", choices=SERVICES, action="append")
    parser.add_argument("--condition", choices=("quiet", "busy"), action="append")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--grid", type=Path, help="a file for grid and scan")
    return parser.parse_args()


def main() -> int:
    """Measure and print; 1 if a limit is missed."""
    options = asked()
    services = options.service or (["churn"] if options.small else list(SERVICES))
    conditions = options.condition or (["quiet"] if options.small else ["quiet", "busy"])
    repeats, began, missed = 1 if options.small else options.repeats, time.monotonic(), list[str]()
    limit_rows, setting_rows = list[list[object]](), list[list[object]]()
    with workshop() as folder, contextlib.closing(SupervisorClient()) as supervisor:
        binary = build_once("tune_services", BuildSpec("."), PROGRAM, Path(BUILT or folder / "bin"))
        for where in conditions:
            for service in services:
                run, name = Runner(supervisor, binary, service), f"{service}, {where}"
                limits = SERVICES[service][1]
                try:
                    run(setting_of(LIMIT, limits[-1] * MIB))
                except SupervisorError as error:
                    print(f"no memory cgroup, so neither the grid's best nor the answers' lines: {error}")
                    print("every limit is kept")
                    return 0
                with condition(where):
                    known = kept(options.grid, name)
                    if known is None:
                        size = (limits[-1:], GOGC[1:2], 1, 1) if options.small else (limits, GOGC, ROUNDS, CONFIRMED)
                        known = Known.measured(run, *size)
                        keep(options.grid, name, known)
                    most = 9 if options.small else int(MOST_SHARE * len(known.grid) * ROUNDS)
                    missed += limits_found(run, known, name, repeats, most, limit_rows)
                    if not options.small:
                        missed += settings_found(run, known, name, limits[3] * MIB, repeats, most, setting_rows)
                print(f"{name}: {run.runs} runs, {time.monotonic() - began:.0f} s", file=sys.stderr)
    head = [
        "MiB",
        "grid's best",
        "answers",
        "beyond the bound",
        "killed there",
        "runs (most)",
        "scan: killed below",
        "answers' lines",
    ]
    table("limit: the smallest container in which a request costs at most 1.25 times the CPU", head, limit_rows)
    if setting_rows:
        head = ["GOGC/GOMEMLIMIT", "limit", "grid's best", "answers", "costs more", "runs (most)"]
        table("setting: the cheapest under a limit", head, setting_rows)
    return verdict(missed, enforced=not options.small)


if __name__ == "__main__":
    sys.exit(main())
