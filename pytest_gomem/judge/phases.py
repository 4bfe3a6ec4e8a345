"""Owns judging the budget of a phase: on every phase of that name, and what it means that there was none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.decide import NOT_YET, judge
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Reading, Unavailable

Results = Mapping[str, Reading | Unavailable]
_FOR_MANY = ("defaults", "services")  # scopes that speak of windows which may not have the phase


def given_name(phase: str) -> str:
    """The name that the test gave to a phase: of "login#2", the second of that name, "login"."""
    return phase.partition("#")[0]


def judge_phase(budget: Budget, phases: Mapping[str, Results]) -> tuple[Verdict, ...]:
    """The verdicts of one budget on each phase of its name; phases: the results of every phase, by name.

    Without such a phase it is unmeasured, which fails, unless it was declared for windows of all sorts.
    """
    found = {name: results for name, results in phases.items() if given_name(name) == budget.phase}
    if not found and budget.scope not in _FOR_MANY:
        return judge(budget, Unavailable("there was no such phase in the window"))
    return tuple(
        verdict
        for name, results in found.items()
        for verdict in judge(replace(budget, phase=name), results.get(budget.metric, NOT_YET))
    )
