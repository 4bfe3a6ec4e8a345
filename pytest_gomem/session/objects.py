"""Budgets on live objects: their values from the heap dump of an observed round."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.judge.figures import Asked
from pytest_gomem.judge.functions import FunctionValue
from pytest_gomem.judge.objects import TypeValue, type_value
from pytest_gomem.launch.launched import Built
from pytest_gomem.retention.model import Retention
from pytest_gomem.retention.types import may_have_type

_NO_DUMP = Unavailable("no heap dump was taken; of a program that ends by itself there is none")
_OBSERVED = "objects are counted in a heap dump of an observed round"
SHARED = Unavailable(f"{_OBSERVED}, and a process that tests share, or that you started, has none")
RUNS_ONCE = Unavailable(f"{_OBSERVED}, and the test must not run again (diagnose=False)")


def measured_objects(
    asked: Iterable[Asked], found: Retention | Unavailable | None, built: Built | None
) -> dict[Asked, TypeValue | Unavailable]:
    """The values for budgets on objects.

    found: what the heap dump says, None if none was taken. built: what the process runs, None if that is unknown.
    """
    dumped = required_dump(found)
    return {
        one: dumped
        if isinstance(dumped, Unavailable)
        else type_value(one, dumped, may_exist=built is None or may_have_type(built.binary, one.glob))
        for one in dict.fromkeys(asked)
    }


def required_dump(found: Retention | Unavailable | None) -> Retention | Unavailable:
    """What a heap dump says, or the reason why there is none."""
    return _NO_DUMP if found is None else found


def known_types(values: Mapping[Asked, FunctionValue | TypeValue | Unavailable]) -> tuple[TypeValue, ...]:
    """The values of types among these that are known."""
    return tuple(value for value in values.values() if isinstance(value, TypeValue))
