"""The commands that a failure offers: to see who allocates, to keep what is needed for it, to accept the change."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

from pytest_gomem.attribution.culprits import AT_PEAK, SAMPLE_OF
from pytest_gomem.attribution.living import is_on_what_lives
from pytest_gomem.base.printable import printable
from pytest_gomem.git.repository import short
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.report.first_verdict import LEAKED_GOROUTINES
from pytest_gomem.report.text import budget_name
from pytest_gomem.report.traces import is_told
from pytest_gomem.results.window_record import BuildRecord, WindowRecord
from pytest_gomem.stats.decision import Status

_FOLDER = "gomem-artifacts"


def is_test(nodeid: str) -> bool:
    """Whether an id is that of a test, which pytest can run again; `gomem run` has none."""
    return "::" in nodeid


def next_commands(window: WindowRecord, broken: Sequence[Verdict], nodeid: str, artifacts: str) -> Iterator[str]:
    """At most two commands to paste; none for what is no test.

    broken: the worst verdict first. artifacts: the folder of the kept files.
    """
    if not is_test(nodeid) or not broken:
        return
    kept = {name: str(PurePath(artifacts, path)) for name, path in window.artifacts.items()}
    yield _looking(window, broken[0], kept) or _again(window, broken[0], nodeid)
    regression = next((v for v in broken if v.kind == REGRESSION and v.status is Status.FAIL), None)
    if regression:
        yield _line("gomem", "accept", nodeid, budget_name(regression), "--reason", "WHY")


def _again(window: WindowRecord, verdict: Verdict, nodeid: str) -> str:
    """Runs the test again, against the same commit if it was compared with one, and keeps its profiles.

    If nobody has looked for the cause, somebody does then.
    """
    build = window.base.build if window.base and verdict.kind == REGRESSION else BuildRecord()
    commit = short(build.revision)
    against = [f"--gomem-against={commit}"] if commit and f"({commit})" in build.ref else []
    found = window.diagnosis
    diagnose = ["--gomem-diagnose=1"] if found and not found.rounds else []
    return _line("pytest", nodeid, *against, *diagnose, f"--gomem-artifacts={_FOLDER}")


def _looking(window: WindowRecord, verdict: Verdict, kept: Mapping[str, str]) -> str:
    """Shows what grew in the kept profiles and stacks, or who holds it; "" if there are none."""
    metric, is_between = verdict.budget.metric, verdict.kind == REGRESSION
    if is_told(verdict) and "trace" in kept:
        return _line("go", "tool", "trace", kept["trace"])
    if metric == "goroutines" and "goroutine_profile" in kept:
        return _line("gomem", "top", kept["goroutine_profile"])
    if metric == LEAKED_GOROUTINES and "goroutines" in kept:
        return _line("less", kept["goroutines"])
    if window.holders and "holders" in kept and is_on_what_lives(verdict.budget):
        return _line("gomem", "flame", kept["holders"])
    at_peak = metric in AT_PEAK and "peak_profile" in kept
    new = "peak_profile" if at_peak else "heap_profile"
    if new not in kept:
        return ""
    earlier = f"compared_{new}" if is_between else "" if at_peak else "base_profile"
    base = [kept[earlier]] if earlier in kept else []
    sample = ["--sample", SAMPLE_OF[metric]] if metric in SAMPLE_OF else []
    return _line("gomem", "flame", *sample, *base, kept[new])


def _line(*words: str) -> str:
    return printable(shlex.join(words))
