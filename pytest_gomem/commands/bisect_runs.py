"""Runs pytest for `gomem bisect`: a test on the good commit and on another one, in turns."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

from pytest_gomem.base.errors import ConfigError, GomemError
from pytest_gomem.base.files import run_folder
from pytest_gomem.base.names import find_tests
from pytest_gomem.bisect.measured import Measured, measured_in
from pytest_gomem.commands.pytest_run import KEEPS_NOTHING, last_lines, run_pytest
from pytest_gomem.git.repository import short
from pytest_gomem.plugin.collected import FILE_VARIABLE
from pytest_gomem.plugin.compared_closely import METRIC_VARIABLE
from pytest_gomem.plugin.ends_with_parent import PARENT_VARIABLE
from pytest_gomem.report.json_reading import read_report
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.stats.decision import FEWEST

_INTERRUPTED = 2  # pytest's status


def run_beside(folder: Path, args: Sequence[str], env: Mapping[str, str] | None = None) -> CompletedProcess[str]:
    """Run pytest so that it ends with us, and writes to this folder alone, not to the user's tree.

    Raises KeyboardInterrupt if it was interrupted.
    """
    own = {PARENT_VARIABLE: str(os.getpid()), "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["-p", "pytest_gomem.plugin.ends_with_parent", "-o", f"cache_dir={folder / 'cache'}", *args]
    done = run_pytest(command, env={**os.environ, **own, **(env or {})}, captured=True)
    if done.returncode == _INTERRUPTED and "KeyboardInterrupt" in done.stdout:  # also the status of broken test files
        raise KeyboardInterrupt
    return done


@dataclass(frozen=True)
class FoundTest:
    """A test by its id, and how pytest is asked for it from the current folder."""

    nodeid: str
    argument: str


def find_test(wanted: str, pytest_args: Sequence[str]) -> FoundTest:
    """The only test that `wanted` means, of those that pytest collects; raises ConfigError, or GomemError."""
    with run_folder("gomem-bisect-") as folder:
        file = folder / "collected.json"
        command = ["--collect-only", "-q", "-p", "pytest_gomem.plugin.collected", *KEEPS_NOTHING, *pytest_args]
        done = run_beside(folder, command, {FILE_VARIABLE: str(file)})
        if not file.exists():
            raise GomemError(f"pytest could not collect the tests:\n{last_lines(done.stdout)}")
        collected = json.loads(file.read_text())
    found = find_tests(wanted, collected["ids"])
    if len(found) != 1:
        named = f"'{wanted}' means {len(found)} tests: {', '.join(found)}" if found else f"no test '{wanted}'"
        raise ConfigError(named, hint="name one test; with its parameters if it has some")
    path, separator, rest = found[0].partition("::")
    return FoundTest(found[0], f"{os.path.relpath(Path(collected['root']) / path)}{separator}{rest}")


@dataclass(frozen=True)
class TestRuns:
    """Runs of one test on two commits."""

    __test__ = False

    test: FoundTest
    pytest_args: tuple[str, ...]

    def measured(self, good: str, other: str, rounds: int) -> Measured:
        """So many rounds of each, in turns; raises GomemError if the test fails on the good commit."""
        args = [f"--gomem-rounds={rounds}", f"--gomem-confirm={max(rounds, FEWEST)}"]
        return measured_in(self._run(good, other, args))

    def explained(self, parent: str, commit: str, metric: str) -> TestRecord:
        """The commit against its parent, as `gomem compare` does it: with the search for the cause, however small."""
        args = ["--gomem-rounds=auto", "--gomem-diagnose=1", "-p", "pytest_gomem.plugin.compared_closely"]
        return self._run(commit, parent, args, {METRIC_VARIABLE: metric})

    def _run(self, head: str, base: str, args: Sequence[str], env: Mapping[str, str] | None = None) -> TestRecord:
        with run_folder("gomem-bisect-") as folder:
            report = folder / "report.json"
            command = [*KEEPS_NOTHING, *args, *self.pytest_args, self.test.argument, "--gomem-report-only"]
            command += [f"--gomem-json={report}", f"--gomem-against={base}", f"--gomem-head={head}"]
            done = run_beside(folder, command, env)
            tests = list(read_report(report).tests) if report.exists() else []
        test = next((one for one in tests if one.nodeid == self.test.nodeid), None)
        if test is None:
            raise GomemError(f"pytest ended with status {done.returncode}:\n{last_lines(done.stdout)}")
        if test.outcome != "passed":
            raise GomemError(f"the test {_ended(test.outcome)} on {short(head)}:\n{last_lines(done.stdout)}")
        if not test.windows:
            raise GomemError(f"{test.nodeid} measures nothing: a bisection needs a test with a gomem fixture")
        return test


def _ended(outcome: str) -> str:
    return {"failed": "fails", "error": "fails", "skipped": "is skipped"}.get(outcome, f"ended as '{outcome}'")
