"""Owns Located: a value out of gomem.yaml, a marker or a call that knows where it was written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_gomem.base.errors import ConfigError, Place

_PLAIN_KEY = re.compile(r"[\w-]+")


@dataclass(frozen=True)
class Located:
    """A value and its place; `written` is a scalar's own spelling ("1.10" where the value is 1.1), else "".

    value: None, bool, int, float, str, a tuple of Located, a mapping of str to Located, or, from Python code only,
    any other object, which no reader accepts.
    """

    value: object
    place: Place
    written: str = ""

    def error(self, message: str, hint: str = "") -> ConfigError:
        """A mistake at this value, to be raised or gathered by the caller."""
        return ConfigError(message, self.place, hint)

    @property
    def shown(self) -> str:
        """The value in the words of an error message, always short."""
        if isinstance(self.value, str):
            return repr(self.value)
        if isinstance(self.value, (bool, int, float)):
            return self.written
        kinds = ((type(None), "nothing"), (Mapping, "a mapping"), (tuple, "a list"))
        return next((words for kind, words in kinds if isinstance(self.value, kind)), type(self.value).__name__)


def key_of(place: Place, key: str | int) -> str:
    """The dotted key of a member: `services.api`, `args[0]`, `tests['t.py::test_*']`."""
    if isinstance(key, int):
        return f"{place.key}[{key}]"
    if _PLAIN_KEY.fullmatch(key) is None:
        return f"{place.key}[{key!r}]"
    return f"{place.key}.{key}" if place.key else key


def located(value: object, place: Place) -> Located:
    """Give a plain Python value, and all in it, this place; what is Located already stays as it is."""
    if isinstance(value, Located):
        return value
    if isinstance(value, Mapping):
        members = {str(key): located(member, place.at(key_of(place, str(key)))) for key, member in value.items()}
        return Located(members, place)
    if isinstance(value, (list, tuple)):
        return Located(tuple(located(item, place.at(key_of(place, index))) for index, item in enumerate(value)), place)
    return Located(value, place, str(value))
