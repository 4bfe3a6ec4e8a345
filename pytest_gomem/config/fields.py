"""Reads the members of a mapping by type, and gathers all mistakes, each with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from pytest_gomem.base.errors import ConfigError, ConfigErrors, Place
from pytest_gomem.base.names import did_you_mean
from pytest_gomem.base.units import Quantity, Unit, parse_quantity

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
        """An error at this value, for the caller to raise or gather."""
        return ConfigError(message, self.place, hint)

    @property
    def shown(self) -> str:
        """The value as error messages show it, always short."""
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
    """Give a plain Python value, and all values in it, this place; Located values stay as they are."""
    if isinstance(value, Located):
        return value
    if isinstance(value, Mapping):
        members = {str(key): located(member, place.at(key_of(place, str(key)))) for key, member in value.items()}
        return Located(members, place)
    if isinstance(value, (list, tuple)):
        return Located(tuple(located(item, place.at(key_of(place, index))) for index, item in enumerate(value)), place)
    return Located(value, place, str(value))


T = TypeVar("T")
D = TypeVar("D")


class Mistakes:
    """The mistakes found so far, in order."""

    def __init__(self) -> None:
        self.errors: list[ConfigError] = []

    def add(self, error: ConfigError) -> None:
        """Keep one mistake and go on."""
        self.errors.append(error)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the mistakes that the body raises; the rest of the body is skipped."""
        try:
            yield
        except ConfigError as error:
            self.errors.append(error)
        except ConfigErrors as errors:
            self.errors.extend(errors.errors)

    def raise_all(self) -> None:
        """Raise ConfigErrors if there were any."""
        if self.errors:
            raise ConfigErrors(self.errors)


class Fields:
    """The members of one mapping under their known names; unknown names are mistakes.

    Raises ConfigError where there is no mapping to read.
    """

    def __init__(self, node: Located, allowed: Collection[str], mistakes: Mistakes) -> None:
        self._mistakes = mistakes
        self.said: dict[str, Located] = {}
        for key, member in members(node).items():
            if key in allowed:
                self.said[key] = member
            else:
                mistakes.add(member.error(f"unknown key '{key}'", did_you_mean(key, allowed)))

    def read(self, key: str, parse: Callable[[Located], T], default: D) -> T | D:
        """The member, read by `parse`; the default if it is missing, or wrong, which is kept as a mistake."""
        if key in self.said:
            with self._mistakes.kept():
                return parse(self.said[key])
        return default


def members(node: Located) -> Mapping[str, Located]:
    """The members of a mapping; a key with nothing after it counts as an empty mapping."""
    if node.value is None:
        return {}
    if not isinstance(node.value, Mapping):
        raise node.error(f"expected a mapping, not {node.shown}")
    return node.value


def items(node: Located) -> tuple[Located, ...]:
    """The items of a list."""
    if not isinstance(node.value, tuple):
        raise node.error(f"expected a list, not {node.shown}")
    return node.value


def text(node: Located) -> str:
    """Text; numbers, `off` and `true` keep their spelling; a key with nothing after it is a mistake."""
    if isinstance(node.value, (str, int, float)):
        return node.written
    hints = {"a mapping": 'text with braces needs quotes, as in "{port}"', "nothing": 'write "" for empty text'}
    raise node.error(f"expected text, not {node.shown}", hints.get(node.shown, ""))


def filled(node: Located) -> str:
    """Text of at least one character."""
    if not text(node).strip():
        raise node.error("must not be empty")
    return text(node)


def texts(node: Located) -> tuple[str, ...]:
    """A list of texts; all wrong items are reported."""
    mistakes, found = Mistakes(), []
    for item in items(node):
        with mistakes.kept():
            found.append(text(item))
    mistakes.raise_all()
    return tuple(found)


def flag(node: Located) -> bool:
    """True or false; YAML 1.2 has no other words for them."""
    if not isinstance(node.value, bool):
        raise node.error(f"expected true or false, not {node.shown}")
    return node.value


def whole(minimum: int, maximum: int | None = None) -> Callable[[Located], int]:
    """A reader of whole numbers from `minimum` to `maximum`, both included."""

    def read(node: Located) -> int:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise node.error(f"expected a whole number of at least {minimum}, not {node.shown}")
        if maximum is not None and value > maximum:
            raise node.error(f"expected a whole number of at most {maximum}, not {node.shown}")
        return value

    return read


def check_version(root: Located, fields: Fields, expected: int, mistakes: Mistakes) -> None:
    """Check the file's version, so that a newer file gets a message of its own."""
    if "version" not in fields.said:
        mistakes.add(root.error("has no version", f"begin it with  version: {expected}"))
    fields.read("version", _version(expected), None)


def _version(expected: int) -> Callable[[Located], None]:
    def check(node: Located) -> None:
        if isinstance(node.value, bool) or not isinstance(node.value, int) or node.value != expected:
            raise node.error(
                f"expected version {expected}, not {node.shown}", "a newer file needs a newer pytest-gomem"
            )

    return check


def quantity(unit: Unit) -> Callable[[Located], Quantity]:
    """A reader of quantities in this unit."""

    def read(node: Located) -> Quantity:
        if not isinstance(node.value, (str, int, float)):
            raise node.error(f"expected a quantity in {unit}, not {node.shown}")
        try:
            return parse_quantity(node.value, unit)
        except ValueError as error:
            raise node.error(str(error)) from None

    return read
