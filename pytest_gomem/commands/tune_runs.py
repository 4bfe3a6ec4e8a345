"""Runs pytest for `gomem tune`: the test under one setting after the other."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from pytest_gomem.commands.one_test import FoundTest, Ran, run_test
from pytest_gomem.commands.pytest_run import Overdue, last_lines
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.tune.measured import followed, result_of
from pytest_gomem.tune.paste import option_value
from pytest_gomem.tune.records import Ended, RunResult, Setting

ONE_ROUND = ("-p", "pytest_gomem.plugin.tuned")
_ONCE = (*ONE_ROUND, "--gomem-no-compare", "--gomem-cycles=off")
_WIDE = {"COLUMNS": "500"}  # pytest cuts the reasons of its summary to the terminal
_TIMES = 5  # a run that takes so many times as long as a good one is ended
_LEAST_SECONDS = 60.0


@dataclass(frozen=True)
class SettingRuns:
    """Runs of one test. service, window: which of its windows is followed, "" for the only one."""

    test: FoundTest
    pytest_args: tuple[str, ...] = ()
    service: str = ""
    window: str = ""

    def run(self, setting: Setting, good_seconds: float = 0.0) -> RunResult:
        """One run; a service that is killed or thrashes, and a test that fails, are results.

        good_seconds: how long a good run takes, 0 if that is not known: one that takes many times as long is ended.
        Raises ConfigError if it is not known which window is meant, GomemError if pytest could not run the test.
        """
        laid_over = option_value(setting, self.service)
        args = [*_ONCE, *self.pytest_args, *([f"--gomem-set={laid_over}"] if laid_over else [])]
        most = max(_TIMES * good_seconds, _LEAST_SECONDS) if good_seconds else None
        began = time.monotonic()
        try:
            ran = run_test(self.test, args, _WIDE, most)
        except Overdue:
            words = f"it was not done after {most:.0f} s, and was ended: a good run takes {good_seconds:.0f} s"
            return RunResult(setting, Ended.THRASHING, why=words, seconds=round(time.monotonic() - began, 1))
        seconds = time.monotonic() - began
        test = ran.record
        window = followed(test, self.service, self.window)
        failed = _why_failed(test, ran) if test.outcome != "passed" else ""
        if window is None and not failed:
            failed = "the test opened no window"
        return result_of(setting, window, seconds, failed)


def _why_failed(test: TestRecord, ran: Ran) -> str:
    """The reason in pytest's short summary, in one line; else the last line that it printed."""
    if test.outcome == "skipped":
        return "the test is skipped"
    found = re.search(rf"^(?:FAILED|ERROR) {re.escape(test.nodeid)} - (.+)$", ran.done.stdout, re.MULTILINE)
    return found[1].strip() if found else last_lines(ran.done.stdout, 1).strip()
