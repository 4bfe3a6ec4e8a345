"""The GC settings a service is launched under; settings that Go would misread are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.units import BYTES
from pytest_gomem.config import json_schema as schema
from pytest_gomem.config.fields import Fields, Located, Mistakes, flag, located, members, quantity, whole

Off = Literal["off"]
DEFAULT_GOMAXPROCS = 2

# The shell's values of these never reach a service: a figure must not depend on who runs the tests.
PINNED = ("GOGC", "GOMEMLIMIT", "GODEBUG", "GOMAXPROCS")

_INT32 = 2**31 - 1
_INT64 = 2**63 - 1
_LEAST_BY_HAND = 1_000_000  # bytes: an empty service allocates about as much in a second of being looked at
_GO_BYTES = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
GC_KEYS: schema.Keys = {
    "gogc": {
        "description": "GOGC: a percentage of at least 1, or off",
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": _INT32},
            {"type": "string", "pattern": r"^(off|\+?[0-9]{1,20})$"},
        ],
    },
    "gomemlimit": {
        "description": "GOMEMLIMIT: a whole number of B, KiB, MiB, GiB or TiB, a share of memory_limit, or off",
        "anyOf": [
            {"type": "integer", "minimum": 1},
            {"type": "string", "pattern": r"^(off|[0-9]{1,20}(B|KiB|MiB|GiB|TiB)?|(100|[0-9]{1,2})(\.[0-9]+)?%)$"},
        ],
    },
    "gomaxprocs": schema.whole("GOMAXPROCS", 1, _INT32),
    "godebug": {
        "description": "GODEBUG: a mapping, or text such as a=1,b=2",
        "anyOf": [
            {"type": "string"},
            schema.named("", {"type": ["integer", "string"]}, "^[A-Za-z0-9_.]+$"),
        ],
    },
    "manual_gc": schema.or_word(
        "off", schema.quantity("By the agent: runtime.GC() after each so many allocated bytes, from 1MB on", BYTES)
    ),
    "unbounded": schema.flag("Allows gogc: off without a memory limit"),
}


@dataclass(frozen=True)
class Share:
    """A share of the memory limit that the service runs under, percent, above 0 and at most 100."""

    percent: float

    def __str__(self) -> str:
        return f"{self.percent:g}%"

    def of(self, limit: int) -> int:
        """Bytes, in whole KiB."""
        return int(limit * self.percent / 100) // 1024 * 1024


@dataclass(frozen=True)
class GcSettings:
    """Requested settings; None means "not said here".

    gogc: percent (> 0) or "off". gomemlimit: bytes (> 0), or "off"; until the launch also a share of the memory limit.
    gomaxprocs: processors (>= 1). godebug: GODEBUG key -> value. manual_gc: bytes allocated from one runtime.GC() by
    hand to the next, or "off". unbounded: allow gogc "off" without a memory limit.
    """

    gogc: int | Off | None = None
    gomemlimit: int | Share | Off | None = None
    gomaxprocs: int | None = None
    godebug: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    manual_gc: int | Off | None = None
    unbounded: bool = False


def parse_gc(values: Mapping[str, object], place: Place) -> GcSettings:
    """Read settings from a YAML section, marker or keyword arguments; each value is checked by itself.

    Raises ConfigErrors with all unknown keys, and all values that Go would refuse or misread.
    """
    mistakes = Mistakes()
    fields = Fields(located(values, place), GC_KEYS, mistakes)
    settings = GcSettings(
        gogc=fields.read("gogc", _gogc, None),
        gomemlimit=fields.read("gomemlimit", _gomemlimit, None),
        gomaxprocs=fields.read("gomaxprocs", whole(1, _INT32), None),
        godebug=MappingProxyType(fields.read("godebug", _godebug, {})),
        manual_gc=fields.read("manual_gc", _manual_gc, None),
        unbounded=fields.read("unbounded", flag, False),
    )
    mistakes.raise_all()
    return settings


def merged(base: GcSettings, over: GcSettings) -> GcSettings:
    """`base` with the settings of `over` on top; godebug is merged key by key."""
    return GcSettings(
        gogc=base.gogc if over.gogc is None else over.gogc,
        gomemlimit=base.gomemlimit if over.gomemlimit is None else over.gomemlimit,
        gomaxprocs=base.gomaxprocs if over.gomaxprocs is None else over.gomaxprocs,
        godebug=MappingProxyType({**base.godebug, **over.godebug}),
        manual_gc=base.manual_gc if over.manual_gc is None else over.manual_gc,
        unbounded=base.unbounded or over.unbounded,
    )


def refusal(settings: GcSettings) -> str:
    """Why these final, merged settings must not be launched together; "" if they may."""
    never = settings.gogc == "off" and {settings.gomemlimit, settings.manual_gc} <= {None, "off"}
    if never and not settings.unbounded:
        return "gogc off without a memory limit never collects: the heap would grow until the machine is out of memory"
    return ""


def check(settings: GcSettings, place: Place) -> None:
    """Raise ConfigError if the final, merged settings must not be launched together."""
    if reason := refusal(settings):
        raise ConfigError(reason, place, "give a gomemlimit, or unbounded: true if that is what you want")


def check_agent(settings: GcSettings, no_agent: str, place: Place) -> None:
    """Raise ConfigError if the settings need the agent; no_agent: why there is none, "" if there is."""
    if no_agent and isinstance(settings.manual_gc, int):
        hint = "let it be built here, with  build: PACKAGE, or leave manual_gc out"
        raise ConfigError(f"manual_gc needs the agent in the service: {no_agent}", place, hint)


def check_env(env: Mapping[str, object], place: Place) -> None:
    """Raise ConfigError if a service's environment sets a variable that belongs to the GC settings."""
    for name in PINNED:
        if name in env:
            raise ConfigError(f"{name} cannot be set through env", place, f"write  gc: {{{name.lower()}: ...}}")


