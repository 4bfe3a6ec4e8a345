"""Turns records into plain JSON data and back without loss, by the type hints of their fields."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import Enum
from operator import attrgetter, itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from pytest_gomem.base.units import UNITS, Unit
from pytest_gomem.results.leaves import LEAVES, CodecError, Coder, check, of_enum, unchanged, unexpected


class Field(NamedTuple):
    """A field of a record: its name, its type hint, and what makes its default; None if it has none."""

    name: str
    hint: Any
    default: Callable[[], Any] | None


def fields_of(record: type) -> tuple[Field, ...]:
    """The fields of a dataclass or NamedTuple; () for any other type."""
    if dataclasses.is_dataclass(record):
        hints = get_type_hints(record)
        return tuple(Field(one.name, hints[one.name], _default(one)) for one in dataclasses.fields(record))
    if issubclass(record, tuple) and hasattr(record, "_field_defaults"):
        defaults = {name: _constant(value) for name, value in record._field_defaults.items()}
        return tuple(Field(name, hint, defaults.get(name)) for name, hint in get_type_hints(record).items())
    return ()


def _default(field: dataclasses.Field[Any]) -> Callable[[], Any] | None:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory
    return None if field.default is dataclasses.MISSING else _constant(field.default)


def _constant(value: object) -> Callable[[], Any]:
    return lambda: value


def members_of(hint: Any) -> tuple[Any, ...]:
    """The members of a union; () for any other hint."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else ()


