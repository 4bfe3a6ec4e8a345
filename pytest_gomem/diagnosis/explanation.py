"""Explains failures: culprits from heap profiles, their reasons, and the text of the report."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_gomem.diagnosis.culprits import with_culprits
from pytest_gomem.diagnosis.reasons import Reasons
from pytest_gomem.diagnosis.two_sides import with_culprits_between
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.report.failure import failure_text
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.explanation import BaseProfiles
from pytest_gomem.session.measurement import Measurement


@dataclass(frozen=True)
class ByProfiles:
    """One for each run: it keeps the answers of the compiler and git."""

    reasons: Reasons = field(default_factory=Reasons)

    def culprits(self, window: WindowRecord, measurement: Measurement) -> WindowRecord:
        """See `session.explanation.Explanation`."""
        service, profiles = measurement.service, measurement.profiles
        if profiles is None:
            return window
        return with_culprits(window, profiles, service.module, self.reasons, service.process.built)

    def culprits_between(
        self, window: WindowRecord, verdicts: tuple[Verdict, ...], head: Measurement, base: BaseProfiles
    ) -> WindowRecord:
        """See `session.explanation.Explanation`."""
        return with_culprits_between(window, verdicts, head, base, self.reasons)

    def text(self, window: WindowRecord, nodeid: str) -> tuple[str, str]:
        """See `session.explanation.Explanation`."""
        return failure_text(window, nodeid)
