"""What a heap dump of a service may take, as gomem.yaml says it."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_gomem.base.units import BYTES, COUNT
from pytest_gomem.config import json_schema as schema
from pytest_gomem.config.fields import Fields, Located, Mistakes, quantity

DUMP_KEYS: schema.Keys = {
    "max_dump": schema.quantity("Bytes of the file at most, such as 2GB", BYTES),
    "max_objects": schema.quantity("Live objects at most, such as 8M", COUNT),
}


@dataclass(frozen=True)
class DumpLimits:
    """max_dump: bytes of the file. max_objects: live objects, which decide how long the service stands still."""

    max_dump: int = 2_000_000_000
    max_objects: int = 8_000_000


DEFAULT_LIMITS = DumpLimits()


def parse_dump_limits(node: Located) -> DumpLimits:
    """Read `{max_dump: 2GB, max_objects: 8M}`. Raises ConfigErrors with every mistake in it."""
    mistakes = Mistakes()
    fields = Fields(node, DUMP_KEYS, mistakes)
    limits = DumpLimits(
        max_dump=fields.read("max_dump", lambda size: round(quantity(BYTES)(size).value), DEFAULT_LIMITS.max_dump),
        max_objects=fields.read(
            "max_objects", lambda count: round(quantity(COUNT)(count).value), DEFAULT_LIMITS.max_objects
        ),
    )
    mistakes.raise_all()
    return limits