class Codec:
    """Makes a coder for each type at its first use, and keeps it.

    named: by type, values that many records share, such as units; the data has their names.
    """

    def __init__(
        self, named: Mapping[type, Mapping[str, Any]] = MappingProxyType({}), leaves: Mapping[type, Coder] | None = None
    ) -> None:
        self._named = named
        self.leaves = leaves or LEAVES
        self._made: dict[Any, Coder] = {}

    def encode(self, hint: Any, value: object) -> Any:
        """The value as JSON data that `json.dumps(allow_nan=False)` takes."""
        return self.coder(hint).encode(value)

    def decode(self, hint: Any, data: object) -> Any:
        """The value that `encode` wrote as this data; raises CodecError for data that it did not write."""
        return self.coder(hint).decode(data)

    def coder(self, hint: Any) -> Coder:
        """The coder of a type; raises TypeError for a hint that JSON data cannot hold."""
        if hint not in self._made:
            # A record may hold records of its own type: its coder is looked up when it is used.
            self._made[hint] = self._later(hint)
            self._made[hint] = self._make(hint)
        return self._made[hint]

    def _later(self, hint: Any) -> Coder:
        def encode(value: Any) -> Any:
            return self._made[hint].encode(value)

        def decode(data: Any) -> Any:
            return self._made[hint].decode(data)

        return Coder(encode, decode, frozenset({dict}))

    def _make(self, hint: Any) -> Coder:
        arguments = get_args(hint)
        if hint in self.leaves:
            return self.leaves[hint]
        if hint in self._named:
            return self._of_named(hint, self._named[hint])
        if members_of(hint):
            return self._of_union(arguments)
        if get_origin(hint) in (tuple, Sequence):
            is_even = arguments[-1] is Ellipsis or get_origin(hint) is Sequence
            return self._of_sequence(arguments[0]) if is_even else self._of_tuple(arguments)
        if get_origin(hint) is Mapping and arguments[0] is str:
            return self._of_mapping(arguments[1])
        if isinstance(hint, type) and issubclass(hint, Enum):
            return of_enum(hint)
        if isinstance(hint, type) and fields_of(hint):
            return self.of_record(hint)
        raise TypeError(f"the codec knows no way to write {hint}")

    def of_record(self, record: type) -> Coder:
        """The coder of a dataclass or NamedTuple: an object with all its fields."""
        coders = {field.name: self.coder(field.hint) for field in fields_of(record)}
        converted = [(name, coder.encode) for name, coder in coders.items() if coder.encode is not unchanged]
        names, get, read = tuple(coders), _several(attrgetter, coders), field_reader(record, coders, strict=True)

        def encode(value: Any) -> dict[str, Any]:
            data = dict(zip(names, get(value), strict=True))
            for name, convert in converted:
                data[name] = convert(data[name])
            return data

        return Coder(encode, lambda data: record(*read(data)), frozenset({dict}))

    def _of_named(self, record: type, values: Mapping[str, Any]) -> Coder:
        whole = self.of_record(record)
        names = {id(value): name for name, value in values.items()}

        def decode(data: Any) -> Any:
            if type(data) is not str:
                return whole.decode(data)
            if data not in values:
                raise unexpected(f"one of {', '.join(values)}", data)
            return values[data]

        return Coder(lambda value: names.get(id(value)) or whole.encode(value), decode, frozenset({dict, str}))

    def _of_union(self, members: Sequence[Any]) -> Coder:
        """None becomes null. The JSON type identifies the others, or a tag if two have the same type."""
        others = [member for member in members if member is not types.NoneType]
        coders = {member: self.coder(member) for member in others}
        kinds = [kind for coder in coders.values() for kind in coder.kinds]
        if len(others) == 1:
            coder = coders[others[0]]
        elif len(set(kinds)) == len(kinds) and all(isinstance(member, type) for member in others):
            coder = _union_by_kind(coders)
        else:
            coder = _union_by_tag(coders)
        return _optional(coder) if len(others) < len(members) else coder

    def _of_sequence(self, item: Any) -> Coder:
        coder = self.coder(item)
        encode, decode, are_plain, are_read = coder.encode, coder.decode, _all_plain(coder), _all_read(coder)

        def encoded(values: Sequence[Any]) -> list[Any]:
            return list(values) if are_plain(values) else [encode(value) for value in values]

        def decoded(data: Any) -> tuple[Any, ...]:
            check(list, "a list", data)
            return tuple(data if are_read(data) else decoded_items(enumerate(data), decode))

        return Coder(encoded, decoded, frozenset({list}))

    def _of_tuple(self, items: Sequence[Any]) -> Coder:
        coders = [self.coder(item) for item in items]
        expected = f"a list of {len(coders)}"

        def encode(values: Sequence[Any]) -> list[Any]:
            return [coder.encode(value) for coder, value in zip(coders, values, strict=True)]

        def decode(data: Any) -> tuple[Any, ...]:
            check(list, expected, data)
            if len(data) != len(coders):
                raise unexpected(expected, data)
            pairs = zip(coders, data, strict=True)
            return tuple(decoded_items(enumerate(pairs), lambda pair: pair[0].decode(pair[1])))

        return Coder(encode, decode, frozenset({list}))

    def _of_mapping(self, item: Any) -> Coder:
        coder = self.coder(item)
        encode, decode, are_plain, are_read = coder.encode, coder.decode, _all_plain(coder), _all_read(coder)

        def encoded(values: Mapping[str, Any]) -> dict[str, Any]:
            return dict(values) if are_plain(values.values()) else {key: encode(values[key]) for key in values}

        def decoded(data: Any) -> dict[str, Any]:
            check(dict, "an object", data)
            if are_read(data.values()):
                return dict(data)
            return dict(zip(data, decoded_items(data.items(), decode), strict=True))

        return Coder(encoded, decoded, frozenset({dict}))


def _all_plain(coder: Coder) -> Callable[[Collection[Any]], bool]:
    """Whether many values may be in the data as they are."""
    return coder.are_plain or (lambda values: coder.encode is unchanged)


def _all_read(coder: Coder) -> Callable[[Collection[Any]], bool]:
    """Whether much data may be used as the values."""
    return lambda data: coder.as_is.issuperset(map(type, data)) or bool(coder.are_plain and coder.are_plain(data))


