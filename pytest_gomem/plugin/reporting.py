"""The records of a run's tests: collected in the controlling process, and given to the reporters."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_gomem.base.errors import GomemError
from pytest_gomem.plugin.hook_calls import each_call
from pytest_gomem.plugin.messages import write_section
from pytest_gomem.plugin.use import is_worker

if TYPE_CHECKING:
    import pytest
    from _pytest.junitxml import LogXML

    from pytest_gomem.config.accepted import Entry
    from pytest_gomem.plugin.session import PluginSession
    from pytest_gomem.report.text import Line
    from pytest_gomem.results.run_record import RunRecord
    from pytest_gomem.results.stored import StoredTests


def takes_test_properties(config: pytest.Config) -> bool:
    """Whether JUnit takes a test's own properties: junit-10.xsd, of xunit2, has none in a test."""
    return not config.getoption("xmlpath", None) or config.getini("junit_family") in ("xunit1", "legacy")


def junit_of(config: pytest.Config) -> LogXML | None:
    """The writer of the JUnit file in this process, if any."""
    from _pytest.junitxml import xml_key  # found as in pytest's fixture record_testsuite_property

    return config.stash.get(xml_key, None)


class Reporting:
    """The records of one pytest run, registered as a plugin of its own."""

    def __init__(self, session: PluginSession) -> None:
        self._session = session
        self._trouble = ""
        self._seconds: dict[str, dict[str, float]] = {}

    @cached_property
    def _tests(self) -> StoredTests:
        from pytest_gomem.results.stored import StoredTests

        return StoredTests(self._seconds)

    @property
    def _has_tests(self) -> bool:
        return "_tests" in self.__dict__

    def close(self) -> None:
        """Close the file of the records."""
        if self._has_tests:
            self._tests.close()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Move records from reports to disk, also from xdist's workers: pytest keeps reports to the end."""
        line: str | None = getattr(report, "gomem", None)
        if line is not None and not is_worker(self._session.config):
            self._tests.keep(report.nodeid, line)
            del report.gomem
        # The last one of a phase: a test's own follows those of its subtests, and those of an earlier attempt.
        self._seconds.setdefault(report.nodeid, {})[report.when or ""] = report.duration

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Add the key metrics to the JUnit file, if its family has no place for them in a test."""
        junit = junit_of(self._session.config)
        if junit is not None and self._has_tests and not takes_test_properties(self._session.config):
            from pytest_gomem.report.junit import suite_properties

            for name, value in suite_properties(self._tests):
                junit.add_global_property(name, value)

    def finish(self, session: pytest.Session) -> pytest.ExitCode:
        """Give the run's record to the reporters, in the controlling process; returns the status if all tests pass.

        The summary shows what cannot be written: an error raised here would stop pytest's own summary and the other
        reporters.
        """
        if is_worker(self._session.config) or not (self._has_tests or self._session.settings.has_report):
            return pytest.ExitCode.OK
        if session.config.option.collectonly:  # it would replace the report of a run by an empty one
            return pytest.ExitCode.OK
        record = self._run_record(session)
        troubles = []
        for report in each_call(self._session.config, "pytest_gomem_report"):
            try:
                report(run=record, config=self._session.config)
            except GomemError as error:
                troubles.append(str(error))
        self._trouble = "\n".join(troubles)
        if troubles:
            return pytest.ExitCode.USAGE_ERROR
        return pytest.ExitCode.TESTS_FAILED if record.problems else pytest.ExitCode.OK

    def _run_record(self, session: pytest.Session) -> RunRecord:
        from pytest_gomem.plugin.items import with_and_without_groups
        from pytest_gomem.results.environment import run_record
        from pytest_gomem.results.stored import to_line

        missing = self._session.outcomes.without_result(with_and_without_groups(self._tests.nodeids), session)
        for test in missing:
            self._seconds.pop(test.nodeid, None)  # those of its set-up would look like all
            self._tests.keep(test.nodeid, to_line(test))
        return replace(
            run_record(self._tests, self._session.config.rootpath),
            exit_status=int(session.exitstatus),
            interrupted=self._session.outcomes.interrupted,
            complete=not missing,
            artifacts=str(self._session.settings.artifacts or ""),
            deselected=self._session.outcomes.deselected,
            against=self._session.against,
            whole=self._session.outcomes.whole(),
            problems=self._problems(),
        )

    def _problems(self) -> tuple[str, ...]:
        if not self._session.settings.strict:
            return ()
        from pytest_gomem.report.accepted import vanished_text

        return tuple(vanished_text(entry, why) for entry, why in self._vanished)

    @cached_property
    def _vanished(self) -> tuple[tuple[Entry, str], ...]:
        """Acceptances with nothing left to accept."""
        config = self._session.gomem_config
        if config is None or not (config.accepted or config.known_leaks):
            return ()
        from pytest_gomem.base import clock
        from pytest_gomem.results.acceptances import nothing_to_accept

        whole = self._session.selection.ran_all()
        return nothing_to_accept(self._session.outcomes.whole(), self._tests, clock.today(), whole=whole)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the tables, in pytest's own style."""
        write_section(terminalreporter, "gomem", self._summary(terminalreporter._tw.fullwidth))

    def _summary(self, width: int) -> list[Line]:
        """What could not be written, and the lines of the tables; [] if there is nothing.

        Under -q the tables shrink to the count of requested comparisons that were not made, which is no pass, and to
        what fails the run as a whole.
        """
        trouble: list[Line] = [(line, "red") for line in self._trouble.splitlines()]
        if not self._has_tests:
            return trouble
        from pytest_gomem.report.accepted import accepted_lines, known_leak_lines, vanished_lines
        from pytest_gomem.report.comparison import sides_lines, uncompared_line
        from pytest_gomem.report.matrix import matrix_lines
        from pytest_gomem.report.terminal import for_tables, summary_lines

        tests, strict = tuple(map(for_tables, self._tests)), self._session.settings.strict
        vanished = tuple(vanished_lines(self._vanished, width, strict))
        if self._session.config.get_verbosity() < 0:
            return [*uncompared_line(tests), *(vanished if strict else ()), *trouble]
        accepted = (*accepted_lines(tests, width), *known_leak_lines(tests, width), *vanished)
        # Every run is compared with its baselines; if you ask for a comparison you want its figures.
        is_verbose = self._session.config.get_verbosity() > 0
        hides_same = not (self._session.settings.has_base_side or is_verbose)
        sides = sides_lines(tests, width, hides_same=hides_same, verbose=is_verbose)
        table = summary_lines(tests, width, verbose=is_verbose)
        return [*table, *accepted, *matrix_lines(tests, width), *sides, *trouble]


def outcome_of(report: pytest.TestReport) -> str:
    """Pytest's word for the outcome of a report."""
    if hasattr(report, "wasxfail"):
        return "xpassed" if report.passed else "xfailed"
    return "error" if report.when != "call" and report.failed else report.outcome
