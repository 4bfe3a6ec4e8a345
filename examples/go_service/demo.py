"""Owns the demonstration: what is to pass passes, what is to fail fails by its budgets, and the figures beside it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_gomem.base.units import UNITS, format_value
from pytest_gomem.commands.cli import main as gomem
from pytest_gomem.report.chart import Axis, Curve, draw

HERE = Path(__file__).resolve().parent
OUT = HERE / "gomem-demo"
SHOWN = {
    "gc_cycles": "GC cycles",
    "peak_rss": "peak RSS",
    "live_heap": "live heap",
    "gc_pause_mean": "mean STW",
    "total_alloc": "bytes allocated",
}
TREND = "test_trend"  # of both sides, with figures of its own
KILLED = "test_container"  # alone: there is nothing to compare a death with
GREEN, RED, BOLD = "32", "31", "1"
Json = dict[str, Any]


@dataclass(frozen=True)
class Scenario:
    """The same work twice: a test of test_bad.py and one of test_good.py.

    sample: the sample type of heap profiles in which the difference shows.
    """

    name: str
    bad: str
    good: str
    sample: str


# The line that each bad version is guilty by, by the code that stands there.
GUILTY = {
    "test_logs": ("logs.go", "make([]byte, 0, lineSize)"),
    "test_container": ("logs.go", "make([]byte, 0, lineSize)"),
    "test_buffers": ("buffers.go", "return new(buffer)"),
    "test_upload": ("upload.go", "io.ReadAll(body)"),
    "test_encode_fresh": ("encode.go", "uint64(s.Time)"),
}
SCENARIOS = (
    Scenario("logs", "test_logs", "test_logs", "inuse_space"),
    Scenario("buffers", "test_buffers", "test_buffers", "inuse_space"),
    Scenario("upload", "test_upload", "test_upload", "alloc_space"),
    Scenario("encode-pool", "test_encode_fresh", "test_encode_pool", "alloc_space"),
    Scenario("encode-unsafe", "test_encode_fresh", "test_encode_unsafe", "alloc_space"),
)


@dataclass(frozen=True)
class Run:
    """A finished pytest run: its exit status, and the tests of its JSON report by function name."""

    status: int
    tests: dict[str, Json]


def main() -> int:
    OUT.mkdir(exist_ok=True)
    # No path: pyproject.toml names all but test_bad.py. Of those that fail, gomem keeps the profiles itself.
    good = run_pytest("These are to pass", "good", ["-p", "keep_profiles"])
    bad = run_pytest("These are to fail, each by its budgets", "bad", ["tests/test_bad.py"])
    traced = run_pytest("Which lines the collector holds up", "traced", ["-s", "-q", "tests/test_assists.py"])
    problems = [*wrong_with_good(good), *wrong_with_bad(bad)]
    if traced.status:
        problems.append(f"pytest ended with status {traced.status}, not 0, on the test that takes a trace")
    if not problems:
        show(good, bad)
    for problem in problems:
        say(f"not as expected: {problem}", RED)
    if not problems:
        say("\nWhat was to fail failed, and what was to pass passed.", GREEN)
    return 1 if problems else 0


def run_pytest(title: str, name: str, arguments: list[str]) -> Run:
    say(f"\n{title}", BOLD)
    report = OUT / f"{name}.json"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", f"--gomem-json={report}", f"--gomem-artifacts={OUT}"]
    env = {**os.environ, "GOMEM_DEMO_PROFILES": str(OUT / name)}
    status = subprocess.run([*command, *arguments], cwd=HERE, env=env).returncode
    tests = json.loads(report.read_text())["tests"] if report.exists() else []
    return Run(status, {test["nodeid"].rpartition("::")[2]: test for test in tests})


def wrong_with_good(run: Run) -> Iterator[str]:
    if run.status != 0:
        yield f"pytest ended with status {run.status}, not 0, on the tests that are to pass"
    for name in dict.fromkeys([*(s.good for s in SCENARIOS), TREND]):
        if run.tests.get(name, {}).get("outcome") != "passed":
            yield f"{name} is not among the passed tests of gomem-demo/good.json"


def wrong_with_bad(run: Run) -> Iterator[str]:
    """A test that fails for a reason other than its budgets demonstrates nothing, so it is a problem too."""
    if run.status != 1:
        yield f"pytest ended with status {run.status}, not 1, on the tests that are to fail"
    for name in dict.fromkeys([*(s.bad for s in SCENARIOS), TREND, KILLED, *run.tests]):
        test = run.tests.get(name)
        if test is None:
            yield f"{name} is missing from gomem-demo/bad.json"
        elif test["outcome"] != "failed":
            yield f"{name} was to fail, and its outcome is '{test['outcome']}'"
        elif not any(v["status"] == "fail" for window in test["windows"] for v in window["verdicts"]):
            yield f"{name} failed, but not by a budget"
        elif name in GUILTY and (accused := first_culprit(test)) != at(*GUILTY[name]):
            yield f"{name} names {accused} as its first culprit, not {at(*GUILTY[name])}"


def first_culprit(test: Json) -> str:
    culprits = test["windows"][0]["culprits"]
    return f"{culprits[0]['file']}:{culprits[0]['line']}" if culprits else "nobody"


def at(file: str, code: str) -> str:
    """The line of a source file that holds this code."""
    lines = (HERE / file).read_text().splitlines()
    return f"{file}:{next(number for number, line in enumerate(lines, 1) if code in line)}"


def show(good: Run, bad: Run) -> None:
    for scenario in SCENARIOS:
        guilty = bad.tests[scenario.bad]["windows"][0]["culprits"][0]
        before, after = bad.tests[scenario.bad]["windows"][0], good.tests[scenario.good]["windows"][0]
        say(f"\n{scenario.name}", BOLD)
        for line in (*table(before["metrics"], after["metrics"]), *folklore(before["metrics"], after["metrics"])):
            say(line)
        say(f"  guilty: {guilty['file']}:{guilty['line']} {guilty['function']} {guilty['reason']}")
        say(picture(scenario, before, after))
        for line in flame_graphs(scenario, before):
            say(line)
    say("\ntrend", BOLD)
    for label, run in (("bad", bad), ("good", good)):
        for line in trend(label, run.tests[TREND]["windows"][0]["metrics"]):
            say(line)
    say("\ncontainer", BOLD)
    verdict = next(one for one in bad.tests[KILLED]["windows"][0]["verdicts"] if one["metric"] == "memory_limit")
    say(f"  {verdict['reason']}")


def trend(label: str, metrics: Json) -> Iterator[str]:
    """What each request keeps, when 256 MiB are full, and how sure that is."""
    growth, left = metrics["heap_growth_per_op"], metrics["time_to_limit"]
    is_told = left["interval"] and left["interval"][1] is not None
    date = f"256 MiB are full in {text(left)}" if is_told else "256 MiB are out of sight"
    yield f"  {label + ':':<6}{text(growth)} kept, {date}"
    yield f"        {growth['note'] or growth['reason']}"


def table(bad: Json, good: Json) -> Iterator[str]:
    yield f"  {'':<16}{'bad':>12}{'good':>12}{'change':>10}"
    for name, title in SHOWN.items():
        yield f"  {title:<16}{text(bad[name]):>12}{text(good[name]):>12}{change(bad[name], good[name]):>10}"
    for name, title in SHOWN.items():
        for label, metric in (("bad", bad[name]), ("good", good[name])):
            if metric["value"] is None:
                yield f"  n/a: {title}, {label}: {metric['reason']}"


def text(metric: Json) -> str:
    return "n/a" if metric["value"] is None else format_value(metric["value"], UNITS[metric["unit"]])


def change(bad: Json, good: Json) -> str:
    if good["value"] is None or not bad["value"]:  # nothing can be relative to nothing
        return "-"
    return f"{good['value'] / bad['value'] - 1:+.1%}"


def folklore(bad: Json, good: Json) -> Iterator[str]:
    """What one would not guess of a version that holds much more memory; says only what these figures say."""
    if not less(good["live_heap"], bad["live_heap"], by=2):
        return
    if less(bad["gc_cycles"], good["gc_cycles"]):
        yield f"  The version that holds more collected less often: {against('gc_cycles', bad, good)} cycles."
        yield "  GOGC lets the heap grow in proportion to what is live, so a leak makes collections rarer:"
        yield f"  it shows in the live heap ({against('live_heap', bad, good)}), not in the count of cycles."
    if less(bad["gc_pause_mean"], good["gc_pause_mean"]):
        yield f"  Its mean pauses were no longer for it: {against('gc_pause_mean', bad, good)}."


def less(one: Json, other: Json, by: float = 1) -> bool:
    return None not in (one["value"], other["value"]) and one["value"] * by < other["value"]


def against(name: str, bad: Json, good: Json) -> str:
    return f"{text(bad[name])} against {text(good[name])}"


def picture(scenario: Scenario, before: Json, after: Json) -> str:
    if not all(window["series"].get("rss", {}).get("t") for window in (before, after)):
        return "  no picture: a window was too short for a sample of its RSS"
    bad, good = before["series"]["rss"], after["series"]["rss"]
    curves = [
        Curve(f"bad: {scenario.bad}", "bad", bad["t"], bad["v"]),
        Curve(f"good: {scenario.good}", "good", good["t"], good["v"]),
    ]
    path = OUT / f"{scenario.name}.svg"
    axes = Axis("time since the window opened (s)"), Axis("resident memory, RSS (MB)", 1e6)
    path.write_text(draw(f"{scenario.name}: resident memory, bad against good", curves, *axes))
    return f"  picture: {os.path.relpath(path)}"


def flame_graphs(scenario: Scenario, before: Json) -> Iterator[str]:
    """What bad holds or makes more than good, as a page and as a picture."""
    kept = before["artifacts"].get("heap_profile")
    bad, good = OUT / str(kept), OUT / "good" / f"{scenario.good}.pb.gz"
    if kept is None or not good.exists():
        yield "  no flame graph: a heap profile is missing"
        return
    for ending in ("html", "svg"):
        path = OUT / f"{scenario.name}-flame.{ending}"
        title = f"{scenario.name}: {scenario.bad} (bad) against {scenario.good} (good)"
        options = ["--sample", scenario.sample, "--title", title, "-o", str(path)]
        out, err = io.StringIO(), io.StringIO()
        drawn = gomem(["flame", str(bad), str(good), *options], out, err) == 0
        yield f"  flame graph: {os.path.relpath(path)}" if drawn else f"  no flame graph: {err.getvalue().strip()}"


def say(line: str, colour: str = "") -> None:
    """Print at once, so that our lines and pytest's keep their order in a pipe; colour only where someone looks."""
    print(f"\033[{colour}m{line}\033[0m" if colour and sys.stdout.isatty() else line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
