"""Shows what the decision costs and finds, on rounds that were recorded after its rule had been fixed.

Eight workloads scatter each in its own way (tests/programs/unsteady), and two of them leak besides, as much as chance
has it. Each round is a fresh process; all take turns in an order shuffled anew each time, while another process keeps
one core busy. (What is recorded was beside ten times as much other work, some rounds at once.) 60 rounds of each take
some 15 minutes on two cores, the comparisons 3 minutes.

1. Equal sides: false alarms in comparisons drawn from the rounds of each workload, from lognormal noise, and from noise
   that has two levels, of one metric or of all five that are judged by default, independently. 'At most' is the upper
   bound of Clopper and Pearson, 95%. Drawn comparisons share their rounds: of workloads it is the bound of as many
   independent ones.
2. Beside it what a verdict after 5 rounds would cost, which the rule does not have: rounds that all lie apart by three
   ranges of the side that scatters more, and by a quarter of the base.
3. Leaks of varying size, and worsenings of a given share: how often they are found, and after how many rounds.

    python benchmarks/detection/equal.py [--draws 3000000] [--out PATH] [--record] [--rounds 60] [--small]

--draws comparisons are drawn of all workloads together, and of each of the two kinds of noise. --record records anew
first. Exit status 1 where false alarms of the workloads or of lognormal noise may be more frequent than 1e-5. --small:
records two rounds of two workloads, which are not kept, and draws few comparisons.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any
from zlib import crc32

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy
from common import program, table, verdict
from judge import ALARMS, Course
from pool import Pool
from scatter import Workload, record
from scipy.stats import beta

from pytest_gomem.comparison.strategy import HeadAlone, InTurns, as_needed
from pytest_gomem.stats.decision import ENOUGH, FEWEST, PRIMARY

FILE = Path(__file__).parent / "equal.json.gz"
_LEAK = ("/leak?least=150000&most=5000000", 1, 1)
_DECODED, _CHURNED = ("/decoded", 30, 4), (("/idle", 96, 32),) * 3
WORKLOADS = (
    Workload("a pool of large buffers", (("/pooled", 40, 8),)),
    Workload("a cache that a ticker rebuilds", (("/rebuilt", 1, 1), ("/idle", 200, 4))),
    Workload("churning connections", _CHURNED),
    Workload("a cache that evicts at random", (("/evicted", 400, 4),)),
    Workload("stacks of any depth", (("/deep", 96, 16),)),
    Workload("decoding", (_DECODED,)),
    Workload("slices that grow", (("/appended", 12, 4),)),
    Workload("finalizers", (("/cleaned", 40, 4),)),
)
LEAKS = {
    "decoding": Workload("decoding, and a leak", (_DECODED, _LEAK)),
    "churning connections": Workload("churning connections, and a leak", (*_CHURNED, _LEAK)),
}
KEPT = (*PRIMARY, "ops")
WAYS = {"a baseline": HeadAlone(as_needed()), "a commit": InTurns(as_needed(first=FEWEST))}
CHANGES = (0.01, 0.05, 0.3, 1.0)
RAISED = ("live_heap", "alloc_bytes_per_op", "peak_rss")
CHUNK = 100_000
EARLY, EARLY_RANGES, EARLY_SHARE = 5, 3, 0.25
TOO_EARLY = {"early, a baseline": ENOUGH, "early, a commit": EARLY}  # and the rounds of the base
LEVELS_APART, WIDTH = 0.35, 0.005  # of noise that has two levels, as a share of the lower one
NORMAL, LEVELS = "lognormal", "two levels"
LARGE = 1e8  # of figures that are drawn: the prior is nothing beside their scatter

Sides = Any  # an array of comparison, metric and round: those of the base first, then as many new ones
Source = Callable[[int, Any], Sides]


@dataclass(frozen=True)
class Subject:
    """Where rounds of equal sides come from. draw: so many comparisons, by a generator; ops: of a round."""

    kind: str
    name: str
    draw: Source
    ops: int

    @property
    def random(self) -> Any:
        """The same comparisons each time."""
        return numpy.random.default_rng(crc32(self.name.encode()))


def recorded(workloads: Sequence[Workload], rounds: int, *, busy: bool = True) -> Iterator[Pool]:
    """What there is after some rounds: all that is judged by default, of the rounds that measured all of it."""
    for pool in record(workloads, rounds, partial(program, "unsteady"), busy=busy):
        whole = {name: [one for one in of if one.keys() >= {*KEPT}] for name, of in pool.rounds.items()}
        kept = {name: [{key: one[key] for key in KEPT} for one in of] for name, of in whole.items()}
        yield Pool(pool.about, kept)


def from_pool(pool: Pool, name: str) -> Subject:
    """Rounds of a workload, none of them twice in a comparison."""
    values = numpy.array([[one[metric] for one in pool.rounds[name]] for metric in PRIMARY])

    def draw(count: int, random: Any) -> Sides:
        columns = numpy.tile(numpy.arange(values.shape[1], dtype=numpy.int16), (count, 1))
        rows = numpy.arange(count)
        for at in range(2 * ENOUGH):  # a shuffle that ends after those that are drawn
            other = random.integers(at, values.shape[1], count)
            columns[rows, at], columns[rows, other] = columns[rows, other], columns[rows, at].copy()
        return numpy.moveaxis(values[:, columns[:, : 2 * ENOUGH]], 0, 1)

    return Subject("workloads", name, draw, int(pool.rounds[name][0]["ops"]))


def noise(kind: str, name: str, scattered: Callable[[Any, tuple[int, ...]], Any], metrics: int) -> Subject:
    """So many metrics that scatter, each by itself; the others are the same in each round."""

    def draw(count: int, random: Any) -> Sides:
        sides = numpy.full((count, len(PRIMARY), 2 * ENOUGH), LARGE)
        sides[:, :metrics] *= scattered(random, (count, metrics, 2 * ENOUGH))
        return sides

    return Subject(kind, f"{name}, {metrics} of 5 metrics", draw, int(LARGE))


def lognormal(sigma: float) -> Callable[[Any, tuple[int, ...]], Any]:
    """By a factor, of which the logarithm is normal."""
    return lambda random, shape: numpy.exp(sigma * random.standard_normal(shape))


def bimodal(share: float) -> Callable[[Any, tuple[int, ...]], Any]:
    """That share of the rounds lies on an upper level."""
    return lambda random, shape: (
        1 + LEVELS_APART * (random.random(shape) < share) + WIDTH * random.standard_normal(shape)
    )


def subjects(pool: Pool) -> list[Subject]:
    """All of them."""
    found = [from_pool(pool, workload.name) for workload in WORKLOADS]
    for metrics in (1, len(PRIMARY)):
        found += [noise(NORMAL, f"{NORMAL}, sigma {sigma:g}", lognormal(sigma), metrics) for sigma in (0.1, 1.0)]
        found += [noise(LEVELS, f"{LEVELS}, {share:.0%} above", bimodal(share), metrics) for share in (0.1, 0.3, 0.5)]
    return found


def lie_apart(sides: Sides) -> Any:
    """By comparison, whether all new rounds of a metric lie above the base's: the rule takes no other for worse."""
    return (sides[:, :, ENOUGH:].min(2) > sides[:, :, :ENOUGH].max(2)).any(1)


