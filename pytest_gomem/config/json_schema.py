"""The words in which a key of gomem.yaml says what it takes, as JSON Schema: for editors, and to check files with.

A table of keys holds one schema for each. The readers take the names of the table, so no key can be known to one alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_gomem.base.units import RATIO, Unit

Schema = dict[str, Any]
Keys = Mapping[str, Schema]

_NUMBER = r"[0-9]+(_[0-9]+)*(\.[0-9]+)?([eE][+-]?[0-9]+)?"
_TIMES = {"second": "(s|min|h|d)", "op": "op"}
TEXT: Schema = {"type": ["string", "number", "boolean"]}  # numbers and booleans keep their spelling where text is meant


def text(doc: str) -> Schema:
    """Text; a key with nothing after it is a mistake."""
    return {"description": doc, **TEXT}


def filled(doc: str, pattern: str = r"\S") -> Schema:
    """Text of at least one character, or of this pattern."""
    return {**text(doc), "pattern": pattern}


def flag(doc: str) -> Schema:
    """True or false."""
    return {"description": doc, "type": "boolean"}


def whole(doc: str, minimum: int, maximum: int | None = None) -> Schema:
    """A whole number."""
    return {"description": doc, "type": "integer", "minimum": minimum} | ({"maximum": maximum} if maximum else {})


def items(doc: str, item: Schema) -> Schema:
    """A list."""
    return {"description": doc, "type": "array", "items": item}


def texts(doc: str) -> Schema:
    """A list of texts."""
    return items(doc, TEXT)


def mapping(doc: str, keys: Keys, **more: Any) -> Schema:
    """A mapping of these keys and no others; one with nothing after it is an empty one."""
    closed = {"type": ["object", "null"], "properties": dict(keys), "additionalProperties": False}
    return {"description": doc, **closed, **more}


def named(doc: str, member: Schema, name: str = ".", **more: Any) -> Schema:
    """A mapping of names of the user's choice, each of which matches the pattern `name`."""
    opened = {"type": ["object", "null"], "propertyNames": {"pattern": name}, "additionalProperties": member}
    return {"description": doc, **opened, **more}


def quantity(doc: str, unit: Unit, before: str = "") -> Schema:
    """A quantity; before: the pattern of what may stand before the number."""
    suffixes = "|".join(sorted(unit.suffixes, key=len, reverse=True))
    per = rf"(/\s*{_TIMES[unit.per]}\s*)?" if unit.per else ""
    pattern = rf"^\s*{before}{_NUMBER}\s*({suffixes})?\s*{per}$"
    return {"description": doc, "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": pattern}]}


def or_word(word: str, schema: Schema) -> Schema:
    """The schema, or this word alone."""
    return {**schema, "anyOf": [*schema["anyOf"], {"const": word}]}


def one_of(keys: Iterable[str]) -> Schema:
    """Exactly one of these keys must be said."""
    return {"oneOf": [{"required": [key]} for key in keys]}


def limit(unit: Unit, keys: Keys | None = None) -> Schema:
    """A limit of a metric: "64MiB", ">= 24h", or a mapping of max, min, warn and regression, and `keys` beside them."""
    plain = quantity("", unit, r"([<>]=)?\s*")["anyOf"]
    mapped = {
        **(keys or {}),
        **{key: quantity(doc, RATIO if key == "regression" else unit) for key, doc in LIMITS.items()},
    }
    some = [{"required": [key]} for key in LIMITS]
    return {
        "anyOf": [
            *plain,
            {"type": "object", "properties": mapped, "additionalProperties": False, "anyOf": some},
        ]
    }


LIMITS = {
    "max": "The highest value that passes",
    "min": "The lowest value that passes",
    "warn": "A level before max (before min if that is the only limit): reported, never failing",
    "regression": "The largest relative worsening against a baseline, such as 2%",
}
