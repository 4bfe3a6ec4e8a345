"""Owns the runs that the tests of comments, annotations and files for CI servers are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from report_samples import metric, usual_metrics, verdict, window

from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.attribution.origin import Site
from pytest_gomem.base.errors import Place
from pytest_gomem.base.units import RATIO, Quantity
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.regressions import BY_DEFAULT, REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.results.run_record import RunRecord, TestRecord
from pytest_gomem.results.window_record import BuildRecord, WindowRecord
from pytest_gomem.stats.decision import Status

COMMIT = "0a1b2c3d4e5f67890a1b2c3d4e5f67890a1b2c3d"
UPLOAD = "tests/memory/test_mem.py::test_upload"


def compared(status: Status, name: str = "live_heap", ratio: float = 0.2) -> Verdict:
    """The verdict of a comparison with HEAD^."""
    limit = Quantity(0.02, RATIO, "2%")
    budget = Budget(name, None, None, None, limit, function="", scope=BY_DEFAULT, place=Place())
    return Verdict(
        budget, limit, REGRESSION, 1e7 * (1 + ratio), status, over=ratio if status is Status.FAIL else None,
        reason=f"{name} is {ratio:.0%} worse than HEAD^" if status is Status.FAIL else "",
        baseline=1e7, change=1e7 * ratio, interval=(1e7 * ratio * 0.9, 1e7 * ratio * 1.1), rounds=(8, 8),
    )  # fmt: skip


def side(status: Status = Status.PASS, *, file: str = "store.go", folder: str | None = "services/api", **fields):
    """A window that was compared with HEAD^, with a culprit if it is worse."""
    culprits = (
        Culprit(
            "example.com/api/store.Put", file, 18, "live_heap", 0, 2 * 10**6, 10**5, 0.98,
            "allocated 2.00 MB of the live heap", (Site("main.serve", "cmd/main.go", 7),), is_between=True,
        ),
    )  # fmt: skip
    return window(
        build=BuildRecord("working tree", "go1.26.0", folder=folder),
        metrics=(*usual_metrics(live_heap=1.2e7), metric("start_rss", 1e6)),
        verdicts=(compared(status, ratio=0.2 if status is Status.FAIL else 0.0),),
        culprits=culprits if status is Status.FAIL else (),
        base=window(build=BuildRecord("HEAD^ (0a1b2c3d4e5f)", "go1.26.0")),
        **fields,
    )


def worse(number: int = 1, ratio: float = 0.2) -> TestRecord:
    """A test that got worse."""
    got = replace(side(Status.FAIL), verdicts=(compared(Status.FAIL, ratio=ratio),))
    return TestRecord(f"{UPLOAD}[{number}]", "failed", (got,), line=12)


def run_of(*tests: TestRecord, folder: str = "py") -> RunRecord:
    """A run of these tests, whose rootdir is `folder` of the repository."""
    return RunRecord("0.1.0", {"go_version": "go1.26.0"}, tests, commit=COMMIT, folder=folder)


def passed(measured: WindowRecord, nodeid: str = UPLOAD) -> TestRecord:
    """A test that passed."""
    return TestRecord(nodeid, "passed", (measured,), line=12)


def with_limit(status_value: float = 1.2e7) -> WindowRecord:
    """A window with a limit that it keeps, compared with nothing."""
    return window(
        metrics=usual_metrics(live_heap=status_value), verdicts=(verdict("live_heap", "60MiB", status_value),)
    )


def repository(folder: Path, *files: str) -> Path:
    """A repository with these files in services/api."""
    for file in files:
        path = folder / "services/api" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("package main\n")
    return folder
