"""What an idle service allocates: watched after a window that took longer than its baseline."""

from __future__ import annotations

from collections.abc import Callable

from pytest_gomem.base.unavailable import known
from pytest_gomem.session.instrument import Closes, Finding, Instrument, Target
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.stats.by_clock import IDLE_BYTES, IDLE_OBJECTS, IDLE_WATCH


class IdleWatch(Instrument):
    """Watches an idle service. seconds: how long, after a window; 0 if that would not help."""

    name = IDLE_WATCH
    closes = Closes.AFTERWARDS

    def __init__(self, seconds: Callable[[Measurement], float]) -> None:
        self._seconds = seconds

    def close(self, target: Target) -> Finding:
        """Watch, if the comparison needs it."""
        seconds = self._seconds(target.measurement) if target.measurement is not None else 0.0
        if not seconds:
            return Finding()
        words = f"the service was watched for {seconds:.1f} s without work after this window"
        return Finding(figures=_rates(target, seconds), notes=(f"{words}, for what it allocates by the clock",))


def _rates(target: Target, seconds: float) -> dict[str, float]:
    """What it allocates per second; nothing if it cannot be read."""
    readings, opening = target.readings, known(target.opening)
    began, before = readings.now(), known(readings.inside()[1])
    if opening is None or before is None:
        return {}
    target.subject.system.sleep(seconds)
    took, after = readings.now() - began, known(readings.inside()[1])
    if after is None:
        return {}
    return {
        IDLE_BYTES: max(after.total_alloc - before.total_alloc - opening.read_bytes, 0) / took,
        IDLE_OBJECTS: max(after.mallocs - before.mallocs - opening.read_objects, 0) / took,
    }
