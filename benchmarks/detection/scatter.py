"""Shows how far different workloads scatter, against the prior that the metrics judged by default declare.

Each workload runs in fresh processes, all in an order shuffled anew each round, while another process keeps one core
busy. For each metric: the sigma of each workload's rounds as a multiple of the prior's sigma, and from these by the
method of moments (G. K. Smyth 2004, Statistical Applications in Genetics and Molecular Biology 3, section 6.2) how much
the workloads differ: a common scale, and how many degrees of freedom a workload's true sigma is known with before it
ran. 20 rounds of 16 workloads take some 6 minutes on two cores.

    python benchmarks/detection/scatter.py [--rounds 20] [--out PATH] [--show] [--small]

--show prints what is recorded, without recording. --small: two rounds of two workloads with no core
kept busy, which are not kept.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, stdev

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import Project, go_service, service_yaml, table, workshop
from pool import WORK, Pool
from record import a_busy_core, about

from pytest_gomem.measure.registry import builtin_metrics
from pytest_gomem.stats.decision import PRIMARY

FILE = Path(__file__).parent / "scatter.json.gz"
AT_ONCE = 5  # rounds of all workloads in one run of pytest
METRICS = {metric.name: metric for metric in builtin_metrics()}
TESTS = """
    import json
    from pathlib import Path

    import pytest

    given = json.loads(Path("given.json").read_text())


    @pytest.mark.parametrize("name", given)
    def test_round(gomem, name):
        asked = given[name]
        with gomem.launch("api", **asked["gc"]) as svc:
            with gomem.measure(svc, name=name):
                for path, requests, connections in asked["loads"]:
                    svc.load(path, requests=requests, connections=connections)
"""


@dataclass(frozen=True)
class Workload:
    """loads: path, requests and connections, one after the other; gc: arguments of the launch."""

    name: str
    loads: tuple[tuple[str, int, int], ...]
    gc: Mapping[str, int] = field(default_factory=dict)


_WORK = "/work?" + "&".join(f"{name}={value}" for name, value in WORK.items())
_SPIKE = ("/spike?bytes=100000000&ms=5", 1, 1)
WORKLOADS = (
    Workload("idle", (("/idle", 500, 4),)),
    Workload("kept lines", (("/logs/leaky?lines=34", 3000, 4),)),
    Workload("churned lines", (("/logs/leaky", 100, 4), ("/logs/batched", 500, 4))),
    Workload("work", ((_WORK, 1000, 4),)),
    Workload("work, GOGC 25", ((_WORK, 1000, 4),), {"gogc": 25}),
    Workload("work, GOGC 400", ((_WORK, 1000, 4),), {"gogc": 400}),
    Workload("work, one connection", ((_WORK, 1000, 1),)),
    Workload("work, 32 connections", ((_WORK, 1000, 32),)),
    Workload("work, GOMAXPROCS 1", ((_WORK, 1000, 4),), {"gomaxprocs": 1}),
    Workload("work, then a buffer", ((_WORK, 1000, 4), _SPIKE)),
    Workload("buffer alone", (_SPIKE,)),
    Workload("encode, fresh", (("/encode/fresh", 1000, 4),)),
    Workload("encode, pool", (("/encode/pool", 1000, 4),)),
    Workload("buffers, leaky", (("/buffers/leaky", 100, 4),)),
    Workload("buffers, pooled", (("/buffers/pooled", 1000, 4),)),
    Workload("small objects", (("/work?objects=2000&size=48&last=48&nodes=500&keep=5", 1000, 4),)),
)


def record(
    workloads: Sequence[Workload], rounds: int, subject: Callable[[Path], Path] = go_service, *, busy: bool = True
) -> Iterator[Pool]:
    """Record so many rounds of each; gives what there is after some. subject: builds the service in a folder."""
    found: dict[str, list[dict[str, float]]] = {workload.name: [] for workload in workloads}
    with workshop() as folder, a_busy_core(wanted=busy):
        yaml = service_yaml(subject(folder))
        for done in range(0, rounds, AT_ONCE):
            given = _given(workloads, range(done, min(done + AT_ONCE, rounds)))
            for window in Project(folder / "project", TESTS, yaml, given).passed().windows("test_round"):
                values = {name: m["value"] for name, m in window["metrics"].items() if m["value"] is not None}
                found[window["name"].rpartition(" ")[0]].append({**values, "ops": window["ops"]})
            least = min(map(len, found.values()))
            print(f"round {least} of {rounds}", file=sys.stderr, flush=True)
            yield Pool(about(rounds=least), found)


def _given(workloads: Sequence[Workload], rounds: Iterable[int]) -> dict[str, dict[str, object]]:
    """For the recording tests, by workload and round, in the order that they run in."""
    return {
        f"{one.name} {at}": {"loads": one.loads, "gc": dict(one.gc)}
        for at in rounds
        for one in random.Random(at).sample(list(workloads), len(workloads))
    }


def multiples(rounds: Sequence[Mapping[str, float]], metric: str) -> float:
    """The sigma of these rounds, in sigmas of the metric's prior."""
    values = [one[metric] for one in rounds]
    return stdev(values) / METRICS[metric].scatter.sigma(median(values), int(rounds[0]["ops"]))


def fit(multiples: Sequence[float], freedom: int) -> tuple[float, float]:
    """The common scale of these sigmas, and the degrees of freedom with which it foretells one; inf: exactly."""
    from scipy.optimize import brentq
    from scipy.special import digamma, polygamma

    logs = [2 * math.log(one) - digamma(freedom / 2) + math.log(freedom / 2) for one in multiples]
    mean = sum(logs) / len(logs)
    excess = sum((one - mean) ** 2 for one in logs) / (len(logs) - 1) - polygamma(1, freedom / 2)
    if excess <= 0:
        return math.exp(mean / 2), math.inf
    half = brentq(lambda x: polygamma(1, x) - excess, 1e-3, 1e6)
    return math.exp((mean + digamma(half) - math.log(half)) / 2), 2 * half


def show(pool: Pool) -> None:
    """Print the tables."""
    names = [name for name in PRIMARY if name != "goroutines"]  # whole numbers: most workloads show no scatter at all
    rows, found = [], dict[str, list[float]]()
    for workload, rounds in pool.rounds.items():
        shares = {name: multiples(rounds, name) for name in names}
        for name, share in shares.items():
            found.setdefault(name, []).append(share)
        rows.append((workload, *(f"{shares[name]:.2f}" for name in names)))
    table("sigma of the rounds, in sigmas of the prior", ("workload", *names), rows)
    freedom = len(next(iter(pool.rounds.values()))) - 1
    scattering = {name: [one for one in found[name] if one] for name in names}
    fits = [(name, *fit(shares, freedom)) for name, shares in scattering.items() if len(shares) > 1]
    table("common", ("metric", "scale", "degrees of freedom"), [(n, f"{s:.2f}", f"{d:.1f}") for n, s, d in fits])


def main() -> int:
    """Record, unless told to show what is recorded, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--show", action="store_true", help="print what is recorded")
    parser.add_argument("--small", action="store_true", help="one small instance, for CI")
    given = parser.parse_args()
    if given.small:
        *_, pool = record(WORKLOADS[:2], 2, busy=False)
    else:
        for recorded in () if given.show else record(WORKLOADS, given.rounds):
            recorded.write(given.out)
        pool = Pool.read(given.out)
    show(pool)
    return 0


if __name__ == "__main__":
    sys.exit(main())
