"""Explains failures: culprits from heap profiles, their reasons, and the text of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pytest_gomem.diagnosis.culprits import with_culprits
from pytest_gomem.diagnosis.evidence import Observed
from pytest_gomem.diagnosis.gc_explained import with_gc_explained
from pytest_gomem.diagnosis.goroutines import with_goroutines
from pytest_gomem.diagnosis.holders import with_holders
from pytest_gomem.diagnosis.reasons import Reasons
from pytest_gomem.diagnosis.traces import with_trace
from pytest_gomem.diagnosis.two_sides import with_culprits_between
from pytest_gomem.report.failure import DEFAULTS, TextOptions, failure_texts
from pytest_gomem.results.window_record import DiagnosisRecord, WindowRecord
from pytest_gomem.session.explanation import Evidence
from pytest_gomem.session.measurement import Measurement


@dataclass(frozen=True)
class ByProfiles:
    """One for each run: it keeps the answers of the compiler and git. options: of the texts."""

    options: TextOptions = DEFAULTS
    reasons: Reasons = field(default_factory=Reasons)

    def at_close(self, window: WindowRecord, measurement: Measurement) -> WindowRecord:
        """See `session.explanation.Explanation`."""
        return replace(self.explained(window, Observed((measurement,)), None), diagnosis=window.diagnosis)

    def explained(self, window: WindowRecord, head: Evidence, base: Evidence | None) -> WindowRecord:
        """See `session.explanation.Explanation`."""
        from pytest_gomem.diagnosis.flames import with_flames  # slow to load, and only a failure needs it

        named, seen = with_culprits(window, head, self.reasons)
        if base is not None:
            named, again = with_culprits_between(named, head, base, self.reasons)
            seen = (*seen, *again)
        named, again = with_goroutines(named, head, base)
        seen = (*seen, *again)
        named, again = with_holders(named, head, base)
        seen = (*seen, *again)
        if window.oom is not None and head.came_to_limit is not None:
            seen = (head.came_to_limit,)
        named, again = with_trace(named, head, base)
        seen = (*seen, *again)
        reproduced = any(seen) if seen else None
        diagnosis = DiagnosisRecord(head.rounds, head.profile_rate, reproduced)
        return replace(with_gc_explained(with_flames(named, head, base)), diagnosis=diagnosis)

    def texts(self, windows: Sequence[WindowRecord], nodeid: str) -> list[tuple[str, str]]:
        """See `session.explanation.Explanation`."""
        return failure_texts(windows, nodeid, self.options)
