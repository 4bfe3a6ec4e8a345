"""The JSON Schema of records in their public form, made from their type hints and rules."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from enum import Enum
from types import NoneType
from typing import Any, get_args, get_origin

from pytest_gomem.results.codec import fields_of, members_of
from pytest_gomem.results.public import FACT, PublicCodec

Schema = dict[str, Any]
_LEAVES: Mapping[Any, Schema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": ["number", "null"]},  # null is what is not finite
    date: {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    FACT: {"type": ["string", "number", "null"]},
}


def json_schema(codec: PublicCodec, record: type) -> Schema:
    """The schema (draft 2020-12) of a record as the codec writes it, with a definition for each record in it."""
    return _Schemas(codec).whole(record)


class _Schemas:
    def __init__(self, codec: PublicCodec) -> None:
        self._codec = codec
        self._definitions: dict[str, Schema] = {}

    def whole(self, record: type) -> Schema:
        top = self._object(record)
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **top, "$defs": self._definitions}

    def _object(self, record: type) -> Schema:
        rules = self._codec.rules(record)
        properties = {}
        for name, (hint, _) in self._codec.shown(record).items():
            schema = self._of(hint)
            properties[name] = {**(_or_null(schema) if name in rules.null else schema), **rules.about(name)}
        return {
            "type": "object",
            **rules.about(""),
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }

    def _of(self, hint: Any) -> Schema:
        arguments = get_args(hint)
        if hint in _LEAVES:
            return _LEAVES[hint]
        if members_of(hint):
            (member,) = (each for each in arguments if each is not NoneType)
            return _or_null(self._of(member))
        if get_origin(hint) in (tuple, Sequence):
            return self._of_several(hint, arguments)
        if get_origin(hint) is Mapping:
            return {"type": "object", "additionalProperties": self._of(arguments[1])}
        if issubclass(hint, Enum):
            return {"enum": [member.value for member in hint]}
        return self._reference(hint)

    def _of_several(self, hint: Any, arguments: Sequence[Any]) -> Schema:
        items = self._of(arguments[0])
        if fields_of(arguments[0]) and self._codec.rules(arguments[0]).key:
            return {"type": "object", "additionalProperties": items}
        if get_origin(hint) is Sequence or arguments[-1] is Ellipsis:
            return {"type": "array", "items": items}
        return {"type": "array", "items": items, "minItems": len(arguments), "maxItems": len(arguments)}

    def _reference(self, record: type) -> Schema:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", record.__name__.removesuffix("Record")).lower()
        if name not in self._definitions:
            self._definitions[name] = {}  # a record may hold records of its own type
            self._definitions[name] = self._object(record)
        return {"$ref": f"#/$defs/{name}"}


def _or_null(schema: Schema) -> Schema:
    if "type" not in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return {**schema, "type": [*kinds, *({"null"} - set(kinds))]}
