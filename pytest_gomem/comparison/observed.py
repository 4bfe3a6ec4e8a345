"""Budgets on functions and types: judged by observed rounds, after the measured ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_gomem.base.unavailable import Unavailable, reason_of
from pytest_gomem.comparison.merged import of_rounds
from pytest_gomem.config.budgets import PER_TYPE, Budget
from pytest_gomem.judge.figures import Asked, asked_by, figures_of
from pytest_gomem.judge.functions import FunctionValue, no_match
from pytest_gomem.judge.objects import TypeValue, no_type
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.functions import ENDED, known_functions
from pytest_gomem.session.judging import Judging
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.objects import known_types, required_dump

_NO_FIGURE = "no observed round has a figure"


def with_observed(
    window: WindowRecord, budgets: Sequence[Budget], observed: Sequence[Measurement], judging: Judging, lost: str
) -> WindowRecord:
    """The window with the figures and verdicts of its budgets on functions and types.

    observed: the window in each observed round. lost: why there is none of them, "" if that is not known.
    """
    values = {one: _value(one, observed, lost) for one in dict.fromkeys(map(asked_by, budgets))}
    return replace(
        window,
        verdicts=(*window.verdicts, *judging.verdicts(budgets, {}, values)),
        functions=(*window.functions, *known_functions(values)),
        types=(*window.types, *known_types(values)),
        observed_rounds=tuple(figures_of(one.record.counted) for one in observed),
    )


def _value(asked: Asked, observed: Sequence[Measurement], lost: str) -> FunctionValue | TypeValue | Unavailable:
    why_none = _no_dump if asked.metric in PER_TYPE else _no_profile
    why = next(filter(None, map(why_none, observed)), "") if observed else lost or "there was none"
    return Unavailable(f"{_NO_FIGURE}: {why}") if why else of_rounds(asked, [one.record for one in observed])


def _no_profile(observed: Measurement) -> str:
    """Why the window has no heap profile in this round; "" if it has one."""
    return reason_of(ENDED if observed.profiles is None else observed.profiles.heap.profile)


def _no_dump(observed: Measurement) -> str:
    """Why the window has no heap dump in this round; "" if it has one."""
    return reason_of(required_dump(observed.retention))


def unmatched_globs(window: WindowRecord) -> list[str]:
    """A message for each budget of the window whose glob matches no function, or no type."""
    functions = [no_match(value) for value in window.functions if not value.matched]
    return functions + [no_type(value) for value in window.types if value.nearest]
