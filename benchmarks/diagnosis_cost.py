"""Measures what a diagnosis costs a failed test, and that passing tests and budgets pay and change nothing.

The shop of planted/ does the same work in each test. Variants take turns, 10 pairs in one pytest run after one that
warms up:

plain: no budget. budgets: three limits on memory, which pass. functions: budgets on functions, which pass; they pay for
an observed round of their own. Each test runs in 8 rounds, since the peak of one round scatters by 2%. All three must
measure the same: the median of the paired differences is within 0.5%. plain and budgets must take the same time, within
5%, and are not observed at all.

failed: a limit that breaks, in one round; of 10, and of 3 comparisons with a commit. What a diagnosis takes is the time
from its first observed round to the end of the test: rounds, the compiler's notes, the text. At most two rounds a side.

baseline: a test gets budgets, and its service `peak_profile` and `profile_rate`, after its baseline was recorded. It
must stay comparable.

    python benchmarks/diagnosis_cost.py [--pairs 10]
    python benchmarks/diagnosis_cost.py --small     one pair in one round, no comparison, no limit on figures, for CI
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from common import Project, table, verdict, workshop
from planted import SOURCE, YAML

TESTS = """
    import json
    from pathlib import Path

    import pytest

    given = json.loads((Path(__file__).parent / "given.json").read_text())
    there, back = list(given["variants"]), list(given["variants"])[::-1]
    turns = [(pair, variant) for pair in range(given["pairs"]) for variant in (back if pair % 2 else there)]


    @pytest.mark.parametrize(
        "variant",
        [
            pytest.param(variant, id=f"{variant}-{pair}", marks=pytest.mark.gomem(**given["variants"][variant]))
            for pair, variant in turns
        ],
    )
    def test_it(go_service, variant):
        go_service.load("/upload", requests=given["requests"], method="POST", body="x" * 4096)
        go_service.load("/product", requests=given["requests"])
"""
CONFTEST = """
    import json
    import time
    from pathlib import Path

    import pytest

    from pytest_gomem.comparison.rounds import AllRounds

    TAKEN, LOOKED, SINCE = {}, {}, []
    search = AllRounds.search


    def noted(rounds):
        found = search(rounds)
        if found:
            SINCE.append(time.monotonic())
        return found


    AllRounds.search = noted


    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(item):
        began = time.monotonic()
        SINCE.clear()
        try:
            return (yield)
        finally:
            ended = time.monotonic()
            TAKEN[item.callspec.id] = ended - began
            LOOKED[item.callspec.id] = ended - SINCE[0] if SINCE else 0.0


    def pytest_sessionfinish():
        Path("figures.json").write_text(json.dumps({"taken": TAKEN, "looked": LOOKED}))
"""
BUDGETS = {"live_heap": "1GB", "peak_rss": "1GB", "alloc_bytes_per_op": "1GB"}
FUNCTIONS = {"alloc_space": {"main.*": "1GB"}, "inuse_space": {"main.*": "1GB"}}
PASSING: Mapping[str, Mapping[str, Any]] = {"plain": {}, "budgets": BUDGETS, "functions": FUNCTIONS}
BROKEN = {"live_heap": "1MB"}
WORSE = ("strings.Clone(text[:16])", "text[:16]")
FIGURES = ("peak_rss", "live_heap", "alloc_bytes_per_op", "allocs_per_op", "gc_cycles")
CHANGE, TIME = 0.005, 0.05
ROUNDS, MOST_ROUNDS = 8, 2
SETTINGS = {"peak_profile": "true", "profile_rate": "4096"}


class Measured(NamedTuple):
    """One test: its window, seconds in all, and those that the search for a cause took."""

    window: Mapping[str, Any]
    seconds: float
    looked: float


def project(folder: Path, pairs: int, requests: int, variants: Mapping[str, Any], settings: Sequence[str]) -> Project:
    """The shop and its tests; settings: of the service, in gomem.yaml."""
    lines = "".join(f"    {name}: {SETTINGS[name]}\n" for name in settings)
    given = {"pairs": pairs, "requests": requests, "variants": variants}
    made = Project(folder, TESTS, YAML.format(products=2000) + lines, given, CONFTEST)
    (folder / "go.mod").write_text("module example.com/shop\n\ngo 1.22\n")
    (folder / "main.go").write_text(SOURCE.read_text())
    return made


def measured(made: Project, *args: str) -> dict[str, list[Measured]]:
    """Run; each variant's tests, pair by pair."""
    outcome = made.run(*args)
    if outcome.status > 1 or not outcome.report.get("tests"):
        raise SystemExit(f"the benchmark's own tests failed:\n{outcome.text}")
    figures, found = made.figures(), {}
    for test in outcome.report["tests"]:
        name = test["nodeid"].rpartition("[")[2].rstrip("]")
        one = Measured(test["windows"][0], figures["taken"][name], figures["looked"][name])
        found.setdefault(name.rpartition("-")[0], []).append(one)
    return found


