"""Owns reading MemStats and the goroutine count out of the text that runtime/pprof prints with debug=1."""

from __future__ import annotations

import math
import re

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.memstats_fields import RING, memstats_record
from pytest_gomem.observe.records import MemStats

_HEADER = "\n# runtime.MemStats\n"
_FIELD = re.compile(r"^# (\w+) = (.*)\n", re.MULTILINE)
_COUNTS = (
    *("TotalAlloc", "Sys", "Mallocs", "Frees", "BuckHashSys", "GCSys", "OtherSys", "NextGC", "NumGC", "NumForcedGC"),
    *("HeapAlloc", "HeapSys", "HeapIdle", "HeapInuse", "HeapReleased", "HeapObjects"),
)
_PAIRS = ("Stack", "MSpan", "MCache")  # of the form `in use / from the system`
_TOTAL = re.compile(r"goroutine profile: total ([0-9]+)\n")


def parse_memstats(text: str, t: float) -> MemStats:
    """MemStats as `/debug/pprof/heap?debug=1` prints them at its end (runtime/pprof writeHeapInternal).

    t: CLOCK_MONOTONIC seconds of the reading. The number of goroutines is not there: parse_goroutine_total() has it.
    Raises ObserveError that says what came instead: a page, a binary profile, a body that was cut off, or a release
    that prints other fields.
    """
    _refuse_other_kinds(text, "heap")
    at = text.rfind(_HEADER)
    if at < 0:
        raise ObserveError("heap?debug=1 ends without '# runtime.MemStats': the body was cut off")
    printed = _Fields(dict(_FIELD.findall(text, at)))
    fields: dict[str, object] = {name: printed.count(name) for name in _COUNTS}
    for name in _PAIRS:
        fields[f"{name}Inuse"], fields[f"{name}Sys"] = printed.pair(name)
    fields["GCCPUFraction"] = printed.fraction("GCCPUFraction")
    fields |= {name: printed.ring(name) for name in ("PauseNs", "PauseEnd")}
    return memstats_record({**fields, "BySize": ()}, t, None)


def parse_goroutine_total(text: str) -> int:
    """How many goroutines `/debug/pprof/goroutine?debug=1` counts; raises ObserveError if the text is another."""
    _refuse_other_kinds(text, "goroutine")
    total = _TOTAL.match(text)
    if total is None:
        raise ObserveError(f"goroutine?debug=1 does not begin with 'goroutine profile: total N': {_beginning(text)}")
    return int(total[1])


def _refuse_other_kinds(text: str, profile: str) -> None:
    if text.startswith("\x1f"):
        raise ObserveError(f"the {profile} profile came in its binary form: it must be asked for with debug=1")
    if text[:256].lstrip().startswith("<"):
        raise ObserveError(
            f"a page came instead of the {profile} profile, net/http/pprof is not there: {_beginning(text)}"
        )
    if not text.startswith(f"{profile} profile: "):
        raise ObserveError(f"this is no {profile} profile of runtime/pprof with debug=1: {_beginning(text)}")


def _beginning(text: str) -> str:
    line = text.lstrip().partition("\n")[0]
    return repr(line[:60]) if line else "an empty body"


class _Fields:
    """The `# Name = value` lines; each method raises ObserveError naming a field that is missing or not as known."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def _text(self, name: str) -> str:
        try:
            return self._texts[name]
        except KeyError:
            raise ObserveError(
                f"heap?debug=1 has no MemStats.{name}: the body was cut off, or this Go release prints other fields"
            ) from None

    def _numbers(self, name: str, texts: list[str], count: int) -> list[int]:
        if len(texts) != count or not all(text.isdecimal() for text in texts):
            raise ObserveError(f"heap?debug=1 prints MemStats.{name} in an unknown form: {self._text(name)[:60]!r}")
        return [int(text) for text in texts]

    def count(self, name: str) -> int:
        """A field of one whole number."""
        return self._numbers(name, [self._text(name)], 1)[0]

    def pair(self, name: str) -> tuple[int, int]:
        """A field of the form `in use / from the system`."""
        inuse, sys = self._numbers(name, self._text(name).split(" / "), 2)
        return inuse, sys

    def ring(self, name: str) -> list[int]:
        """A field of 256 numbers in brackets."""
        return self._numbers(name, self._text(name).strip("[]").split(" "), RING)

    def fraction(self, name: str) -> float:
        """A field of one floating-point number, which must be finite."""
        try:
            value = float(self._text(name))
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ObserveError(f"heap?debug=1 prints MemStats.{name} in an unknown form: {self._text(name)[:60]!r}")
        return value
