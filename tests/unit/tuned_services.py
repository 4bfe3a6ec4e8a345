"""Services as formulas, with a scatter, a band of limits that kill and one that thrash; and a search on them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from pytest_gomem.tune.records import Answer, Ended, Plan, Question, RunResult, Setting
from pytest_gomem.tune.search import next_step

MIB = 1 << 20


@dataclass(frozen=True)
class Formula:
    """A service. Sizes in MiB: live: its heap; outside: what is not Go's; allocated: in a run.

    cpu, per_cycle: CPU per op, and what a GC cycle adds to it. noise: one sigma of a run. kills: at the lower one each
    run is killed, at the upper one none; thrashes: below it the runs thrash.
    """

    live: float = 107.0
    outside: float = 6.0
    allocated: float = 1200.0
    cpu: float = 0.403
    per_cycle: float = 0.0413
    noise: float = 0.02
    kills: tuple[float, float] = (118.0, 126.0)
    thrashes: float = 130.0
    per_mib: float = 0.0

    def heap(self, setting: Setting) -> float:
        """The heap at which a cycle starts."""
        gogc = 100 if setting.gogc is None else setting.gogc
        goal = math.inf if gogc == "off" else self.live * (1 + gogc / 100)
        if isinstance(setting.gomemlimit, int):
            goal = min(goal, setting.gomemlimit / MIB - self.outside)
        return max(goal, self.live * 1.02)

    def cycles(self, setting: Setting) -> float:
        """GC cycles of a run."""
        heap = self.heap(setting)
        return float(int(self.allocated / (heap - self.live))) if heap < math.inf else 0.0

    def cost(self, setting: Setting) -> float:
        """CPU per op, without scatter."""
        touched = min(self.heap(setting), self.live + self.allocated)
        return self.cpu + self.per_cycle * self.cycles(setting) + self.per_mib * touched

    def run(self, setting: Setting, chance: random.Random) -> RunResult:
        """One run."""
        limit = setting.memory_limit / MIB if isinstance(setting.memory_limit, int) else math.inf
        low, high = self.kills
        used = min(self.heap(setting), self.live + self.allocated) + self.outside
        if limit < math.inf and (chance.random() > (limit - low) / (high - low) or used > limit):
            return RunResult(setting, Ended.KILLED, why="killed at the memory limit", seconds=0.5)
        soft = setting.gomemlimit / MIB if isinstance(setting.gomemlimit, int) else math.inf
        if min(limit, soft) < self.thrashes:
            return RunResult(setting, Ended.THRASHING, why="the GC takes half of the CPU", seconds=3.0)
        scatter = max(chance.gauss(1, self.noise), 0.1)
        figures = {
            "cpu_per_op": self.cost(setting) * scatter,
            "gc_cycles": self.cycles(setting),
            "peak_rss": used * MIB * chance.gauss(1, 0.005),
            "live_heap": self.live * MIB,
            "latency_p99": 0.02 * self.cost(setting) * max(chance.gauss(1, 3 * self.noise), 0.1),
        }
        return RunResult(setting, Ended.OK, figures, seconds=1.0)


def searched(
    question: Question, run: Callable[[Setting, random.Random], RunResult], seed: int = 0, at_most: int = 500
) -> tuple[Answer, list[RunResult]]:
    """The answer of a search, and all its runs."""
    chance, results = random.Random(seed), list[RunResult]()
    while True:
        step = next_step(question, results)
        if isinstance(step, Answer):
            return step, results
        assert isinstance(step, Plan)
        assert step.settings
        results += [run(setting, chance) for setting in step.settings]
        assert len(results) <= at_most
