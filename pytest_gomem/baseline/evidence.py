"""What is kept with a baseline to explain a regression: profiles of an observed round, and versions of modules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pytest_gomem.attribution.culprits import SAMPLE_OF
from pytest_gomem.attribution.sampling import counts_made
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, attempt, required
from pytest_gomem.baseline.profiles import read_profile
from pytest_gomem.baseline.snapshot import Snapshot
from pytest_gomem.instruments.peak_profile import PEAK
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.launch.launched import Built
from pytest_gomem.pprof.model import Profile
from pytest_gomem.session.capture import Captured

_UPDATE = "gomem baseline update keeps one of tests that may run again"


@dataclass(frozen=True)
class KeptEvidence:
    """See `session.explanation.Evidence`. ops: of the window that is compared. is_on: profiles are used."""

    kept: Snapshot
    folder: Path
    ops: int | None
    is_on: bool = True

    there = "in the baseline"
    is_kept = True
    rounds = 1
    profile_rate: int | None = None
    built: Built | None = None
    module = GoModule()
    goroutines_before: tuple[Captured, ...] = ()
    came_to_limit: bool | None = None
    retention: None = None  # a dump is never kept
    trace: None = None

    @property
    def modules(self) -> Mapping[str, str]:
        """As they were when it was recorded."""
        return self.kept.modules

    @property
    def goroutines(self) -> Mapping[str, float]:
        """As many as there were when it was recorded."""
        return self.kept.goroutines

    def cycles(self, kind: str) -> int | None:
        """Not kept."""
        return None

    def profiles(self, kind: str, metric: str) -> tuple[Profile, ...]:
        """The kept profile; raises ObserveError also if its allocations are of other work."""
        if counts_made(SAMPLE_OF[metric]) and self.kept.ops != self.ops:
            raise ObserveError(f"the window did {self.ops} operations, and {self.kept.label} {self.kept.ops}")
        if not self.is_on:
            raise ObserveError("the profiles of baselines are off (--gomem-baseline-profiles)")
        return (required(self._at_peak if kind == PEAK else self._at_close),)

    @cached_property
    def _at_peak(self) -> Profile | Unavailable:
        return attempt(lambda: self._read(self.kept.peak_profile, "heap profile of the peak"))

    @cached_property
    def _at_close(self) -> Profile | Unavailable:
        return attempt(lambda: self._read(self.kept.profile, "heap profile"))

    def _read(self, file: str, what: str) -> Profile:
        if not file:
            raise ObserveError(f"the baseline was recorded without a {what}: {_UPDATE}")
        return read_profile(self.folder / file)
