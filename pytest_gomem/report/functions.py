"""Owns the words on a function budget's value: what counts in it, and how finely it was sampled."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.functions import FunctionValue, asked_by


def function_detail(budget: Budget, values: Iterable[FunctionValue]) -> str:
    """Such as "of 3 functions and what they call, estimated from samples: one in 8.19 kB"; "" without a value."""
    value = next((v for v in values if (v.metric, v.function, v.cum) == asked_by(budget)), None)
    if value is None:
        return ""
    functions = "1 function" if value.matched == 1 else f"{value.matched} functions"
    sampled = "every allocation was sampled"
    if value.rate > 1:
        sampled = f"estimated from samples: one in {format_value(value.rate, BYTES)}"
    return f"of {functions}{' and what they call' if value.cum else ''}, {sampled}"
