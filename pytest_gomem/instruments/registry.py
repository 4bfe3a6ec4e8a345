"""The instruments of a run: those of every window, and those of observed rounds."""

from __future__ import annotations

from pytest_gomem.instruments.execution_trace import read_afterwards
from pytest_gomem.instruments.flight_recorder import FlightRecorder
from pytest_gomem.instruments.goroutines import Goroutines
from pytest_gomem.instruments.heap_dump import HeapDump
from pytest_gomem.instruments.injected_load import InjectedLoad
from pytest_gomem.instruments.kept_heap import KeptHeap
from pytest_gomem.instruments.leaked_goroutines import LeakedGoroutines
from pytest_gomem.instruments.opening_profile import OpeningProfile
from pytest_gomem.instruments.own_pages import OwnPages
from pytest_gomem.instruments.peak_profile import PeakProfile
from pytest_gomem.judge.functions import rate_for
from pytest_gomem.session.instrument import Choice, Instrument, WindowPlan


def builtin_instruments() -> Choice:
    """Choose those of every window; of one point they act in this order. Raises ConfigError."""
    injected = InjectedLoad.of_environment()

    def chosen(plan: WindowPlan) -> tuple[Instrument, ...]:
        asks = plan.is_profiled and any(budget.function for budget in plan.budgets)
        is_limited = any(budget.metric == LeakedGoroutines.name for budget in plan.budgets)
        own = OwnPages(plan.budgets)
        return (
            *injected.instruments(plan),
            *((LeakedGoroutines(plan.exempt),) if is_limited and not plan.is_observed else ()),
            *((own,) if own.is_needed else ()),  # whose connections are no goroutines of the service
            *((OpeningProfile(rate_for(plan.budgets)),) if asks else ()),
            *_recorder(plan),
        )

    return chosen


def _recorder(plan: WindowPlan) -> tuple[Instrument, ...]:
    """The flight recorder of a service that asks for it; in an observed round another trace may be on."""
    asked = None if plan.config is None else plan.config.trace
    return () if asked is None or plan.is_observed else read_afterwards(FlightRecorder(asked))


def observing(
    rate: int | None, *, watches_peak: bool, takes_stacks: bool, dump: HeapDump | None = None
) -> tuple[Instrument, ...]:
    """Those of a window in an observed round.

    rate: bytes per heap profile sample; None leaves the service's own. dump: taken after all else.
    """
    return (
        *((PeakProfile(),) if watches_peak else ()),
        OpeningProfile(rate),
        KeptHeap(),
        *((Goroutines(),) if takes_stacks else ()),
        *(() if dump is None else (dump,)),
    )
