"""Runs pytest for `gomem bisect`: a test on the good commit and on another one, in turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_gomem.base.errors import GomemError
from pytest_gomem.bisect.measured import Measured, measured_in
from pytest_gomem.commands.one_test import FoundTest, run_test
from pytest_gomem.commands.pytest_run import last_lines
from pytest_gomem.git.repository import short
from pytest_gomem.plugin.compared_closely import METRIC_VARIABLE
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.stats.decision import FEWEST


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
        sides = [*self.pytest_args, f"--gomem-against={base}", f"--gomem-head={head}"]
        ran = run_test(self.test, [*args, *sides], env)
        test = ran.record
        if test.outcome != "passed":
            raise GomemError(f"the test {_ended(test.outcome)} on {short(head)}:\n{last_lines(ran.done.stdout)}")
        if not test.windows:
            raise GomemError(f"{test.nodeid} measures nothing: a bisection needs a test with a gomem fixture")
        return test


def _ended(outcome: str) -> str:
    return {"failed": "fails", "error": "fails", "skipped": "is skipped"}.get(outcome, f"ended as '{outcome}'")
