"""Budgets on functions: judged by observed rounds, after the measured ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.comparison.merged import of_rounds
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.functions import asked_by, figures_of
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.functions import known_values
from pytest_gomem.session.judging import Judging


def with_functions(
    window: WindowRecord, budgets: Sequence[Budget], observed: Sequence[WindowRecord], judging: Judging, lost: str
) -> WindowRecord:
    """The window with the figures and verdicts of its budgets on functions.

    observed: the window in each observed round. lost: why there is none of them.
    """
    asked = dict.fromkeys(map(asked_by, budgets))
    none = Unavailable(f"no observed round has a figure: {lost}")
    values = {one: of_rounds(one, observed) if observed else none for one in asked}
    return replace(
        window,
        verdicts=(*window.verdicts, *judging.verdicts(budgets, {}, values)),
        functions=(*window.functions, *known_values(values)),
        observed_rounds=tuple(figures_of(one.functions) for one in observed),
    )