def seems_overwhelming(sides: Sides, base_rounds: int) -> Any:
    """By comparison, whether a verdict after 5 new rounds would fail it."""
    base, new = sides[:, :, :base_rounds], sides[:, :, ENOUGH : ENOUGH + EARLY]
    gap, widest = new.min(2) - base.max(2), numpy.maximum(numpy.ptp(base, 2), numpy.ptp(new, 2))
    middle = numpy.median(base, 2)
    is_large = numpy.median(new, 2) - middle > EARLY_SHARE * middle
    return (is_large & (gap > EARLY_RANGES * widest)).any(1)


def alarms(subject: Subject, draws: int) -> Counter[str]:
    """False alarms by the way that a test is compared, and of a verdict after 5 rounds."""
    found = Counter[str]()
    random = subject.random
    for start in range(0, draws, CHUNK):
        sides = subject.draw(min(CHUNK, draws - start), random)
        for one in sides[lie_apart(sides)]:
            found.update(way for way, strategy in WAYS.items() if is_red(strategy, subject.ops, one))
        for way, base_rounds in TOO_EARLY.items():
            found[way] += int(seems_overwhelming(sides, base_rounds).sum())
    return found


def is_red(strategy: HeadAlone | InTurns, ops: int, one: Any) -> bool:
    """Whether a run fails for this comparison."""
    base, new = (rounds_of(side) for side in (one[:, :ENOUGH], one[:, ENOUGH:]))
    return bool(Course(strategy, ops).found(base, new)[0])


