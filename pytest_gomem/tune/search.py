"""Which runs to do next, and what the runs so far answer: a pure function of the question and of the results.

The order of the results does not matter, and a plan may be broken off after any run: what is missing is planned again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from pytest_gomem.tune.bounds import refusal
from pytest_gomem.tune.choice import Choice
from pytest_gomem.tune.model import CYCLES
from pytest_gomem.tune.records import FEWEST_CYCLES, Answer, Find, Plan, Question, RunResult
from pytest_gomem.tune.rows import rows_of
from pytest_gomem.tune.sizing import Sizing
from pytest_gomem.tune.table import Table, comfortable

_USUAL = {Find.SETTING: 14, Find.GOMEMLIMIT: 18, Find.LIMIT: 32}  # runs of a search


def next_step(question: Question, results: Sequence[RunResult]) -> Plan | Answer:
    """The next runs, or the answer."""
    table = Table(question, results)
    search = _begun(table)
    if not isinstance(search, (Choice, Sizing)):
        return search
    step = search.next_step()
    if isinstance(step, Answer):
        return step
    spent = _spent(table, step)
    if spent:
        return search.so_far(spent)
    left = max(_USUAL[question.find] - len(results), len(step.settings))
    return replace(step, left=left, best=search.so_far("").setting)


def answer_so_far(question: Question, results: Sequence[RunResult], ended: str) -> Answer:
    """The answer if no more runs are done. ended: why, as the beginning of a sentence: "you stopped it"."""
    table = Table(question, results)
    search = _begun(table)
    if isinstance(search, Plan):
        return Answer(None, f"{ended}, before a run with memory to spare ended well", rows_of(table))
    if isinstance(search, Answer):
        return search
    step = search.next_step()
    return step if isinstance(step, Answer) else search.so_far(ended)


def _begun(table: Table) -> Choice | Sizing | Plan | Answer:
    """The search, once a run with memory to spare has ended well; what comes before that, or that it has no answer."""
    reason = _unanswerable(table)
    if reason:
        return Answer(None, reason, rows_of(table))
    if table.comfortable.ok:
        return Choice(table) if table.question.find is Find.SETTING else Sizing(table)
    plan = Plan((comfortable(table.question),), "with memory to spare", _USUAL[table.question.find])
    spent = _spent(table, plan)
    return Answer(None, f"{spent}, before a run with memory to spare ended well", rows_of(table)) if spent else plan


def _unanswerable(table: Table) -> str:
    """Why there is no answer, whatever else is measured."""
    own, kept = table.comfortable, table.question.kept
    refused = next(filter(None, map(refusal, kept)), "")
    if refused or not own.runs:
        return refused
    if own.is_bad:
        return f"the test does not pass with memory to spare: {own.why()}"
    if not own.ok:
        return ""
    cycles = own.middle(CYCLES)
    if cycles is None:
        return f"the GC cycles of a run are not known: {own.why_missing(CYCLES)}"
    if cycles < FEWEST_CYCLES:
        times = math.ceil(FEWEST_CYCLES / max(cycles, 1))
        return (
            f"a run with memory to spare has {cycles:g} GC cycles, too few to tell how CPU per op depends on them: "
            f"let the test do {'at least ' * (not cycles)}{times} times the work"
        )
    names = [bound.metric for bound in kept] + (["cpu_per_op"] if table.question.find is Find.SETTING else [])
    return next((f"{name} was not measured: {own.why_missing(name)}" for name in names if own.middle(name) is None), "")


def _spent(table: Table, plan: Plan) -> str:
    """Why the planned runs must not begin, "" if they may."""
    question, runs = table.question, len(table.results)
    if runs + len(plan.settings) > question.most_runs:
        return f"the {question.most_runs} runs that are allowed are spent"
    if question.budget_seconds is None or not runs:
        return ""
    seconds = math.fsum(result.seconds for result in table.results)
    if seconds * (1 + len(plan.settings) / runs) > question.budget_seconds:
        return f"the budget of {question.budget_seconds:g} s is spent"
    return ""
