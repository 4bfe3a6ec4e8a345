"""The flight recorder of a service, as gomem.yaml asks for it: an execution trace that is always on."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_gomem.base.units import BYTES, SECONDS
from pytest_gomem.config import json_schema as schema
from pytest_gomem.config.fields import Fields, Located, Mistakes, quantity

_LEAST, _MOST = 1 << 20, 256 << 20  # bytes; Go writes a new part of a trace about every second
_WHEN: schema.Keys = {
    "pause": schema.quantity("A GC cycle stops the world for longer, such as 10ms", SECONDS),
    "latency": schema.quantity("A request of the test takes longer, such as 250ms", SECONDS),
}
TRACE_KEYS: schema.Keys = {
    "flight": schema.quantity("Bytes of the trace that it keeps in its memory, such as 8MiB", BYTES),
    "when": schema.mapping("When what it has is read; without it at the end of each window", _WHEN),
}


@dataclass(frozen=True)
class FlightRecorder:
    """size: bytes of the trace that are kept. pause, latency: seconds above which it is read; None for never.

    With neither it is read when a window closes.
    """

    size: int
    pause: float | None = None
    latency: float | None = None

    @property
    def waits(self) -> bool:
        """Whether it is read for a reason alone."""
        return self.pause is not None or self.latency is not None


def parse_trace(node: Located) -> FlightRecorder:
    """Read `{flight: 8MiB, when: {pause: 10ms}}`. Raises ConfigErrors with every mistake in it."""
    mistakes = Mistakes()
    fields = Fields(node, TRACE_KEYS, mistakes)
    if "flight" not in fields.said:
        mistakes.add(node.error("names no size", "write  trace: {flight: 8MiB}"))
    size = fields.read("flight", _size, _LEAST)
    pause, latency = fields.read("when", _when, (None, None))
    mistakes.raise_all()
    return FlightRecorder(size, pause, latency)


def _size(node: Located) -> int:
    size = round(quantity(BYTES)(node).value)
    if not _LEAST <= size <= _MOST:
        raise node.error("must be from 1MiB to 256MiB")
    return size


def _when(node: Located) -> tuple[float | None, float | None]:
    mistakes = Mistakes()
    fields = Fields(node, _WHEN, mistakes)
    found = fields.read("pause", _seconds, None), fields.read("latency", _seconds, None)
    mistakes.raise_all()
    return found


def _seconds(node: Located) -> float:
    value = quantity(SECONDS)(node).value
    if value < 0:
        raise node.error("must be a time such as 10ms")
    return value