def rounds_of(side: Any) -> list[dict[str, float]]:
    """The columns of an array as rounds."""
    return [dict(zip(PRIMARY, map(float, column), strict=True)) for column in side.T]


def bound(alarms: int, draws: int) -> float:
    """The rate that is not exceeded at 95% confidence."""
    return float(beta.ppf(0.95, alarms + 1, draws - alarms))


def judge_alarms(pool: Pool, draws: int, *, enforced: bool) -> Iterator[str]:
    """1 and 2."""
    every = subjects(pool)
    rows, totals = [], dict[str, Counter[str]]()
    for subject in every:
        each = draws // sum(other.kind == subject.kind for other in every)
        found = alarms(subject, each)
        totals[subject.kind] = totals.get(subject.kind, Counter()) + Counter({**found, "draws": each})
        rows.append(_row(subject.name, found, each))
        print(*rows[-1], sep="  ", file=sys.stderr, flush=True)
    for kind, found in totals.items():
        rows.append(_row(f"all {kind}", found, found["draws"]))
        for way in WAYS if enforced and kind != LEVELS else ():
            if bound(found[way], found["draws"]) > ALARMS:
                yield f"{kind}: {found[way]} false alarms against {way} in {found['draws']} comparisons"
    table("false alarms, and the rate at most", ("equal sides of", "comparisons", *WAYS, *TOO_EARLY), rows)


def _row(name: str, found: Counter[str], draws: int) -> tuple[str, ...]:
    return name, str(draws), *(f"{found[way]} ({bound(found[way], draws):.1e})" for way in (*WAYS, *TOO_EARLY))


def show_power(pool: Pool, draws: int) -> None:
    """3."""
    rows = []
    cases = [(leak.name, "live_heap", 0.0, [(name, leak.name)]) for name, leak in LEAKS.items()]
    every = [(workload.name, workload.name) for workload in WORKLOADS]
    for change in CHANGES:
        cases += [(f"8 workloads, +{change:.0%}", metric, change, every) for metric in RAISED]
    for name, metric, change, pairs in cases:
        cells = []
        for strategy in WAYS.values():
            took = [rounds for pair in pairs for rounds in rounds_to_find(pool, strategy, pair, metric, change, draws)]
            reds = [rounds for rounds in took if rounds]
            cells += [f"{len(reds) / len(took):.1%}", f"{fmean(reds):.1f}" if reds else "-"]
        rows.append((name, metric, *cells))
    ways = (f"{what} {way}" for way in WAYS for what in ("found against", "rounds against"))
    table("what is found, and after how many rounds that were run", ("worse", "metric", *ways), rows)


def rounds_to_find(
    pool: Pool, strategy: HeadAlone | InTurns, pair: tuple[str, str], metric: str, change: float, draws: int
) -> Iterator[int]:
    """Of each comparison of a pair of workloads the rounds that a red took, 0 where it was not red by the metric.

    change: the share by which the figures of the head are raised.
    """
    random = Random(f"{pair} {metric} {change}")
    before, after = (pool.rounds[name] for name in pair)
    course = Course(strategy, int(before[0]["ops"]))
    for _ in range(draws):
        drawn = random.sample(before, 2 * ENOUGH)
        new = drawn[ENOUGH:] if before is after else random.sample(after, ENOUGH)
        raised = [{**one, metric: one[metric] * (1 + change)} for one in new]
        found, rounds = course.found(drawn[:ENOUGH], raised)
        yield rounds * (1 + isinstance(strategy, InTurns)) if metric in found else 0


def main() -> int:
    """Record if asked, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=3_000_000)
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--record", action="store_true", help="record anew first")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--small", action="store_true", help="one small instance, for CI")
    given = parser.parse_args()
    if given.small:
        *_, few = recorded(WORKLOADS[2:4], 2, busy=False)
        print("recorded", {name: len(rounds) for name, rounds in few.rounds.items()})
    for pool in recorded((*WORKLOADS, *LEAKS.values()), given.rounds) if given.record else ():
        pool.write(given.out)
    pool = Pool.read(given.out)
    print(f"the pool: {dict(pool.about)}")
    draws, few_draws = (500, 1) if given.small else (given.draws, 200)
    missed = list(judge_alarms(pool, draws, enforced=not given.small))
    show_power(pool, few_draws)
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
