"""Budgets on live objects of Go types: what a heap dump counts, how much of it has a known type, and the verdict.

A heap dump knows no types: they are found from variables, headers and the objects that lead to an object. If nearly all
objects have one, the count of a type is taken as it is. If fewer do, each object of an unknown type may be of this one,
and the verdict is the one that both extremes give.
"""

from __future__ import annotations

from dataclasses import dataclass

from pytest_gomem.base.names import nearest
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import BYTES, COUNT, Unit, format_value
from pytest_gomem.config.budgets import Budget
from pytest_gomem.judge.decide import judge
from pytest_gomem.judge.figures import Asked
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.measure.metric import Reading
from pytest_gomem.retention.model import Retention

_ENOUGH = 0.9  # of all objects, or bytes, have a known type; 0.97 and 0.99 of most services


@dataclass(frozen=True)
class TypeValue:
    """The live objects of the types of a glob in a heap dump, or their bytes.

    typed: the share of all objects, or bytes, whose type is known, as a ratio. unknown: those whose type is not.
    matched: the types of live objects that the glob means. nearest: if neither the dump nor the program has one, the
    most similar type, or "?" if none is similar; else "".
    """

    metric: str
    type: str
    value: int
    typed: float
    unknown: int
    matched: int
    nearest: str = ""

    @property
    def asked(self) -> Asked:
        """What it answers."""
        return Asked(self.metric, self.type)

    @property
    def interval(self) -> int:
        """0: objects are counted, not sampled."""
        return 0

    @property
    def unit(self) -> Unit:
        """Of the value."""
        return BYTES if _counts_bytes(self.metric) else COUNT


def type_value(asked: Asked, found: Retention, *, may_exist: bool) -> TypeValue:
    """The value of a budget from what a heap dump says. may_exist: the program may have a type that the glob means."""
    counts_bytes = _counts_bytes(asked.metric)
    meant = found.meant_by(asked.glob)
    typed, whole = (found.typed_bytes, found.live_bytes) if counts_bytes else (found.typed_objects, found.live_objects)
    named = asked.glob.replace("*", "")
    return TypeValue(
        asked.metric,
        asked.glob,
        sum(one.bytes if counts_bytes else one.count for one in meant.values()),
        typed,
        round((1 - typed) * whole),
        len(meant),
        "" if meant or may_exist else nearest(named, found.types) or "?",
    )


def _counts_bytes(metric: str) -> bool:
    return metric == "object_bytes"


def judge_type(budget: Budget, value: TypeValue | Unavailable, *, strict: bool) -> tuple[Verdict, ...]:
    """The verdicts on a budget on objects; strict: a glob that means no type of the program is unavailable, not 0."""
    if isinstance(value, Unavailable):
        return judge(budget, value)
    if strict and value.nearest:
        return judge(budget, Unavailable(no_type(value)))
    if value.typed >= _ENOUGH:
        return judge(budget, Reading(value.value, "a heap dump"))
    unknown = format_value(value.unknown, value.unit)
    why = f"{coverage_text(value)}, and {unknown} more may be of {value.type}"
    return judge(budget, Unavailable(why, (value.value, value.value + value.unknown)))


def no_type(value: TypeValue) -> str:
    """The message for a glob that means no type."""
    meant = f"; did you mean {value.nearest}?" if value.nearest != "?" else ""
    return f"the budget on {value.metric} of '{value.type}' matches no type of the program{meant}"


def coverage_text(value: TypeValue) -> str:
    """Such as "97% of all objects have a known type"."""
    what = "bytes" if value.unit is BYTES else "objects"
    return f"{share_text(value.typed)} of all {what} have a known type"


def share_text(ratio: float) -> str:
    """A share that is never rounded up to all: 99.9% for 0.99996."""
    return f"{int(ratio * 1000) / 10:g}%"
