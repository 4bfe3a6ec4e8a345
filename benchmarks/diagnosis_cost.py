"""Measures what a diagnosis costs a failed test, and that budgets and passing tests cost and change nothing.

The shop of planted/ does the same work in each test; variants take turns, 10 pairs in one pytest run:

plain: no budget. budgets: three limits on memory that pass. functions: a budget on functions that passes, which pays
for an observed round of its own. failed: a limit that breaks; undiagnosed: the same with diagnose=False.

A test that passes is never observed: budgets and functions must have the figures of plain (median of the paired
differences within 0.5%), budgets also its time, within 5%. What failed takes longer than undiagnosed is the price of a
diagnosis; the same for a comparison with a commit, in 3 pairs. It takes at most two rounds a side.

baseline: a test gets budgets, and the service `peak_profile` and `profile_rate`, after its baseline was recorded. It
must stay comparable.

    python benchmarks/diagnosis_cost.py [--pairs 10]
    python benchmarks/diagnosis_cost.py --small     one pair, no comparison, no limit on time, for CI
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from common import Outcome, Project, table, verdict, workshop
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

    TAKEN = {}


    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(item):
        began = time.monotonic()
        try:
            return (yield)
        finally:
            TAKEN[item.callspec.id] = time.monotonic() - began


    def pytest_sessionfinish():
        Path("figures.json").write_text(json.dumps(TAKEN))
"""
BUDGETS = {"live_heap": "1GB", "peak_rss": "1GB", "alloc_bytes_per_op": "1GB"}
FUNCTIONS = {"alloc_space": {"main.*": "1GB"}, "inuse_space": {"main.*": "1GB"}}
BROKEN = {"live_heap": "1MB"}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "budgets": BUDGETS,
    "functions": FUNCTIONS,
    "failed": BROKEN,
    "undiagnosed": {**BROKEN, "diagnose": False},
}
COMPARED: Mapping[str, Mapping[str, Any]] = {"failed": {}, "undiagnosed": {"diagnose": False}}
WORSE = {"strings.Clone(text[:16])": "text[:16]"}
FIGURES = ("peak_rss", "live_heap", "alloc_bytes_per_op", "allocs_per_op", "gc_cycles")
CHANGE, TIME = 0.005, 0.05
SETTINGS = {"peak_profile": "true", "profile_rate": "4096"}


def project(
    folder: Path, pairs: int, requests: int, variants: Mapping[str, Any], settings: Sequence[str] = ()
) -> Project:
    """The shop and its tests; settings: of the service, in gomem.yaml."""
    lines = "".join(f"    {name}: {SETTINGS[name]}\n" for name in settings)
    given = {"pairs": pairs, "requests": requests, "variants": variants}
    made = Project(folder, TESTS, YAML.format(products=2000) + lines, given, CONFTEST)
    (folder / "go.mod").write_text("module example.com/shop\n\ngo 1.22\n")
    (folder / "main.go").write_text(SOURCE.read_text())
    return made


def by_variant(outcome: Outcome) -> dict[str, list[dict[str, Any]]]:
    """The windows of each variant, pair by pair."""
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for test in outcome.report.get("tests", ()):
        variant, pair = test["nodeid"].rpartition("[")[2].rstrip("]").split("-")
        found.setdefault(variant, {})[int(pair)] = test["windows"][0]
    if outcome.status > 1 or not found:
        raise SystemExit(f"the benchmark's own tests failed:\n{outcome.text}")
    return {variant: [windows[pair] for pair in sorted(windows)] for variant, windows in found.items()}


def seconds(taken: Mapping[str, float], variant: str) -> list[float]:
    """How long the tests of a variant took, pair by pair."""
    return [taken[name] for name in sorted(taken, key=lambda name: int(name.split("-")[1])) if name.startswith(variant)]


def differences(some: Sequence[float], plain: Sequence[float]) -> float:
    """The median of the paired differences, as a share of plain."""
    middle = median(plain)
    return median(one - other for one, other in zip(some, plain, strict=True)) / middle if middle else 0.0