def _several(getter: Callable[..., Callable[[Any], Any]], names: Collection[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Gets all of these at once, by operator.attrgetter or itemgetter; these give no tuple for a single name."""
    get = getter(*names)
    return get if len(names) > 1 else lambda value: (get(value),)


def field_reader(record: type, coders: Mapping[str, Coder], *, strict: bool) -> Callable[[Any], Sequence[Any]]:
    """Reads these fields of a record from an object, in their order; a field with a default may be missing.

    Most objects have data of the same types in the same fields. The fields to decode are found once for each such
    shape. All others are taken as they are, without a call for each. strict: other keys are errors.
    """
    get, names, expected = _several(itemgetter, coders), tuple(coders), f"an object ({record.__name__})"
    defaults = {field.name: field.default for field in fields_of(record)}
    plans: dict[tuple[type, ...], list[tuple[int, Callable[[Any], Any]]]] = {}

    def plan(shape: Sequence[type]) -> list[tuple[int, Callable[[Any], Any]]]:
        return [
            (at, _filled(defaults[name]) if kind is _Missing else coder.decode)
            for at, (kind, (name, coder)) in enumerate(zip(shape, coders.items(), strict=True))
            if kind not in coder.as_is
        ]

    def incomplete(data: Any) -> tuple[Any, ...]:
        check(dict, expected, data)
        for name in data.keys() - coders.keys() if strict else ():
            raise _at(name, CodecError("is not known"))
        return tuple(data.get(name, _Missing()) for name in names)

    def read(data: Any) -> Sequence[Any]:
        try:
            found = get(data) if len(data) == len(names) or not strict else incomplete(data)
        except (KeyError, TypeError):
            found = incomplete(data)
        shape = tuple(map(type, found))
        steps = plans.get(shape)
        if steps is None:
            steps = plans[shape] = plan(shape)
        values, at = list(found), 0
        try:
            for at, decode in steps:
                values[at] = decode(values[at])
        except CodecError as error:
            raise _at(names[at], error) from None
        return values

    return read


class _Missing:
    """The value of a field that is missing."""


def _filled(default: Callable[[], Any] | None) -> Callable[[Any], Any]:
    def decode(missing: _Missing) -> Any:
        if default is None:
            raise CodecError("is missing")
        return default()

    return decode


def decoded_items(items: Iterable[tuple[Any, Any]], decode: Callable[[Any], Any]) -> list[Any]:
    """The items decoded; an error in one names its key."""
    found: list[Any] = []
    key: str | int = ""
    try:
        for key, item in items:  # noqa: B007 - it is the last one that an error is of
            found.append(decode(item))
    except CodecError as error:
        raise _at(key, error) from None
    return found


def _at(key: str | int, error: CodecError) -> CodecError:
    """The error in the data under a key."""
    error.path = (key, *error.path)
    return error


def _optional(coder: Coder) -> Coder:
    encode, decode = coder.encode, coder.decode
    return Coder(
        encode if encode is unchanged else lambda value: None if value is None else encode(value),
        lambda data: None if data is None else decode(data),
        coder.kinds | {types.NoneType},
        coder.as_is | {types.NoneType},
    )


def _union_by_kind(coders: Mapping[type, Coder]) -> Coder:
    by_kind = {kind: coder.decode for coder in coders.values() for kind in coder.kinds}
    expected = " or ".join(member.__name__ for member in coders)

    def decode(data: Any) -> Any:
        if type(data) not in by_kind:
            raise unexpected(expected, data)
        return by_kind[type(data)](data)

    def encode(value: Any) -> Any:
        return _member(coders, value)[1].encode(value)

    return Coder(encode, decode, frozenset(by_kind))


def _union_by_tag(coders: Mapping[type, Coder]) -> Coder:
    by_tag = {member.__name__: coder.decode for member, coder in coders.items()}
    expected = f"an object with one of the keys {', '.join(by_tag)}"

    def encode(value: Any) -> dict[str, Any]:
        member, coder = _member(coders, value)
        return {member.__name__: coder.encode(value)}

    def decode(data: Any) -> Any:
        if type(data) is not dict or len(data) != 1 or not data.keys() <= by_tag.keys():
            raise unexpected(expected, data)
        ((tag, inner),) = data.items()
        try:
            return by_tag[tag](inner)
        except CodecError as error:
            raise _at(tag, error) from None

    return Coder(encode, decode, frozenset({dict}))


def _member(coders: Mapping[type, Coder], value: object) -> tuple[type, Coder]:
    """The member of a union that a value belongs to: its own type, else the first that it is an instance of."""
    exact = type(value)
    if exact in coders:
        return exact, coders[exact]
    return next((member, coder) for member, coder in coders.items() if isinstance(value, member))


# How records go from process to process and into files.
EXACT = Codec({Unit: UNITS})
