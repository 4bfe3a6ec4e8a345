"""The reason in place of a value that could not be read or measured, and the ways to ask for the value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pytest_gomem.base.errors import ObserveError

Value = TypeVar("Value")


@dataclass(frozen=True)
class Unavailable:
    """What could not be read or measured, and why, in words fit for the user.

    bounds: the least and the most that a metric can have been, in its unit, where these are known.
    """

    reason: str
    bounds: tuple[float, float] | None = None


def known(value: Value | Unavailable) -> Value | None:
    """The value, or None where there is none."""
    return None if isinstance(value, Unavailable) else value


def required(value: Value | Unavailable) -> Value:
    """The value; raises ObserveError with the reason where there is none."""
    if isinstance(value, Unavailable):
        raise ObserveError(value.reason)
    return value


def attempt(compute: Callable[[], Value]) -> Value | Unavailable:
    """What `compute` returns, or the reason of the ObserveError that it raises."""
    try:
        return compute()
    except ObserveError as error:
        return Unavailable(str(error))


def reason_of(value: object) -> str:
    """Why there is no value, "" where there is one."""
    return value.reason if isinstance(value, Unavailable) else ""
