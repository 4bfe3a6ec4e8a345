"""Baselines in a pytest run: where they are, when they are compared with, and recording them at the end."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_gomem.base.errors import ConfigError, GomemError
from pytest_gomem.base.printable import printable
from pytest_gomem.plugin import settings as against
from pytest_gomem.plugin import settings as option_values
from pytest_gomem.plugin.items import with_and_without_groups
from pytest_gomem.plugin.use import BASELINES_NAME, is_worker

if TYPE_CHECKING:
    from pytest_gomem.baseline.lookup import Baselines
    from pytest_gomem.baseline.profiles import Handover, ProfileFolder
    from pytest_gomem.baseline.store import Store
    from pytest_gomem.baseline.update import Update
    from pytest_gomem.plugin.selection import Selection
    from pytest_gomem.plugin.state import State
    from pytest_gomem.report.text import Line
    from pytest_gomem.results.run_record import RunRecord

_REMOTE = "gomem_without_profiles"


class Keeping:
    """The baselines of one pytest run, registered as a plugin of its own."""

    def __init__(self, state: State, selection: Selection) -> None:
        self._state = state
        self._selection = selection
        self._updates: list[Update] = []
        self._stale: list[str] = []
        self._new: list[str] = []
        self._unopened: list[str] = []
        self._remote: list[str] = []
        self._trouble = ""

    @cached_property
    def folder(self) -> Path:
        """The folder of --gomem-baseline-dir, else gomem_baselines beside gomem.yaml, else in the rootdir."""
        said, loaded = self._state.options["baseline-dir"], self._state.gomem_config
        if said:
            return self._state.config.invocation_params.dir / str(said)
        return (Path(loaded.path).resolve().parent if loaded else self._state.config.rootpath) / BASELINES_NAME

    @cached_property
    def store(self) -> Store:
        """The baselines in it."""
        from pytest_gomem.baseline.store import Store

        return Store(self.folder)

    def references(self) -> Baselines | None:
        """What this run's windows are compared with; None where nothing was ever recorded, or this run records."""
        options = self._state.options
        never = options["update"] or options["no-measure"] or options["no-compare"] or against.is_asked(options)
        if never or not self.folder.is_dir():
            return None
        from pytest_gomem.baseline.lookup import Baselines

        return Baselines(self.store, self._state.registry, with_profiles=self._profiles is not None)

    def check_rounds(self) -> None:
        """Refuse so few rounds of --gomem-rounds that no comparison could fail; raises ConfigError."""
        rounds, is_against = option_values.rounds(self._state.options), against.is_asked(self._state.options)
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
        """The folder of --gomem-baseline-profiles, else `profiles` below the baselines; None where they are off."""
        said = self._state.options["baseline-profiles"]
        if said == option_values.OFF:
            return None
        return self._state.config.invocation_params.dir / str(said) if said else self.folder / "profiles"

    def handover(self, run_dir: Path) -> Handover | None:
        """Where tests of a run that records leave their heap profiles; None in other runs, or where these are off."""
        if not self._state.options["update"] or self._profiles is None:
            return None
        from pytest_gomem.baseline.profiles import Handover

        return Handover(run_dir / "heap_profiles", option_values.baseline_profile_size(self._state.options))

    def pytest_gomem_report(self, run: RunRecord) -> None:
        """Record the run, where --gomem-update asks for it; else see which tests and windows are new."""
        if self._state.options["update"]:
            self._record(run)
        else:
            self._look_for_new(run)

    def _record(self, run: RunRecord) -> None:
        from pytest_gomem.base import clock
        from pytest_gomem.baseline.update import Recorder
        from pytest_gomem.git.repository import revision_of

        metrics = {metric.name: metric for metric in self._state.registry}
        commit = revision_of(self._state.config.rootpath).short(12)
        force = bool(self._state.options["force"])
        recorder = Recorder(self.store, metrics, commit, clock.today().isoformat(), force, self._profile_folder())
        self._updates = recorder.record(run.tests)

    def _profile_folder(self) -> ProfileFolder | None:
        handover = self.handover(self._state.run_dir)
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
        selection = self._selection
        known = selection.collected
        if is_worker(self._state.config) or not (known and selection.has_all() and self.folder.is_dir()):
            return
        from pytest_gomem.baseline.update import stale

        try:
            gone = stale(self.store, with_and_without_groups(known))
            self._stale = [test for test in gone if selection.was_looked_for(test)]
        except GomemError as error:
            self._trouble = str(error)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Which baselines are of tests that are no more; one that could not be recorded or read fails the run."""
        self._look_for_stale()
        if is_worker(self._state.config) and self.handover(self._state.run_dir) and self._state.is_remote:
            session.config.workeroutput[_REMOTE] = True  # type: ignore[attr-defined]
        yield
        if self._trouble or any(update.kind == "refused" for update in self._updates):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker on another machine leaves its heap profiles there."""
        if getattr(node, "workeroutput", {}).get(_REMOTE):
            self._remote.append(node.gateway.id)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What was recorded, and what is in the way."""
        lines = list(self._lines(quiet=self._state.config.get_verbosity() < 0))
        if lines:
            terminalreporter.section("gomem baselines", "=")
        for text, style in lines:
            terminalreporter.write_line(printable(text), **({style: True} if style else {}))

    def _lines(self, *, quiet: bool) -> Iterator[Line]:
        if self._trouble:
            yield self._trouble, "red"
        elif self._state.options["update"] and not self._updates:
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
