"""Baselines in a pytest run: where they are, when to compare with them, and recording them at the end."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gomem.base.errors import ConfigError, GomemError
from pytest_gomem.plugin.items import with_and_without_groups
from pytest_gomem.plugin.messages import write_section
from pytest_gomem.plugin.options import OFF
from pytest_gomem.plugin.use import BASELINES_NAME, is_worker

if TYPE_CHECKING:
    from pytest_gomem.baseline.lookup import Baselines
    from pytest_gomem.baseline.profiles import Handover, ProfileFolder
    from pytest_gomem.baseline.store import Store
    from pytest_gomem.baseline.update import Update
    from pytest_gomem.plugin.session import PluginSession
    from pytest_gomem.report.text import Line
    from pytest_gomem.results.run_record import RunRecord

_REMOTE = "gomem_without_profiles"


class RunBaselines:
    """The baselines of one pytest run, registered as a plugin of its own."""

    def __init__(self, session: PluginSession) -> None:
        self._session = session
        self._updates: list[Update] = []
        self._stale: list[str] = []
        self._new: list[str] = []
        self._unopened: list[str] = []
        self._remote: list[str] = []
        self._trouble = ""

    @cached_property
    def folder(self) -> Path:
        """The folder of --gomem-baseline-dir, else gomem_baselines next to gomem.yaml, else in the rootdir."""
        session = self._session
        if session.settings.baseline_dir:
            return session.settings.baseline_dir
        loaded = session.gomem_config
        return (Path(loaded.path).resolve().parent if loaded else session.config.rootpath) / BASELINES_NAME

    @cached_property
    def store(self) -> Store:
        """The baselines in the folder."""
        from pytest_gomem.baseline.store import Store

        return Store(self.folder)

    def references(self) -> Baselines | None:
        """The baselines to compare this run with; None if nothing was recorded yet, or if this run records."""
        settings = self._session.settings
        never = settings.update or settings.no_measure or settings.no_compare or settings.has_base_side
        if never or not self.folder.is_dir():
            return None
        from pytest_gomem.baseline.lookup import Baselines

        return Baselines(self.store, self._session.registry, with_profiles=self._profiles is not None)

    def check_rounds(self) -> None:
        """Refuse --gomem-rounds with so few rounds that no comparison can fail; raises ConfigError."""
        rounds, is_against = self._session.settings.rounds, self._session.settings.has_base_side
        if not isinstance(rounds, int):
            return
        from pytest_gomem.stats.decision import FEWEST

        if rounds >= FEWEST:
            return
        if is_against or (self.references() is not None and any(self.store.modules())):
            other = "another side" if is_against else f"the baselines in {os.path.relpath(self.folder)}"
            quick = "" if is_against else ", or add --gomem-no-compare for a quick run that compares with nothing"
            raise ConfigError(
                f"--gomem-rounds={rounds} is too few to compare with {other}: no test can fail before {FEWEST} rounds",
                hint=f"ask for {FEWEST} or more{quick}",
            )

    @property
    def _profiles(self) -> Path | None:
        """The folder of --gomem-baseline-profiles, else `profiles` below the baselines; None if they are off."""
        said = self._session.settings.baseline_profiles
        return None if said == OFF else said or self.folder / "profiles"

    def handover(self) -> Handover | None:
        """The place for heap profiles of a run that records; None in other runs, or if profiles are off."""
        if not self._session.settings.update or self._profiles is None:
            return None
        from pytest_gomem.baseline.profiles import Handover

        most = self._session.settings.baseline_profile_size
        return Handover(self._session.folder.path / "heap_profiles", most)

    def pytest_gomem_report(self, run: RunRecord) -> None:
        """Record the run if --gomem-update is given; else find new tests and windows."""
        if self._session.settings.update:
            self._record(run)
        else:
            self._look_for_new(run)

    def _record(self, run: RunRecord) -> None:
        from pytest_gomem.base import clock
        from pytest_gomem.baseline.update import Recorder
        from pytest_gomem.git.repository import revision_of

        metrics = {metric.name: metric for metric in self._session.registry}
        commit = revision_of(self._session.config.rootpath).short(12)
        force, today = self._session.settings.force, clock.today().isoformat()
        recorder = Recorder(self.store, metrics, commit, today, force, self._profile_folder())
        self._updates = recorder.record(run.tests)

    def _profile_folder(self) -> ProfileFolder | None:
        handover = self.handover()
        if handover is None or self._profiles is None:
            return None
        from pytest_gomem.baseline.profiles import ProfileFolder

        return ProfileFolder(self._profiles, self.folder, handover)

    def _look_for_new(self, run: RunRecord) -> None:
        references = self.references()
        if references is None:
            return
        windows: list[str] = []
        for test in run.tests:
            if test.windows and not references.exists(test.nodeid):
                self._new.append(test.nodeid)
            if test.windows:
                windows += (f"{test.nodeid} {name}" for name in references.opened_first(test))
            if test.windows and test.outcome == "passed":
                self._unopened += (f"{test.nodeid} {name}" for name in references.opened_no_more(test))
        self._new += windows

    def _look_for_stale(self) -> None:
        selection = self._session.selection
        known = selection.collected
        if is_worker(self._session.config) or not (known and selection.has_all() and self.folder.is_dir()):
            return
        from pytest_gomem.baseline.update import stale

        try:
            gone = stale(self.store, with_and_without_groups(known))
            self._stale = [test for test in gone if selection.was_looked_for(test)]
        except GomemError as error:
            self._trouble = str(error)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Find baselines of tests that no longer exist; fail the run if one could not be recorded or read."""
        self._look_for_stale()
        if is_worker(self._session.config) and self.handover() and self._session.folder.is_remote:
            session.config.workeroutput[_REMOTE] = True  # type: ignore[attr-defined]
        yield
        if self._trouble or any(update.kind == "refused" for update in self._updates):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """The heap profiles of a worker on another machine stay there."""
        if getattr(node, "workeroutput", {}).get(_REMOTE):
            self._remote.append(node.gateway.id)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show what was recorded, and what prevents it."""
        lines = list(self._lines(quiet=self._session.config.get_verbosity() < 0))
        write_section(terminalreporter, "gomem baselines", lines)

    def _lines(self, *, quiet: bool) -> Iterator[Line]:
        if self._trouble:
            yield self._trouble, "red"
        elif self._session.settings.update and not self._updates:
            yield "nothing was recorded: no test has measured anything", "yellow"
        if self._remote:
            names = ", ".join(self._remote)
            yield (
                f"recorded without heap profiles: {names} ran on another machine; culprits need an update here",
                "yellow",
            )
        if self._updates or self._new or self._unopened or self._stale:
            from pytest_gomem.baseline.summary import left_over_lines, recorded_lines

            yield from recorded_lines(self._updates, self.folder, quiet=quiet)
            yield from () if quiet else left_over_lines(self._new, self._unopened, self._stale)
