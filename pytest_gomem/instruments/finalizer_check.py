"""Has Go's runtime look for finalizers and cleanups that keep their own objects; it ends a service that has some."""

from __future__ import annotations

from pytest_gomem.config.gc_settings import GcSettings
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.retention.finalizers import CHECK
from pytest_gomem.session.instrument import Instrument, WindowPlan


class FinalizerCheck(Instrument):
    """Nothing but a launch: what the runtime finds stands in the log of the service, which has died of it."""

    name = "finalizer_check"

    def launch(self) -> Overrides:
        """The runtime looks in each GC cycle."""
        return Overrides(gc=GcSettings(godebug={CHECK: "1"}))


def finalizer_check(plan: WindowPlan) -> tuple[Instrument, ...]:
    """For the windows of a round that looks for nothing else."""
    return () if plan.outlives_round else (FinalizerCheck(),)
