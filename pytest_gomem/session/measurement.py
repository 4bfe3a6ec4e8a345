"""Owns a finished measurement: its figures as a test reads them, and its record for the report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pytest_gomem.config.budgets import Budget, parse_budget
from pytest_gomem.config.file import BudgetTable
from pytest_gomem.errors import ConfigError, ConfigErrors, GomemError, MeasureError, Place
from pytest_gomem.judge.decide import failed, judge
from pytest_gomem.judge.rank import resolve
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Reading, Unavailable
from pytest_gomem.measure.registry import Registry
from pytest_gomem.measure.window import Missing
from pytest_gomem.observe.agent.records import PeakProfile
from pytest_gomem.report.failure import failure_text
from pytest_gomem.report.model import WindowRecord
from pytest_gomem.session.culprits import Profiles, with_culprits
from pytest_gomem.session.service import Service

CHECK_SCOPE = "check()"


def judged(budgets: Sequence[Budget], results: Mapping[str, Reading | Unavailable]) -> tuple[Verdict, ...]:
    """The verdicts of all limits of these budgets."""
    unknown = Unavailable("this version does not measure it yet")
    return tuple(verdict for budget in budgets for verdict in judge(budget, results.get(budget.metric, unknown)))


class BudgetBroken(GomemError, AssertionError):
    """A budget was broken, or could not be judged for want of its metric."""


@dataclass(frozen=True)
class Judging:
    """What budgets apply to the windows of one test: its markers' (closest first) and gomem.yaml's.

    report_only: broken budgets are shown and do not fail the test.
    """

    nodeid: str
    markers: tuple[tuple[Budget, ...], ...] = ()
    table: BudgetTable = field(default_factory=BudgetTable)
    report_only: bool = False

    def budgets(self, service: str) -> tuple[Budget, ...]:
        """The declared budgets of the test's windows on that service; raises ConfigErrors for rivals of equal rank."""
        return resolve(self.nodeid, service, self.markers, self.table)

    def verdicts(self, service: str, results: Mapping[str, Reading | Unavailable]) -> tuple[Verdict, ...]:
        """The verdicts on one window's results by the declared budgets."""
        return judged(self.budgets(service), results)


class Measurement:
    """The figures of one window: `m["peak_rss"]` in base units; filled when the window closes."""

    def __init__(self, name: str, service: Service, registry: Registry, judging: Judging) -> None:
        self.name = name
        self.service = service
        self._registry = registry
        self._judging = judging
        self._results: Mapping[str, Reading | Unavailable] | None = None
        self._record: WindowRecord | None = None
        self._why_open = f"window '{name}' is still open: its figures are there after the with block"
        self._profiles: Profiles | None = None

    def fill(self, results: Mapping[str, Reading | Unavailable], record: WindowRecord) -> None:
        """Take the results of the closed window, and judge them by the declared budgets."""
        self._results = results
        self._record = replace(record, verdicts=self._judging.verdicts(self.service.name, results))

    def skip(self, why: str) -> None:
        """Say why there will be no figures."""
        self._why_open = why

    @property
    def results(self) -> Mapping[str, Reading | Unavailable]:
        """Every metric's reading, or why there is none; raises MeasureError while the window is open."""
        if self._results is None:
            raise MeasureError(self._why_open)
        return self._results

    @property
    def record(self) -> WindowRecord:
        """The window as it goes into the report, with all verdicts so far."""
        if self._record is None:
            raise MeasureError(self._why_open)
        return self._record

    @property
    def closed(self) -> bool:
        """Whether the figures are there."""
        return self._record is not None

    def __getitem__(self, name: str) -> float:
        """The metric's value in base units; raises MeasureError with the reason when it is unavailable."""
        self._registry.lookup(name)
        result = self.results[name]
        if isinstance(result, Unavailable):
            raise MeasureError(f"{name} is unavailable in window '{self.name}': {result.reason}")
        return result.value

    def get(self, name: str, default: float | None = None) -> float | None:
        """The metric's value, or `default` when it is unavailable."""
        self._registry.lookup(name)
        result = self.results[name]
        return default if isinstance(result, Unavailable) else result.value

    def check(self, **budgets: object) -> None:
        """Judge by further budgets, written as in the marker; raises BudgetBroken with the whole failure text."""
        verdicts = judged(self._parsed(budgets), self.results)
        self._record = replace(self.record, verdicts=(*self.record.verdicts, *verdicts))
        if failed(verdicts) and not self._judging.report_only:
            raise BudgetBroken(failure_text(replace(self._record, verdicts=verdicts), self._judging.nodeid)[1])

    def accuse(self, profiles: Profiles, module: str) -> None:
        """Name the culprits of the broken limits; the profiles become artifacts."""
        self._profiles = profiles
        self._record = with_culprits(self.record, profiles, module)

    def save_artifacts(self, folder: Path, nodeid: str) -> None:
        """Write the service's log and the profiles below `folder`; raises GomemError when that fails."""
        if self._record is None:
            return
        stem = re.sub(r"[^\w.-]+", "_", f"{nodeid}-{self.name}")[-150:]
        contents: dict[str, tuple[str, bytes]] = {}
        if self.service.has_log():
            contents["log"] = (f"{stem}.log", self.service.log().encode())
        for kind, profile in self._kept_profiles().items():
            contents[kind] = (f"{stem}-{kind}.pb.gz", profile)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, data in contents.values():
                (folder / name).write_bytes(data)
        except OSError as error:
            raise GomemError(f"--gomem-artifacts: {error}") from None
        paths = {kind: name for kind, (name, _) in contents.items()}
        self._record = replace(self._record, artifacts={**self._record.artifacts, **paths})

    def _kept_profiles(self) -> dict[str, bytes]:
        if self._profiles is None:
            return {}
        peak = self._profiles.peak
        found = {
            "base_profile": self._profiles.before,
            "heap_profile": self._profiles.after,
            "peak_profile": peak.profile if isinstance(peak, PeakProfile) else peak,
        }
        return {kind: profile for kind, profile in found.items() if not isinstance(profile, Missing)}

    def _parsed(self, written: Mapping[str, object]) -> list[Budget]:
        budgets: list[Budget] = []
        errors: list[ConfigError] = []
        for metric, value in written.items():
            place = Place(key=f"check({metric}=...)")
            try:
                budgets += parse_budget(metric, value, units=self._registry.units(), scope=CHECK_SCOPE, place=place)
            except ConfigErrors as several:
                errors += several.errors
            except ConfigError as error:
                errors.append(error)
        if errors:
            raise ConfigErrors(errors)
        return budgets
