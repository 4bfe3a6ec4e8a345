"""Turns records into plain JSON data and back without loss, led by the type hints of their fields."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import Enum
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints

from pytest_gomem.base.units import UNITS, Unit
from pytest_gomem.results.leaves import LEAVES, CodecError, Coder, check, of_enum


class Field(NamedTuple):
    """A field of a record: its name, its hint, and whether it may be left out of the data."""

    name: str
    hint: Any
    has_default: bool


def fields_of(record: type) -> tuple[Field, ...]:
    """The fields of a dataclass or NamedTuple; () for any other type."""
    if dataclasses.is_dataclass(record):
        hints = get_type_hints(record)
        return tuple(Field(f.name, hints[f.name], _has_default(f)) for f in dataclasses.fields(record))
    if issubclass(record, tuple) and hasattr(record, "_field_defaults"):
        return tuple(Field(name, hint, name in record._field_defaults) for name, hint in get_type_hints(record).items())
    return ()


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def members_of(hint: Any) -> tuple[Any, ...]:
    """The members of a union; () for any other hint."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else ()


class Codec:
    """Makes a coder for each type at its first use, and keeps it.

    named: by type, values that many records share, such as units; each stands in the data as its name.
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
        """The value that `encode` was given; raises CodecError for data that it did not write."""
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
        fields = fields_of(record)
        names = [field.name for field in fields]
        coders = {field.name: self.coder(field.hint) for field in fields}
        converted = [(name, coder.encode) for name, coder in coders.items() if not coder.is_plain]
        decoders = [(field.name, coders[field.name].decode, field.has_default) for field in fields]
        read = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)

        def encode(value: Any) -> dict[str, Any]:
            data = dict(zip(names, read(value), strict=True))
            for name, convert in converted:
                data[name] = convert(data[name])
            return data

        def decode(data: Any) -> Any:
            values = decoded_fields(record, decoders, data)
            if not data.keys() <= coders.keys():
                raise CodecError(f"a {record.__name__} without {min(data.keys() - coders.keys())!r}", data)
            return record(**values)

        return Coder(encode, decode, frozenset({dict}))

    def _of_named(self, record: type, values: Mapping[str, Any]) -> Coder:
        whole = self.of_record(record)
        names = {id(value): name for name, value in values.items()}

        def decode(data: Any) -> Any:
            if type(data) is not str:
                return whole.decode(data)
            if data not in values:
                raise CodecError(f"one of {', '.join(values)}", data)
            return values[data]

        return Coder(lambda value: names.get(id(value)) or whole.encode(value), decode, frozenset({dict, str}))

    def _of_union(self, members: Sequence[Any]) -> Coder:
        """None stands as null. Of the others each is told by its JSON type, or by a tag where two share one."""
        others = [member for member in members if member is not types.NoneType]
        coders = {member: self.coder(member) for member in others}
        kinds = [kind for coder in coders.values() for kind in coder.kinds]
        if len(others) == 1:
            coder = coders[others[0]]
        elif len(set(kinds)) == len(kinds) and all(isinstance(member, type) for member in others):
            coder = _told_by_kind(coders)
        else:
            coder = _told_by_tag(coders)
        return _optional(coder) if len(others) < len(members) else coder

    def _of_sequence(self, item: Any) -> Coder:
        coder = self.coder(item)
        encode, decode, are_plain = coder.encode, coder.decode, coder.are_plain or _none_is_plain

        def encoded(values: Sequence[Any]) -> list[Any]:
            return list(values) if are_plain(values) else [encode(value) for value in values]

        def decoded(data: Any) -> tuple[Any, ...]:
            check(list, "a list", data)
            return tuple(data if are_plain(data) else decoded_items(enumerate(data), decode))

        return Coder(encoded, decoded, frozenset({list}))

    def _of_tuple(self, items: Sequence[Any]) -> Coder:
        coders = [self.coder(item) for item in items]
        expected = f"a list of {len(coders)}"

        def encode(values: Sequence[Any]) -> list[Any]:
            return [coder.encode(value) for coder, value in zip(coders, values, strict=True)]

        def decode(data: Any) -> tuple[Any, ...]:
            check(list, expected, data)
            if len(data) != len(coders):
                raise CodecError(expected, data)
            pairs = zip(coders, data, strict=True)
            return tuple(decoded_items(enumerate(pairs), lambda pair: pair[0].decode(pair[1])))

        return Coder(encode, decode, frozenset({list}))

    def _of_mapping(self, item: Any) -> Coder:
        coder = self.coder(item)
        encode, decode, are_plain = coder.encode, coder.decode, coder.are_plain or _none_is_plain

        def encoded(values: Mapping[str, Any]) -> dict[str, Any]:
            return dict(values) if are_plain(values.values()) else {key: encode(values[key]) for key in values}

        def decoded(data: Any) -> dict[str, Any]:
            check(dict, "an object", data)
            if are_plain(data.values()):
                return dict(data)
            return dict(zip(data, decoded_items(data.items(), decode), strict=True))

        return Coder(encoded, decoded, frozenset({dict}))


def _none_is_plain(values: Collection[Any]) -> bool:
    return False


def decoded_fields(
    record: type, decoders: Iterable[tuple[str, Callable[[Any], Any], bool]], data: Any
) -> dict[str, Any]:
    """The fields of a record: each one's name, decoder, and whether it may be missing."""
    check(dict, f"a {record.__name__}", data)
    values: dict[str, Any] = {}
    name = ""
    try:
        for name, decode, has_default in decoders:
            if name in data or not has_default:
                values[name] = decode(data[name])
    except KeyError:
        raise CodecError(f"a {record.__name__} with {name!r}", data) from None
    except CodecError as error:
        error.path = (name, *error.path)
        raise
    return values