def environment(settings: GcSettings, profile_rate: int | None, gctrace: bool) -> dict[str, str]:
    """The PINNED variables of a launch. The service's environment must have no others of them.

    profile_rate: bytes per heap profile sample (GODEBUG memprofilerate). A GODEBUG key of the settings wins over ours.
    """
    ours = {"memprofilerate": str(profile_rate)} if profile_rate is not None else {}
    if gctrace:
        ours["gctrace"] = "1"
    debug = godebug_text({**ours, **settings.godebug})
    requested = described(settings) | {"godebug": debug}
    return {name: requested[name.lower()] for name in PINNED if requested.get(name.lower())}


def described(settings: GcSettings) -> dict[str, str]:
    """The requested settings as Go spells them; only those that were set, and the pinned gomaxprocs."""
    limit = settings.gomemlimit
    said = {
        "gogc": str(settings.gogc or ""),
        "gomemlimit": go_bytes(limit) if isinstance(limit, int) else str(limit or ""),
        "gomaxprocs": str(settings.gomaxprocs or DEFAULT_GOMAXPROCS),
        "godebug": godebug_text(settings.godebug),
        "manual_gc": bytes_text(settings.manual_gc) if isinstance(settings.manual_gc, int) else settings.manual_gc,
    }
    return {key: value for key, value in said.items() if value}


def godebug_text(godebug: Mapping[str, str]) -> str:
    """A GODEBUG value: a=1,b=2."""
    return ",".join(f"{key}={value}" for key, value in godebug.items())


def go_bytes(size: int) -> str:
    """Bytes as GOMEMLIMIT writes them, in the largest unit that leaves no fraction: 134217728 is 128MiB."""
    unit = next(unit for unit in ("TiB", "GiB", "MiB", "KiB", "B") if size % _GO_BYTES[unit] == 0)
    return f"{size // _GO_BYTES[unit]}{unit}"


