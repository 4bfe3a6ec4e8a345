"""Records the pool that judge.py draws its comparisons from: interleaved rounds of each variant of one workload.

Each round is a fresh process of the example service under the plugin: 3000 requests of /work by 4 connections, then a
buffer that is the peak. Rounds of all variants take turns in an order shuffled anew each time, while another process
keeps one core busy. A variant differs from the base in one thing. 60 rounds of 12 variants take some 40 minutes on two
cores; what was recorded is kept when it is interrupted.

    python benchmarks/detection/record.py [--rounds 60] [--out PATH] [--small]

--small: one round of three variants with a tenth of the requests and no core kept busy, into a temporary file; exit
status 1 when a variant did not change its metric.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import Project, go_service, service_yaml, table, verdict, workshop
from pool import BASE, FILE, REQUESTS, VARIANTS, Pool, Variant

TESTS = """
    import json
    from pathlib import Path

    import pytest

    given = json.loads(Path("given.json").read_text())


    @pytest.mark.parametrize("at", range(len(given["order"])))
    def test_round(gomem, at):
        asked = given["variants"][given["order"][at]]
        with gomem.launch(gogc=asked["gogc"]) as svc:
            if asked["burn"]:
                svc.get(f"/burn?ms={asked['burn']}")
            with gomem.measure(svc, name=given["order"][at]):
                svc.load(f"/work?{asked['work']}", requests=given["requests"], connections=4)
                if asked["leak"]:
                    svc.get(f"/leak?bytes={asked['leak']}")
                svc.get(f"/spike?bytes={asked['buffer']}&ms=5")
"""


@contextlib.contextmanager
def a_busy_core(*, wanted: bool = True) -> Iterator[None]:
    """Another process computes meanwhile, where it is wanted: runners of CI are never alone on their machine."""
    if not wanted:
        yield
        return
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        busy.kill()
        busy.wait()


def recorded(project: Project, variants: list[Variant], seed: int, requests: int) -> dict[str, dict[str, float]]:
    """One round of each variant, by its name."""
    order = [variant.name for variant in variants]
    random.Random(seed).shuffle(order)
    given = {"order": order, "requests": requests, "variants": {one.name: one.given for one in variants}}
    Project(project.folder, project.tests, project.yaml, given)
    windows = project.passed().windows("test_round")
    return {
        window["name"]: {name: m["value"] for name, m in window["metrics"].items() if m["value"] is not None}
        for window in windows
    }


def record(variants: list[Variant], rounds: int, out: Path, requests: int = REQUESTS, *, busy: bool = True) -> Pool:
    """Record so many rounds of each, and write after each round."""
    found: dict[str, list[dict[str, float]]] = {variant.name: [] for variant in variants}
    with workshop() as folder, a_busy_core(wanted=busy):
        project = Project(folder / "project", TESTS, service_yaml(go_service(folder)))
        for at in range(rounds):
            for name, figures in recorded(project, variants, at, requests).items():
                found[name].append(figures)
            pool = Pool(about(rounds=at + 1), found)
            pool.write(out)
            print(f"round {at + 1} of {rounds}", file=sys.stderr, flush=True)
    return pool


def about(**more: Any) -> dict[str, Any]:
    """The machine, for whoever reads the pool."""
    go = subprocess.run(["go", "version"], capture_output=True, text=True).stdout.split()
    return {"go": go[2] if len(go) > 2 else "", "kernel": platform.release(), "cpus": os.cpu_count(), **more}


def missed(pool: Pool) -> Iterator[str]:
    """Variants that did not change what they are there for."""
    for variant in VARIANTS:
        for metric in variant.changes:
            rounds = pool.rounds.get(variant.name, ())
            if rounds and not shift(pool, variant.name, metric):
                yield f"{variant.name}: {metric} is as in the base"


def shift(pool: Pool, variant: str, metric: str) -> float:
    """The change of the median against the base, a ratio."""
    base, new = (median(one[metric] for one in pool.rounds[name]) for name in (BASE, variant))
    return new / base - 1


def main() -> int:
    """Record, and say what each variant changed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--small", action="store_true", help="one small instance, for CI")
    given = parser.parse_args()
    variants = [v for v in VARIANTS if not given.small or v.name in (BASE, "live heap +1%", "one more object per op")]
    with workshop() as folder:
        rounds, out = (1, folder / "pool") if given.small else (given.rounds, given.out)
        pool = record(variants, rounds, out, REQUESTS // 10 if given.small else REQUESTS, busy=not given.small)
    rows = [
        (one.name, metric, f"{shift(pool, one.name, metric):+.2%}")
        for one in variants
        for metric in one.changes or ("live_heap",)
    ]
    table("what each variant changes", ("variant", "metric", "shift of the median"), rows)
    return verdict(list(missed(pool)))


if __name__ == "__main__":
    sys.exit(main())
