"""The memory limit that a service runs under, as gomem.yaml, launch() and markers say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.units import BYTES
from pytest_gomem.config import json_schema as schema
from pytest_gomem.config.fields import Fields, Located, Mistakes, quantity
from pytest_gomem.config.gc_settings import GcSettings, Share, go_bytes

MEMORY_LIMIT = "memory_limit"
LEAST = 4 << 20  # bytes: below, no Go program comes to its own first line

Mode = Literal["auto", "cgroup", "simulated"]
_MODES: tuple[Mode, ...] = ("auto", "cgroup", "simulated")
_KEYS: schema.Keys = {
    "max": schema.quantity("The limit, such as 256MiB", BYTES),
    "mode": {"description": "How it is set: auto and cgroup by the kernel", "enum": list(_MODES)},
}
SCHEMA: schema.Schema = {
    "description": "The memory that it may use, as in production",
    "anyOf": [
        {"const": "off"},
        *schema.quantity("", BYTES)["anyOf"],
        schema.mapping("", _KEYS, type="object", required=["max"]),
    ],
}


@dataclass(frozen=True)
class MemoryLimitSettings:
    """max: bytes. mode: auto and cgroup let the kernel hold the limit, simulated lets the supervisor watch it."""

    max: int
    mode: Mode = "auto"

    def __str__(self) -> str:
        return f"{go_bytes(self.max)}{', simulated' if self.mode == 'simulated' else ''}"


LimitChoice = MemoryLimitSettings | Literal["off"]


def parse_memory_limit(node: Located) -> LimitChoice:
    """Read "256MiB", "off" or {max: 256MiB, mode: cgroup}; raises ConfigError(s)."""
    if isinstance(node.value, MemoryLimitSettings):
        return node.value
    if node.value == "off":
        return "off"
    if not isinstance(node.value, Mapping):
        return MemoryLimitSettings(_max(node))
    mistakes = Mistakes()
    fields = Fields(node, _KEYS, mistakes)
    if "max" not in fields.said:
        mistakes.add(node.error("names no limit", "write  memory_limit: 256MiB  or  memory_limit: {max: 256MiB, ...}"))
    limit = MemoryLimitSettings(fields.read("max", _max, LEAST), fields.read("mode", _mode, "auto"))
    mistakes.raise_all()
    return limit


def laid_over(over: LimitChoice | None, under: LimitChoice | None) -> LimitChoice | None:
    """The upper choice, if one is said; what says a size alone keeps the mode below it."""
    if over is None:
        return under
    if isinstance(over, MemoryLimitSettings) and isinstance(under, MemoryLimitSettings) and over.mode == "auto":
        return replace(over, mode=under.mode)
    return over


def chosen(config: MemoryLimitSettings | None, over: LimitChoice | None) -> MemoryLimitSettings | None:
    """The limit of a service with what a test lays over it; None for no limit."""
    limit = laid_over(over, config)
    return None if limit == "off" else limit


def resolved(gc: GcSettings, limit: MemoryLimitSettings | None, place: Place) -> GcSettings:
    """The settings with a share of the memory limit as bytes; raises ConfigError if there is no limit."""
    share = gc.gomemlimit
    if not isinstance(share, Share):
        return gc
    if limit is None:
        hint = "add  memory_limit: 256MiB  to the service, or give gomemlimit in bytes"
        raise ConfigError(f"gomemlimit {share} is a share of the memory limit, and there is none", place, hint)
    return replace(gc, gomemlimit=share.of(limit.max))


def _max(node: Located) -> int:
    size = round(quantity(BYTES)(node).value)
    if size < LEAST:
        hint = 'write a size such as "256MiB"'
        raise node.error(f"{node.shown} is below 4MiB: no Go program starts within that", hint)
    return size


def _mode(node: Located) -> Mode:
    for mode in _MODES:
        if node.value == mode:
            return mode
    raise node.error(f"expected one of {', '.join(_MODES)}, not {node.shown}")
