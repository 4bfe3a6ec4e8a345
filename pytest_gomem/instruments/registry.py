"""The instruments of every window of a run; those of one point act in this order."""

from __future__ import annotations

from pytest_gomem.instruments.injected_load import InjectedLoad
from pytest_gomem.instruments.opening_profile import OpeningProfile
from pytest_gomem.instruments.peak_profile import peak_profile
from pytest_gomem.session.instrument import Choice, Instrument, WindowPlan


def builtin_instruments() -> Choice:
    """Choose them for each window. Raises ConfigError."""
    injected = InjectedLoad.of_environment()

    def chosen(plan: WindowPlan) -> tuple[Instrument, ...]:
        return *injected.instruments(plan), *peak_profile(plan), OpeningProfile(plan)

    return chosen
