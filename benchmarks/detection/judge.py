"""Judges the recorded pool: how often each rule cries wolf, and what it finds, in comparisons drawn from real rounds.

Each comparison draws the rounds of its two sides from the pool without putting one back: 3 against 3, say, are 6
different processes. A/A draws both sides from the base. The drawn comparisons share rounds, so that a rate beyond what
the pool holds cannot be shown; the bound is that of as many independent ones.

1. A/A: false alarms of the metrics judged by default, per comparison of a test and per suite of 100 tests.
2. Power at 3 rounds of what changes live heap, bytes or objects per operation by 1%. 3. Of peak RSS +5% at 5 rounds.
4. The rounds at which each variant is found 95 times in 100.
5. The same comparisons by benchstat's rule (Mann-Whitney, two-sided, alpha 0.05) and by +5% of one run over one run.
6. What a comparison costs: judging all metrics of a test, and reading and writing its baseline in a file of 100 tests.

    python benchmarks/detection/judge.py [--pool PATH] [--draws 100000] [--small]

Exit status 1 when a false alarm was seen, a power misses its limit, or a comparison costs more than 0.5 s.
--small: fewer draws, and a power that misses its limit is told without failing.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import table, verdict, workshop
from pool import BASE, FILE, REQUESTS, VARIANTS, Pool

from pytest_gomem.baseline.snapshot import Snapshot, by_metric
from pytest_gomem.baseline.store import Store
from pytest_gomem.judge.compare import PRIMARY
from pytest_gomem.judge.regressions import regression_verdicts
from pytest_gomem.judge.verdict import Status
from pytest_gomem.measure.registry import builtin_metrics

Side = Sequence[Mapping[str, float]]
Rule = Callable[[Side, Side], set[str]]  # the metrics that are found worse

METRICS = {metric.name: metric for metric in builtin_metrics()}
ROUNDS = (3, 5, 8, 12, 20)
ALARMS = 1e-5  # per comparison
COST = 0.5  # seconds
PLAIN = 0.05
POWERS = (
    # variant, metric, rounds, least power
    ("live heap +1%", "live_heap", 3, 0.99),
    ("bytes per op +1%", "alloc_bytes_per_op", 3, 0.99),
    ("one more object per op", "allocs_per_op", 3, 0.99),
    ("peak +5%", "peak_rss", 5, 0.98),
)


def ours(base: Side, new: Side) -> set[str]:
    """As a run judges a test without any setting: the metrics of PRIMARY together."""
    found = regression_verdicts((), METRICS, base, new, against=BASE, ops=REQUESTS)
    return {verdict.budget.metric for verdict in found if verdict.status is Status.FAIL}


def benchstat(base: Side, new: Side) -> set[str]:
    """Each metric by itself: a two-sided Mann-Whitney p below 0.05, and a greater median."""
    from scipy.stats import mannwhitneyu

    worse = set()
    for name in PRIMARY:
        before, after = ([one[name] for one in side] for side in (base, new))
        tied = len({*before, *after}) < len(before) + len(after)
        p = mannwhitneyu(before, after, method="asymptotic" if tied else "exact").pvalue
        if p < 0.05 and median(after) > median(before):
            worse.add(name)
    return worse


def plain(base: Side, new: Side) -> set[str]:
    """One run against one run: more than 5% above."""
    return {name for name in PRIMARY if new[0][name] > base[0][name] * (1 + PLAIN)}


RULES: dict[str, Rule] = {"ours": ours, "benchstat": benchstat, "one run +5%": plain}


@dataclass(frozen=True)
class Judge:
    """Draws comparisons from a pool, the same ones each time."""

    pool: Pool

    def draws(self, variant: str, rounds: int, count: int) -> Iterator[tuple[Side, Side]]:
        """So many comparisons of base and variant; nothing where the pool is too small."""
        random_ = random.Random(f"{variant} {rounds}")
        base, other = self.pool.rounds[BASE], self.pool.rounds[variant]
        alone = variant == BASE
        if len(base) < rounds * (1 + alone) or len(other) < rounds:
            return
        for _ in range(count):
            drawn = random_.sample(base, rounds * (1 + alone))
            yield drawn[:rounds], drawn[rounds:] if alone else random_.sample(other, rounds)

    def share(self, rule: Rule, variant: str, metric: str, rounds: int, count: int) -> float | None:
        """How often the metric is found worse; None where the pool is too small."""
        found = [metric in rule(base, new) for base, new in self.draws(variant, rounds, count)]
        return sum(found) / len(found) if found else None

    def alarms(self, rule: Rule, rounds: int, count: int) -> tuple[int, int]:
        """False alarms, and comparisons: of a test, whose metrics are judged together."""
        found = [bool(rule(base, new)) for base, new in self.draws(BASE, rounds, count)]
        return sum(found), len(found)


def bound(alarms: int, comparisons: int) -> float:
    """The rate that is not exceeded at 95% confidence; 3 / n where nothing was seen (Poisson)."""
    limits = (3.0, 4.74, 6.30, 7.75, 9.15, 10.5)
    top = limits[alarms] if alarms < len(limits) else alarms + 1.65 * alarms**0.5 + 1.5
    return top / comparisons


def judge_alarms(judge: Judge, draws: int, peers: int) -> Iterator[str]:
    """1 and, side by side, 5."""
    rows = []
    for rounds in (3, 5):
        for name, rule in RULES.items():
            alarms, count = judge.alarms(rule, rounds, draws if rule is ours else peers)
            if not count:
                continue
            rate, top = alarms / count, bound(alarms, count)
            suite = 1 - (1 - rate) ** 100
            rows.append((name, rounds, count, alarms, f"{rate:.2g}", f"{top:.2g}", f"{suite:.2g}"))
            if rule is ours and alarms > ALARMS * count:
                yield f"{alarms} false alarms in {count} comparisons at {rounds} rounds"
    head = ("A/A", "rounds", "comparisons", "false alarms", "rate", "at most", "per suite of 100")
    table("false alarms between equal sides, metrics judged by default", head, rows)


def judge_power(judge: Judge, draws: int, peers: int) -> Iterator[str]:
    """2, 3 and, side by side, 5."""
    rows = []
    for variant, metric, rounds, least in POWERS:
        found = {
            name: judge.share(rule, variant, metric, rounds, draws if rule is ours else peers)
            for name, rule in RULES.items()
        }
        rows.append((variant, metric, rounds, *(_percent(share) for share in found.values()), f"{least:.0%}"))
        power = found["ours"]
        if power is None:
            print(f"{variant}: the pool is too small for {rounds} rounds")
        elif power < least:
            yield f"{variant}: {metric} found in {power:.1%} of comparisons at {rounds} rounds, not {least:.0%}"
    table("power", ("variant", "metric", "rounds", *RULES, "limit"), rows)


def show_curves(judge: Judge, draws: int) -> None:
    """4: as it is, without a limit."""
    rows = []
    for variant in VARIANTS[1:]:
        for metric in [name for name in variant.changes if name in PRIMARY] or ["peak_rss", "live_heap"]:
            shares = [judge.share(ours, variant.name, metric, rounds, draws) for rounds in ROUNDS]
            enough = [n for n, share in zip(ROUNDS, shares, strict=True) if share is not None and share >= 0.95]
            rows.append((variant.name, metric, *map(_percent, shares), enough[0] if enough else "-"))
    head = ("found worse by ours", "metric", *(f"{rounds} v {rounds}" for rounds in ROUNDS), "95% from")
    table("power by rounds", head, rows)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def judge_cost(judge: Judge) -> Iterator[str]:
    """6."""
    base = new = judge.pool.rounds[BASE][:3]
    start = time.perf_counter()
    ours(base, new)
    judging = time.perf_counter() - start
    with workshop() as folder:
        store = Store(folder / "kept")
        snapshot = Snapshot({"go": "go1.26"}, by_metric(base), REQUESTS, "", "")
        tests = {f"test_{at}": {"api/test": (snapshot,)} for at in range(100)}
        start = time.perf_counter()
        store.change("test_it.py", lambda _: tests)
        writing = time.perf_counter() - start
        start = time.perf_counter()
        store.windows("test_it.py::test_7")
        reading = time.perf_counter() - start
    rows = [("judging one test", judging), ("reading a file of 100 tests", reading), ("writing it", writing)]
    table("cost of a comparison", ("", "seconds"), [(name, f"{seconds:.4f}") for name, seconds in rows])
    total = sum(seconds for _, seconds in rows)
    if total > COST:
        yield f"a comparison costs {total:.2f} s, more than {COST} s"


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pool", type=Path, default=FILE)
    parser.add_argument("--draws", type=int, default=100_000)
    parser.add_argument("--small", action="store_true", help="fewer draws, for CI")
    given = parser.parse_args()
    draws = 1000 if given.small else given.draws
    peers = draws // (5 if given.small else 10)  # scipy takes a millisecond for each comparison
    judge = Judge(Pool.read(given.pool))
    print(f"the pool: {len(judge.pool.rounds[BASE])} rounds of each variant, {dict(judge.pool.about)}")
    missed = [*judge_alarms(judge, draws, peers), *judge_cost(judge)]
    weak = list(judge_power(judge, peers, peers))
    show_curves(judge, peers // 2)
    print()
    # What a pool shows of the power hangs on the machine that recorded it: in CI it is printed, not enforced.
    return verdict([*missed, *weak], enforced=bool(missed) or not given.small)


if __name__ == "__main__":
    sys.exit(main())
