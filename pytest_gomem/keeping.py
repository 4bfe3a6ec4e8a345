"""Owns baselines in a pytest run: where they are, when they are compared with, and recording them at the end."""

from __future__ import annotations

import os
from collections.abc import Generator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_gomem import against, option_values
from pytest_gomem.errors import GomemError
from pytest_gomem.stash import edge_of
from pytest_gomem.use import BASELINES_NAME

if TYPE_CHECKING:
    from pytest_gomem.baseline.lookup import Baselines
    from pytest_gomem.baseline.profiles import Handover, ProfileFolder
    from pytest_gomem.baseline.store import Store
    from pytest_gomem.baseline.update import Update
    from pytest_gomem.option_values import Said
    from pytest_gomem.report.model import RunRecord

_KINDS = ("new", "changed", "unchanged", "refused")
_STYLES = {"new": "green", "changed": "yellow", "refused": "red"}


class Keeping:
    """The baselines of one pytest run, registered as a plugin of its own."""

    def __init__(self, config: pytest.Config, options: Said) -> None:
        self._config = config
        self._options = options
        self._updates: list[Update] = []
        self._stale: list[str] = []
        self._new: list[str] = []
        self._unopened: list[str] = []
        self._trouble = ""

    @cached_property
    def folder(self) -> Path:
        """The folder of --gomem-baseline-dir, else gomem_baselines beside gomem.yaml, else in the rootdir."""
        said, loaded = self._options["baseline-dir"], edge_of(self._config).gomem_config
        if said:
            return self._config.invocation_params.dir / str(said)
        return (Path(loaded.path).resolve().parent if loaded else self._config.rootpath) / BASELINES_NAME

    @cached_property
    def store(self) -> Store:
        """The baselines in it."""
        from pytest_gomem.baseline.store import Store

        return Store(self.folder)

    def references(self) -> Baselines | None:
        """What this run's windows are compared with; None where nothing was ever recorded, or this run records."""
        never = self._options["update"] or self._options["no-measure"] or against.is_asked(self._options)
        if never or not self.folder.is_dir():
            return None
        from pytest_gomem.baseline.lookup import Baselines

        return Baselines(self.store, with_profiles=self._profiles is not None)

    @property
    def _profiles(self) -> Path | None:
        """The folder of --gomem-baseline-profiles, else `profiles` below the baselines; None where they are off."""
        said = self._options["baseline-profiles"]
        if said == option_values.OFF:
            return None
        return self._config.invocation_params.dir / str(said) if said else self.folder / "profiles"

    def handover(self, run_dir: Path) -> Handover | None:
        """Where tests of a run that records leave their heap profiles; None in other runs, or where these are off."""
        if not self._options["update"] or self._profiles is None:
            return None
        from pytest_gomem.baseline.profiles import Handover

        return Handover(run_dir / "heap_profiles", option_values.baseline_profile_size(self._options))

    def pytest_gomem_report(self, run: RunRecord) -> None:
        """Record the run, where --gomem-update asks for it; else see which tests are new."""
        if self._options["update"]:
            self._record(run)
        else:
            self._look_for_new(run)

    def _record(self, run: RunRecord) -> None:
        from pytest_gomem import clock
        from pytest_gomem.baseline.update import Recorder
        from pytest_gomem.revision import revision_of

        metrics = {metric.name: metric for metric in edge_of(self._config).registry}
        commit = revision_of(self._config.rootpath).short(12)
        force = bool(self._options["force"])
        recorder = Recorder(self.store, metrics, commit, clock.today().isoformat(), force, self._profile_folder())
        self._updates = recorder.record(run.tests)

    def _profile_folder(self) -> ProfileFolder | None:
        handover = self.handover(edge_of(self._config).run_dir())
        if handover is None or self._profiles is None:
            return None
        from pytest_gomem.baseline.profiles import ProfileFolder

        return ProfileFolder(self._profiles, self.folder, handover)

    def _look_for_new(self, run: RunRecord) -> None:
        references = self.references()
        if references is not None:
            self._new = [test.nodeid for test in run.tests if test.windows and not references.exists(test.nodeid)]
            whole = [test for test in run.tests if test.windows and test.outcome == "passed"]
            self._unopened = [f"{test.nodeid} {name}" for test in whole for name in references.opened_no_more(test)]

    def _look_for_stale(self) -> None:
        selection = edge_of(self._config).selection
        known = selection.collected
        if hasattr(self._config, "workerinput") or not (known and selection.has_all() and self.folder.is_dir()):
            return
        from pytest_gomem.baseline.update import stale

        # xdist's --dist=loadgroup puts "@" and the group behind an id.
        ids = {*known, *(nodeid.rpartition("@")[0] for nodeid in known)}
        try:
            self._stale = [test for test in stale(self.store, ids) if selection.was_looked_for(test)]
        except GomemError as error:
            self._trouble = str(error)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Which baselines are of tests that are no more; one that could not be recorded or read fails the run."""
        self._look_for_stale()
        yield
        if self._trouble or any(update.kind == "refused" for update in self._updates):
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """What was recorded, and what is in the way."""
        quiet = self._config.get_verbosity() < 0
        lines = [*self._recorded(quiet), *(() if quiet else self._left_over())]
        if lines:
            terminalreporter.section("gomem baselines", "=")
        for text, style in lines:
            terminalreporter.write_line(text, **({style: True} if style else {}))

    def _recorded(self, quiet: bool) -> Generator[tuple[str, str], None, None]:
        if self._trouble:
            yield self._trouble, "red"
        elif self._options["update"] and not self._updates:
            yield "nothing was recorded: no test has measured anything", "yellow"
        for update in self._updates:
            if update.kind == "refused" or (update.kind != "unchanged" and not quiet):
                yield f"{update.kind}: {update.nodeid}", _STYLES[update.kind]
                for detail in update.details:
                    yield f"  {detail}", ""
        if self._updates and not quiet:
            counts = [(kind, sum(update.kind == kind for update in self._updates)) for kind in _KINDS]
            summed = ", ".join(f"{count} {kind}" for kind, count in counts if count)
            yield f"{summed}; in {os.path.relpath(self.folder)}", ""
            if any(update.kind == "refused" and update.can_be_forced for update in self._updates):
                yield "  --gomem-force records what was refused", ""
            if os.environ.get("CI"):
                yield "  this is CI: only this checkout has the new files; commit them, or keep them as artifacts", ""

    def _left_over(self) -> Generator[tuple[str, str], None, None]:
        if self._new:
            yield f"no baseline yet: {', '.join(self._new)}", "yellow"
            yield "  gomem baseline update records it", ""
        if self._unopened:
            yield f"baselines of windows that their tests do not open any more: {', '.join(self._unopened)}", "yellow"
            yield "  gomem baseline update removes them", ""
        if self._stale:
            tests = "1 test that is" if len(self._stale) == 1 else f"{len(self._stale)} tests that are"
            yield f"baselines of {tests} no more: gomem baseline prune lists and removes them", "yellow"
