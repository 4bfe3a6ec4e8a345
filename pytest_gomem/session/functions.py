"""Budgets on functions: their figures from a window's profiles, and the profile rate that they need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pytest_gomem.attribution.sampling import samples_taken
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, known, required
from pytest_gomem.base.units import BYTES, COUNT, SECONDS, format_value
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.figures import Asked, asked_by
from pytest_gomem.judge.functions import FunctionValue, function_values
from pytest_gomem.judge.objects import TypeValue
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.session.capture import NOT_TAKEN, Profiles
from pytest_gomem.session.service import Service

# Each sample walks a stack, and adds a record that the collector must find again. Measured by
# benchmarks/function_budgets.py on Go 1.26, 1 KiB objects at rate 512 and 64 B objects at rate 1.
SECONDS_PER_SAMPLE = (3e-6, 15e-6)
ENDED = Unavailable("a program that ended by itself can no longer be asked for a profile")


def measured_functions(
    budgets: Iterable[Budget], profiles: Profiles | None, module: GoModule
) -> dict[Asked, FunctionValue | Unavailable]:
    """The figures for budgets on functions, from the profiles of a window that closes now.

    profiles: None for a program that was measured whole.
    """
    asked = dict.fromkeys(asked_by(budget) for budget in budgets if budget.function)
    if not asked:
        return {}
    if profiles is None:
        return dict.fromkeys(asked, ENDED)
    if not profiles.answers:
        return dict.fromkeys(asked, NOT_TAKEN)
    try:
        return function_values(asked, required(profiles.heap.profile), known(profiles.opening.profile), module)
    except ObserveError as error:
        return dict.fromkeys(asked, Unavailable(str(error)))


def known_functions(values: Mapping[Asked, FunctionValue | TypeValue | Unavailable]) -> tuple[FunctionValue, ...]:
    """The figures of functions among these that could be measured."""
    return tuple(value for value in values.values() if isinstance(value, FunctionValue))


def cost_note(service: Service, profiles: Profiles) -> Iterator[str]:
    """The profile rate that the budgets set, and what the window's samples cost; nothing if they set none."""
    rate = service.process.profile_rate
    after, base = known(profiles.heap.profile), known(profiles.opening.profile)
    if rate is None or after is None or base is None:
        return
    taken = samples_taken(after, base)
    cost = f"about {format_value(round(taken), COUNT)} samples in this window"
    least, most = (format_value(taken * seconds, SECONDS) for seconds in SECONDS_PER_SAMPLE)
    yield (
        f"the budgets on functions set the profile rate to one sample in {format_value(rate, BYTES)}: {cost}, "
        f"which take from {least} to {most} of CPU time"
    )
