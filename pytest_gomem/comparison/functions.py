"""Budgets on functions: judged by observed rounds, after the measured ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_gomem.base.unavailable import Unavailable, reason_of
from pytest_gomem.comparison.merged import of_rounds
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.functions import asked_by, figures_of
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.functions import ENDED, known_values
from pytest_gomem.session.judging import Judging
from pytest_gomem.session.measurement import Measurement

_NO_FIGURE = "no observed round has a figure"


def with_functions(
    window: WindowRecord, budgets: Sequence[Budget], observed: Sequence[Measurement], judging: Judging, lost: str
) -> WindowRecord:
    """The window with the figures and verdicts of its budgets on functions.

    observed: the window in each observed round. lost: why there is none of them, "" if that is not known.
    """
    asked = dict.fromkeys(map(asked_by, budgets))
    why = next(filter(None, map(_no_profile, observed)), "") if observed else lost or "there was none"
    rounds = [one.record for one in observed]
    values = {one: Unavailable(f"{_NO_FIGURE}: {why}") if why else of_rounds(one, rounds) for one in asked}
    return replace(
        window,
        verdicts=(*window.verdicts, *judging.verdicts(budgets, {}, values)),
        functions=(*window.functions, *known_values(values)),
        observed_rounds=tuple(figures_of(one.functions) for one in rounds),
    )


def _no_profile(observed: Measurement) -> str:
    """Why the window has no heap profile in this round; "" if it has one."""
    return reason_of(ENDED if observed.profiles is None else observed.profiles.heap.profile)
