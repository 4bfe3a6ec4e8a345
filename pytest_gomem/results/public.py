"""The public form of records: what the codec writes, with rules for what is hidden, added, or shown another way."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

from pytest_gomem.results.codec import Codec, decoded_items, field_reader, fields_of
from pytest_gomem.results.leaves import LEAVES, Coder, check, unexpected

FACT = str | int | float | None


class Shown(NamedTuple):
    """A value in the public form that is added to a record's fields or replaces one: its type, and how to get it."""

    hint: Any
    get: Callable[[Any], Any]


@dataclass(frozen=True)
class Rules:
    """How the public form of a record differs from its fields.

    key: several such records become an object, each under this field of it. hidden: the fields left out. shown: by name
    what is added or replaced; an attribute's path ("budget.metric") is shown as it is. null: by name the value that
    becomes null. read: by field how to make it from the public form, if it is not there as it is. words: by name what
    its JSON Schema adds, a description or any keywords; under "" what it adds for the whole.
    """

    key: str = ""
    hidden: tuple[str, ...] = ()
    shown: Mapping[str, Shown | str] = field(default_factory=dict)
    null: Mapping[str, Any] = field(default_factory=dict)
    read: Mapping[str, Callable[[Mapping[str, Any]], Any]] = field(default_factory=dict)
    words: Mapping[str, str | Mapping[str, Any]] = field(default_factory=dict)

    def about(self, name: str) -> Mapping[str, Any]:
        """The keywords of a name's JSON Schema."""
        words = self.words.get(name, {})
        return {"description": words} if isinstance(words, str) else words


class PublicCodec(Codec):
    """Writes records for everybody: strict JSON without our own conventions. It ignores unknown keys.

    It loses what its rules hide, and which non-finite number a figure was.
    """

    def __init__(self, rules: Mapping[type, Rules], leaves: Mapping[Any, Coder] | None = None) -> None:
        super().__init__(leaves=leaves or PUBLIC_LEAVES)
        self._rules = rules

    def rules(self, record: Any) -> Rules:
        """The rules of a record, which may be none."""
        return self._rules.get(record, _NO_RULES)

    def shown(self, record: type) -> dict[str, Shown]:
        """What the public form of a record shows, by name."""
        rules = self.rules(record)
        hidden = {*rules.hidden, rules.key}
        found = {one.name: Shown(one.hint, attrgetter(one.name)) for one in fields_of(record) if one.name not in hidden}
        for name, one in rules.shown.items():
            found.pop(name, None)  # it has its place among these
            found[name] = Shown(_hint_of(record, one), attrgetter(one)) if isinstance(one, str) else one
        return found

    def of_record(self, record: type) -> Coder:
        """The coder of a dataclass or NamedTuple by its rules."""
        rules = self.rules(record)
        columns = [
            (name, get, self._or_null(self.coder(hint).encode, rules.null, name))
            for name, (hint, get) in self.shown(record).items()
        ]
        coders = {
            name: self._or_value(self.coder(hint), rules.null, name)
            for name, hint, _ in fields_of(record)
            if name not in rules.read and name not in rules.hidden
        }
        read_fields = field_reader(record, coders, strict=False)
        others = [
            (at, rules.read.get(name) or _by_default(default))
            for at, (name, _, default) in enumerate(fields_of(record))
            if name not in coders
        ]

        def encode(value: Any) -> dict[str, Any]:
            return {name: convert(get(value)) for name, get, convert in columns}

        def decode(data: Any) -> Any:
            values = list(read_fields(data))
            try:
                for at, read in others:
                    values.insert(at, read(data))
            except (ArithmeticError, KeyError, TypeError, ValueError):
                raise unexpected(f"an object ({record.__name__})", data) from None
            return record(*values)

        return Coder(encode, decode, frozenset({dict}))

    @staticmethod
    def _or_null(encode: Callable[[Any], Any], null: Mapping[str, Any], name: str) -> Callable[[Any], Any]:
        return (lambda value: None if value == null[name] else encode(value)) if name in null else encode

    @staticmethod
    def _or_value(coder: Coder, null: Mapping[str, Any], name: str) -> Coder:
        if name not in null:
            return coder
        return coder._replace(decode=lambda data: null[name] if data is None else coder.decode(data))

    def _of_sequence(self, item: Any) -> Coder:
        key = self.rules(item).key
        if not key:
            return super()._of_sequence(item)
        coder = self.coder(item)

        def encode(values: Sequence[Any]) -> dict[str, Any]:
            return {_utf8(getattr(value, key)): coder.encode(value) for value in values}

        def decode(data: Any) -> tuple[Any, ...]:
            check(dict, "an object", data)
            named = {name: {**one, key: name} if type(one) is dict else one for name, one in data.items()}
            return tuple(decoded_items(named.items(), coder.decode))

        return Coder(encode, decode, frozenset({dict}))

    def _of_mapping(self, item: Any) -> Coder:
        coder, encode = super()._of_mapping(item), self.coder(item).encode
        return coder._replace(encode=lambda values: {_utf8(name): encode(value) for name, value in values.items()})


def _by_default(default: Callable[[], Any] | None) -> Callable[[Mapping[str, Any]], Any]:
    if default is None:
        raise TypeError("a hidden field needs a default, or a rule by which it is read")
    return lambda data: default()


def _hint_of(record: type, path: str) -> Any:
    """The type of an attribute of an attribute."""
    hint: Any = record
    for name in path.split("."):
        hint = next(one.hint for one in fields_of(hint) if one.name == name)
    return hint


def _utf8(text: str) -> str:
    """Text that UTF-8 can hold: other bytes of a file name become escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _are_ascii(values: Collection[Any]) -> bool:
    return _TEXT.issuperset(map(type, values)) and all(map(str.isascii, values))


def _number(value: float) -> float | None:
    """Finite numbers, whole ones without a fraction."""
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _fact(value: FACT) -> FACT:
    if isinstance(value, str):
        return _utf8(value)
    return _number(value) if isinstance(value, float) else value


def _one_of_facts(data: Any) -> Any:
    if type(data) not in (str, int, float, type(None)):
        raise unexpected("text or a number", data)
    return data


_NO_RULES = Rules()
_TEXT = frozenset({str})
PUBLIC_LEAVES = {
    **LEAVES,
    str: LEAVES[str]._replace(encode=_utf8, are_plain=_are_ascii),
    float: Coder(
        lambda value: _number(float(value)),
        lambda data: math.nan if data is None else LEAVES[float].decode(data),
        frozenset({float, int, type(None)}),
        frozenset({float, int}),
    ),
    FACT: Coder(_fact, _one_of_facts, frozenset({str, int, float, type(None)})),
}
