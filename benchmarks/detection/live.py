"""Compares live, end to end: 40 runs of an unchanged test with its baseline, and 40 of each variant that is 1% worse.

Each run is a pytest of its own that is asked for 3 rounds, against a baseline of 8, while another process keeps one
core busy; what is worse after 3 is borne out by 8. 40 runs of 4 variants take some 20 minutes on two cores.

    python benchmarks/detection/live.py [--runs 40] [--small]

Exit status 1 when an unchanged test failed, or a worse one passed. --small: one run of the base and of 5% more, in 3
rounds with no core kept busy, with a thirtieth of the requests.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common import Project, go_service, service_yaml, table, verdict, workshop
from pool import BASE, REQUESTS, VARIANTS, Variant
from record import a_busy_core

TESTS = """
    import json
    from pathlib import Path


    def test_it(go_service):
        asked = json.loads(Path("given.json").read_text())
        go_service.load(f"/work?{asked['work']}", requests=asked["requests"], connections=4)
        if asked["leak"]:
            go_service.get(f"/leak?bytes={asked['leak']}")
        go_service.get(f"/spike?bytes={asked['buffer']}&ms=5")
"""
NAMES = (BASE, "live heap +1%", "bytes per op +1%", "one more object per op")


def failed(folder: Path, yaml: str, variant: Variant, requests: int, *args: str) -> bool:
    """Whether a run of the variant fails."""
    given = {**variant.given, "requests": requests}
    return bool(Project(folder, TESTS, yaml, given).run("--gomem-rounds=3", *args).status)


def main() -> int:
    """Record the baseline, run, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--small", action="store_true", help="one small instance, for CI")
    given = parser.parse_args()
    runs, names = (1, (BASE, "live heap +5%")) if given.small else (given.runs, NAMES)
    requests = REQUESTS // 30 if given.small else REQUESTS
    least = ("--gomem-rounds=3", "--gomem-confirm=3", "--gomem-diagnose=off") if given.small else ()
    variants = [variant for variant in VARIANTS if variant.name in names]
    count = dict.fromkeys((variant.name for variant in variants), 0)
    with workshop() as folder, a_busy_core(wanted=not given.small):
        yaml = service_yaml(go_service(folder))
        base = {**variants[0].given, "requests": requests}
        Project(folder / "project", TESTS, yaml, base).passed("--gomem-update", "--gomem-baseline-profiles=off", *least)
        for at in range(runs):
            for variant in variants:
                count[variant.name] += failed(folder / "project", yaml, variant, requests, *least)
            print(f"{at + 1} of {runs}: {count}", file=sys.stderr, flush=True)
    table("live runs", ("variant", "failed", "of"), [(name, found, runs) for name, found in count.items()])
    asked = {name: 0 if name == BASE else runs for name in count}
    wrong = [f"{name}: {found} of {runs} failed" for name, found in count.items() if found != asked[name]]
    return verdict(wrong)


if __name__ == "__main__":
    sys.exit(main())
