"""What observed rounds recorded of a window, and what of it explains a metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_gomem.attribution.culprits import AT_PEAK
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, known, reason_of
from pytest_gomem.instruments.at_limit import CAME_TO, LIMIT, AtLimit
from pytest_gomem.instruments.goroutines import AT_CLOSE, AT_OPENING
from pytest_gomem.instruments.peak_profile import CYCLES_TO_PEAK, PEAK
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.launch.launched import Built
from pytest_gomem.measure.metric import Reading
from pytest_gomem.pprof.model import Profile
from pytest_gomem.report.text import readings
from pytest_gomem.retention.model import Retention
from pytest_gomem.session.capture import HEAP, NOT_TAKEN, Captured
from pytest_gomem.session.explanation import Evidence
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.service import outlives_round
from pytest_gomem.tracing.found import TraceFound

_NOT_DUMPED = Unavailable(
    "a service that tests share is dumped when a test calls retention(), and one that you attached to has no agent"
)

_NOT_TRACED = TraceFound(
    Unavailable("a service that tests share, or that you attached to, is traced when a test calls trace()")
)


@dataclass(frozen=True)
class Observed:
    """The measurements of one window in the observed rounds of a side, see `Evidence`.

    A window that was profiled when it was measured is the evidence of itself. traced: the windows of rounds that took
    an execution trace alone; the measurements are these where there are no others.
    """

    measurements: tuple[Measurement, ...]
    there: str = ""
    traced: tuple[Measurement, ...] = ()

    is_kept = False

    @property
    def rounds(self) -> int:
        """One for each measurement."""
        return len({*map(id, self.measurements), *map(id, self.traced)})

    @property
    def built(self) -> Built | None:
        """What the last of them ran."""
        return self.measurements[-1].service.process.built

    @property
    def module(self) -> GoModule:
        """Its main module."""
        return self.measurements[-1].service.module

    @property
    def modules(self) -> Mapping[str, str]:
        """The versions in that binary."""
        return {} if self.built is None else self.built.info.versions

    @property
    def profile_rate(self) -> int | None:
        """Bytes per sample of its heap profiles; None without one."""
        found = [one.profiles.of(HEAP).profile for one in self.measurements if one.profiles is not None]
        return next((profile.period for one in found if (profile := known(one)) is not None), None)

    @property
    def retention(self) -> Retention | Unavailable | None:
        """Of the last round that has one. A process that other tests use too is dumped only when its test says so."""
        found = next((one.retention for one in reversed(self.measurements) if one.retention is not None), None)
        return _NOT_DUMPED if found is None and outlives_round(self.measurements[-1].service) else found

    @property
    def trace(self) -> TraceFound | None:
        """Of the last round that took one. A process that other tests use too is traced only when its test says so."""
        process = self.measurements[-1].service
        found = next((one.trace for one in reversed(self.traced) if one.trace is not None), None)
        if found is None and outlives_round(process):
            return _NOT_TRACED
        if found is None and process.process.no_agent:
            return TraceFound(Unavailable(f"an execution trace needs the agent: {process.process.no_agent}"))
        return found

    @property
    def goroutines(self) -> tuple[Captured, ...]:
        """The stacks at the close, one text for each round."""
        return self._stacks(AT_CLOSE)

    @property
    def goroutines_before(self) -> tuple[Captured, ...]:
        """The same at the opening."""
        return self._stacks(AT_OPENING)

    def _stacks(self, name: str) -> tuple[Captured, ...]:
        found = (one.profiles.of(name) for one in self.measurements if one.profiles is not None)
        return tuple(captured for captured in found if captured.raw is not NOT_TAKEN)

    @property
    def came_to_limit(self) -> bool | None:
        """In any round."""
        seen = [found for one in self.measurements if (found := one.record.instruments.get(AtLimit.name))]
        return any(one[CAME_TO] >= one[LIMIT] for one in seen) if seen else None

    def cycles(self, kind: str) -> int | None:
        """Of the last round."""
        record = self.measurements[-1].record
        if kind == PEAK:
            found = record.instruments.get(PEAK, {}).get(CYCLES_TO_PEAK)
        else:
            result = readings(record).get("gc_cycles")
            found = result.value if isinstance(result, Reading) else None
        return round(found) if found is not None and math.isfinite(found) else None

    def profiles(self, kind: str, metric: str) -> tuple[Profile, ...]:
        """Those of the rounds that have one; the metric does not matter."""
        captured = [one.profiles.of(kind).profile for one in self.measurements if one.profiles is not None]
        found = tuple(profile for one in captured if (profile := known(one)) is not None)
        if not found:
            raise ObserveError(next(filter(None, map(reason_of, captured)), NOT_TAKEN.reason))
        return found


def kind_for(metric: str, *sides: Evidence) -> tuple[str, str]:
    """Which profiles of all these sides explain a metric, and for a peak metric why not those of the peak."""
    if metric not in AT_PEAK:
        return HEAP, ""
    for side in sides:
        try:
            side.profiles(PEAK, metric)
        except ObserveError as error:
            where = f" {side.there}" if side.there else ""
            return HEAP, f"the profiles are of the close, because there is none of the peak{where}: {error}"
    return PEAK, ""