def difference(some: Sequence[float], plain: Sequence[float]) -> float:
    """The median of the paired differences, as a share of plain."""
    middle = median(plain)
    return median(one - other for one, other in zip(some, plain, strict=True)) / middle if middle else 0.0


def passing(made: Project, *, is_judged: bool) -> list[str]:
    """Compare the tests that pass, pair by pair; what is not as it must be."""
    tests = {variant: found[is_judged:] for variant, found in measured(made).items()}
    values = {
        **{name: {of: [one.window["metrics"][name]["value"] for one in tests[of]] for of in tests} for name in FIGURES},
        "seconds": {of: [one.seconds for one in tests[of]] for of in tests},
    }
    rows, missed = [], []
    for name, of in values.items():
        changes = {variant: difference(of[variant], of["plain"]) for variant in PASSING if variant != "plain"}
        rows.append((name, f"{median(of['plain']):.6g}", *(f"{change:+.2%}" for change in changes.values())))
        if name == "seconds":
            changes.pop("functions")
        most = TIME if name == "seconds" else CHANGE
        far = {variant: change for variant, change in changes.items() if is_judged and abs(change) > most}
        missed += [f"{name} of {variant}: {change:+.2%}" for variant, change in far.items()]
    table(f"tests that pass, {len(tests['plain'])} pairs", ("", *PASSING), rows)
    observed = {variant for variant in ("plain", "budgets") for one in tests[variant] if one.window["diagnosis"]}
    return missed + [f"{variant} was observed, though it passed" for variant in sorted(observed)]


def failing(title: str, tests: Sequence[Measured]) -> list[str]:
    """Print what a diagnosis costs; what is not as it must be."""
    rounds = max((one.window["diagnosis"] or {}).get("rounds", 0) for one in tests)
    looked, others = [one.looked for one in tests], [one.seconds - one.looked for one in tests]
    print(
        f"{title}: measured in {median(others):.2f} s, diagnosed in {median(looked):.2f} s "
        f"({min(looked):.2f} to {max(looked):.2f}), at most {rounds} observed rounds a side"
    )
    named = sum(bool(one.window["culprits"]) for one in tests)
    missed = [f"{title}: somebody is named in {named} of {len(tests)}"] if named < len(tests) else []
    return missed + ([f"{title}: {rounds} observed rounds"] if rounds > MOST_ROUNDS else [])


def against(made: Project) -> list[str]:
    """What a diagnosis costs where two sides are compared."""
    (made.folder / ".gitignore").write_text("*.json\n__pycache__/\n")
    me = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in ("init --quiet", "add --all", "commit --quiet --message=good"):
        subprocess.run(["git", *me, *words.split()], cwd=made.folder, check=True, stdin=subprocess.DEVNULL)
    (made.folder / "main.go").write_text(SOURCE.read_text().replace(*WORSE))
    return failing("a comparison that fails", measured(made, "--gomem-against=HEAD")["failed"][1:])


def comparable(folder: Path, requests: int) -> list[str]:
    """Whether a test stays comparable with its baseline; what is not as it must be."""
    project(folder, 1, requests, {"it": {}}, ()).passed("--gomem-update")
    changes: Mapping[str, tuple[Mapping[str, Any], Sequence[str]]] = {
        "budgets": (BUDGETS, ()),
        "functions": (FUNCTIONS, ()),
        "peak_profile": ({}, ("peak_profile",)),
        "profile_rate": ({}, ("profile_rate",)),
        "all of these": ({**BUDGETS, **FUNCTIONS}, tuple(SETTINGS)),
    }
    rows, missed = [], []
    for name, (budgets, settings) in changes.items():
        (one,) = measured(project(folder, 1, requests, {"it": budgets}, settings))["it"]
        reason = one.window["no_base"]
        compared = {v["metric"] for v in one.window["verdicts"] if v["kind"] == "regression" and v["status"] == "pass"}
        rows.append((name, len(compared), reason or "comparable"))
        if reason or not {"live_heap", "peak_rss"} <= compared:
            missed.append(f"{name}: not compared with the baseline: {reason}, {sorted(compared)} pass")
    table("added after the baseline was recorded", ("", "metrics that pass", ""), rows)
    return missed


def main() -> int:
    """Measure and print; 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--small", action="store_true", help="one small instance, for CI")
    given = parser.parse_args()
    requests = 200 if given.small else 500
    pairs, rounds = (1, 1) if given.small else (given.pairs + 1, ROUNDS)
    variants = {name: {**budgets, "rounds": rounds} for name, budgets in PASSING.items()}
    with workshop() as folder:
        goes_on = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
        os.environ.setdefault("GOCACHE", str(goes_on / "go-build"))
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        missed = passing(project(folder / "passing", pairs, requests, variants, ()), is_judged=not given.small)
        broken = measured(project(folder / "failing", pairs, requests, {"failed": BROKEN}, ()))
        missed += failing("a budget that breaks", broken["failed"][not given.small :])
        if not given.small:
            missed += against(project(folder / "against", 4, requests, {"failed": {}}, ()))
            missed += comparable(folder / "comparable", requests)
    return verdict(missed)


if __name__ == "__main__":
    sys.exit(main())