def passing(folder: Path, pairs: int, requests: int, *, is_timed: bool) -> list[str]:
    """Budgets that pass, and the price of one that breaks; what is not as it must be."""
    made = project(folder, pairs, requests, VARIANTS)
    windows, missed, rows = by_variant(made.run()), [], []
    taken = {variant: seconds(made.figures(), variant) for variant in VARIANTS}
    values = {
        (variant, name): [window["metrics"][name]["value"] for window in windows[variant]]
        for variant in VARIANTS
        for name in FIGURES
    }
    for name in FIGURES:
        changes = {one: differences(values[one, name], values["plain", name]) for one in ("budgets", "functions")}
        rows.append((name, f"{median(values['plain', name]):.6g}", *(f"{change:+.2%}" for change in changes.values())))
        missed += [f"{name} of {one}: {change:+.2%}" for one, change in changes.items() if abs(change) > CHANGE]
    times = {one: differences(taken[one], taken["plain"]) for one in ("budgets", "functions")}
    rows.append(("seconds", f"{median(taken['plain']):.2f}", *(f"{change:+.1%}" for change in times.values())))
    if is_timed and times["budgets"] > TIME:
        missed.append(f"budgets that pass take {times['budgets']:+.1%} of the time")
    table(f"tests that pass, {pairs} pairs", ("", "plain", "budgets", "functions"), rows)
    observed = [one for one in ("plain", "budgets") for window in windows[one] if window["diagnosis"]]
    missed += [f"{one} was observed, though it passed" for one in observed]
    return missed + price("a budget that breaks", windows, taken)


def price(
    title: str, windows: Mapping[str, Sequence[Mapping[str, Any]]], taken: Mapping[str, Sequence[float]]
) -> list[str]:
    """Print what a diagnosis costs; what is not as it must be."""
    rounds = [(window["diagnosis"] or {}).get("rounds", 0) for window in windows["failed"]]
    more = [one - other for one, other in zip(taken["failed"], taken["undiagnosed"], strict=True)]
    print(
        f"{title}: {median(taken['undiagnosed']):.2f} s without a diagnosis, {median(more):+.2f} s for one "
        f"({min(more):+.2f} to {max(more):+.2f}), {min(rounds)} to {max(rounds)} observed rounds of the head"
    )
    named = sum(bool(window["culprits"]) for window in windows["failed"])
    missed = [] if named == len(rounds) else [f"{title}: {named} of {len(rounds)} name somebody"]
    missed += [f"{title}: {max(rounds)} observed rounds"] if max(rounds) > 2 else []
    return missed + [
        f"{title}: observed in spite of diagnose=False" for one in windows["undiagnosed"] if one["diagnosis"]
    ]


def comparing(folder: Path, pairs: int, requests: int) -> list[str]:
    """The price where two sides are compared; what is not as it must be."""
    made = project(folder, pairs, requests, COMPARED)
    (folder / ".gitignore").write_text("*.json\n__pycache__/\n")
    me = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for words in ("init --quiet", "add --all", "commit --quiet --message=good"):
        subprocess.run(["git", *me, *words.split()], cwd=folder, check=True, stdin=subprocess.DEVNULL)
    ((good, bad),) = WORSE.items()
    (folder / "main.go").write_text(SOURCE.read_text().replace(good, bad))
    windows = by_variant(made.run("--gomem-against=HEAD"))
    taken = {variant: seconds(made.figures(), variant) for variant in COMPARED}
    return price("a comparison that fails", windows, taken)


def comparable(folder: Path, requests: int) -> list[str]:
    """Whether a test stays comparable with its baseline; what is not as it must be."""
    project(folder, 1, requests, {"it": {}}).passed("--gomem-update")
    changes: Mapping[str, tuple[Mapping[str, Any], Sequence[str]]] = {
        "budgets": (BUDGETS, ()),
        "functions": (FUNCTIONS, ()),
        "peak_profile": ({}, ("peak_profile",)),
        "profile_rate": ({}, ("profile_rate",)),
        "all of these": ({**BUDGETS, **FUNCTIONS}, tuple(SETTINGS)),
    }
    rows, missed = [], []
    for name, (budgets, settings) in changes.items():
        (window,) = by_variant(project(folder, 1, requests, {"it": budgets}, settings).run())["it"]
        compared = [v["metric"] for v in window["verdicts"] if v["kind"] == "regression" and v["status"] == "pass"]
        rows.append((name, len(compared), window["no_base"] or "comparable"))
        if window["no_base"] or not {"live_heap", "peak_rss"} <= set(compared):
            missed.append(f"{name}: not comparable with the baseline: {window['no_base']}, {compared}")
    table("added after the baseline was recorded", ("", "metrics compared", ""), rows)
    return missed


def main() -> int:
    """Measure and print; 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--small", action="store_true", help="one small instance, for CI")
    given = parser.parse_args()
    pairs, requests = (1, 200) if given.small else (given.pairs, 1000)
    with workshop() as folder:
        goes_on = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser()
        os.environ.setdefault("GOCACHE", str(goes_on / "go-build"))
        os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
        missed = passing(folder / "passing", pairs, requests, is_timed=not given.small)
        if not given.small:
            missed += comparing(folder / "comparing", 3, requests // 4)
            missed += comparable(folder / "comparable", requests // 4)
    return verdict(missed, enforced=not given.small)


if __name__ == "__main__":
    sys.exit(main())