def bytes_text(size: int) -> str:
    """Bytes in the unit that makes the shortest text without a fraction: 100MB, 96MiB."""
    units = {unit: int(factor) for unit, factor in BYTES.suffixes.items()}
    return min((f"{size // factor}{unit}" for unit, factor in units.items() if size % factor == 0), key=len)


def _gogc(node: Located) -> int | Off:
    """GOGC as runtime/mgcpacer.go readGOGC takes it: "off" or a 32-bit integer; it reads all else as 100."""
    if node.value == "off":
        return "off"
    hint = 'write a whole percentage of at least 1, or "off"'
    if re.fullmatch(r"[-+]?[0-9]{1,20}", node.written) is None or int(node.written) > _INT32:
        raise node.error(f"{node.shown} is not a GOGC: Go would silently use the default, 100", hint)
    percent = int(node.written)
    if percent < 0:
        raise node.error(f"Go takes a negative GOGC, {percent}, as off", 'write "off"')
    if percent == 0:
        raise node.error("GOGC=0 leaves no room above the live heap: Go would collect without end", hint)
    return percent


def _gomemlimit(node: Located) -> int | Share | Off:
    """GOMEMLIMIT as runtime/string.go parseByteCount takes it; a malformed one aborts the program at its start."""
    if node.value == "off":
        return "off"
    if (share := re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]+)?)%", node.written)) is not None:
        return _share(node, float(share[1]))
    hint = 'write a limit such as "512MiB", or "off" for none'
    match = re.fullmatch(r"([0-9]{1,20})(B|KiB|MiB|GiB|TiB)?", node.written)
    if match is None:
        message = f"{node.shown} is not a GOMEMLIMIT: Go knows only whole numbers of B, KiB, MiB, GiB and TiB"
        raise node.error(message, hint)
    size = int(match[1]) * _GO_BYTES[match[2] or ""]
    if size == 0:
        raise node.error("GOMEMLIMIT=0 does not mean no limit: it makes Go collect without end", hint)
    if size > _INT64:
        raise node.error(f"{node.shown} is beyond the greatest GOMEMLIMIT, 2^63-1 bytes", hint)
    return size


def _share(node: Located, percent: float) -> Share:
    if percent == 0:
        raise node.error("GOMEMLIMIT=0 does not mean no limit: it makes Go collect without end", 'write "off" for none')
    if percent > 100:
        message = f"{node.shown} of the memory limit leaves no room for what the runtime does not count"
        raise node.error(message, 'write a share such as "90%": the text of the program and cgo are not counted')
    return Share(percent)


def _manual_gc(node: Located) -> int | Off:
    if node.value == "off":
        return "off"
    size = quantity(BYTES)(node).value
    if size < _LEAST_BY_HAND:
        message = f"{node.written} leaves a service no time between two collections"
        raise node.error(message, "write 1MB or more, or off")
    return int(size)


def _godebug(node: Located) -> dict[str, str]:
    """A mapping, or text such as a=1,b=2, as in GODEBUG itself."""
    if isinstance(node.value, str):
        return _godebug_pairs(node)
    mistakes, found = Mistakes(), {}
    for key, member in members(node).items():
        with mistakes.kept():
            found[key] = _godebug_value(key, member)
    mistakes.raise_all()
    return found


def _godebug_pairs(node: Located) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in filter(None, node.written.split(",")):
        key, _, value = pair.partition("=")
        if key in found:
            raise node.error(f"'{key}' is given twice")
        found[key] = _godebug_value(key, Located(value, node.place, value))
    return found


def _godebug_value(key: str, node: Located) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.]+", key):
        raise node.error(f"'{key}' is not a GODEBUG key")
    # Go's parser silently skips what it cannot read: true, 1.0 or a value with a comma would have no effect.
    if isinstance(node.value, bool) or not isinstance(node.value, (int, str)):
        raise node.error(f"expected a whole number or a word, not {node.shown}", "GODEBUG switches are 0 and 1")
    if not re.fullmatch(r"[^\s,]+", str(node.value)):
        raise node.error(f"{node.shown} is not a GODEBUG value")
    return str(node.value)