def decoded_items(items: Iterable[tuple[Any, Any]], decode: Callable[[Any], Any]) -> list[Any]:
    """The items decoded; an error in one names its key."""
    found: list[Any] = []
    key: str | int = ""
    try:
        for key, item in items:  # noqa: B007 - it is the last one that an error is of
            found.append(decode(item))
    except CodecError as error:
        error.path = (key, *error.path)
        raise
    return found


def _optional(coder: Coder) -> Coder:
    encode, decode = coder.encode, coder.decode
    return Coder(
        encode if coder.is_plain else lambda value: None if value is None else encode(value),
        lambda data: None if data is None else decode(data),
        coder.kinds | {types.NoneType},
        coder.is_plain,
    )


def _told_by_kind(coders: Mapping[type, Coder]) -> Coder:
    by_kind = {kind: coder.decode for coder in coders.values() for kind in coder.kinds}
    expected = " or ".join(member.__name__ for member in coders)

    def decode(data: Any) -> Any:
        if type(data) not in by_kind:
            raise CodecError(expected, data)
        return by_kind[type(data)](data)

    is_plain = all(coder.is_plain for coder in coders.values())
    return Coder(lambda value: _member(coders, value)[1].encode(value), decode, frozenset(by_kind), is_plain)


def _told_by_tag(coders: Mapping[type, Coder]) -> Coder:
    by_tag = {member.__name__: coder.decode for member, coder in coders.items()}
    expected = f"an object with one of the keys {', '.join(by_tag)}"

    def encode(value: Any) -> dict[str, Any]:
        member, coder = _member(coders, value)
        return {member.__name__: coder.encode(value)}

    def decode(data: Any) -> Any:
        if type(data) is not dict or len(data) != 1 or not data.keys() <= by_tag.keys():
            raise CodecError(expected, data)
        ((tag, _),) = data.items()
        return decoded_items(data.items(), by_tag[tag])[0]

    return Coder(encode, decode, frozenset({dict}))


def _member(coders: Mapping[type, Coder], value: object) -> tuple[type, Coder]:
    """The member of a union that a value belongs to: its own type, else the first that it is an instance of."""
    exact = type(value)
    if exact in coders:
        return exact, coders[exact]
    return next((member, coder) for member, coder in coders.items() if isinstance(value, member))


# How records go from process to process and into files.
EXACT = Codec({Unit: UNITS})
