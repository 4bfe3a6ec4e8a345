"""Runs one test of the user by pytest, for a command that measures it again and again."""

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
from pytest_gomem.commands.pytest_run import KEEPS_NOTHING, last_lines, run_pytest
from pytest_gomem.plugin.collected import FILE_VARIABLE
from pytest_gomem.plugin.ends_with_parent import PARENT_VARIABLE
from pytest_gomem.report.json_reading import read_report
from pytest_gomem.results.run_record import TestRecord

_FOLDER = "gomem-test-runs-"
_INTERRUPTED = 2  # pytest's status


def run_beside(
    folder: Path, args: Sequence[str], env: Mapping[str, str] | None = None, seconds: float | None = None
) -> CompletedProcess[str]:
    """Run pytest so that it ends with us, and writes to this folder alone, not to the user's tree.

    seconds: until it is killed, and its services with it; raises Overdue then. Raises KeyboardInterrupt if it was
    interrupted.
    """
    own = {PARENT_VARIABLE: str(os.getpid()), "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["-p", "pytest_gomem.plugin.ends_with_parent", "-o", f"cache_dir={folder / 'cache'}", *args]
    done = run_pytest(command, env={**os.environ, **own, **(env or {})}, captured=True, seconds=seconds)
    if done.returncode == _INTERRUPTED and "KeyboardInterrupt" in done.stdout:  # also the status of broken test files
        raise KeyboardInterrupt
    return done


@dataclass(frozen=True)
class FoundTest:
    """A test by its id, and how pytest is asked for it from the current folder."""

    nodeid: str
    argument: str


def find_test(wanted: str, pytest_args: Sequence[str], env: Mapping[str, str] | None = None) -> FoundTest:
    """The only test that `wanted` means, of those that pytest collects; raises ConfigError, or GomemError.

    env: for plugins that the arguments name.
    """
    with run_folder(_FOLDER) as folder:
        file = folder / "collected.json"
        command = ["--collect-only", "-q", "-p", "pytest_gomem.plugin.collected", *KEEPS_NOTHING, *pytest_args]
        done = run_beside(folder, command, {FILE_VARIABLE: str(file), **(env or {})})
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
class Ran:
    """A run of the test: its record, None if pytest wrote none, and what pytest printed."""

    test: TestRecord | None
    done: CompletedProcess[str]

    @property
    def record(self) -> TestRecord:
        """The record; raises GomemError, with the end of what pytest printed, if there is none."""
        if self.test is None:
            raise GomemError(f"pytest ended with status {self.done.returncode}:\n{last_lines(self.done.stdout)}")
        return self.test


def run_test(
    test: FoundTest, args: Sequence[str], env: Mapping[str, str] | None = None, seconds: float | None = None
) -> Ran:
    """Run it with these arguments, and keep nothing of it but its record; no broken budget fails it.

    seconds: as for `run_beside`.
    """
    with run_folder(_FOLDER) as folder:
        report = folder / "report.json"
        command = [*KEEPS_NOTHING, *args, test.argument, "--gomem-report-only", f"--gomem-json={report}"]
        done = run_beside(folder, command, env, seconds)
        tests = list(read_report(report).tests) if report.exists() else []
    return Ran(next((one for one in tests if one.nodeid == test.nodeid), None), done)
