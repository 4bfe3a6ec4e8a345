"""Reads MemStats and the goroutine count, from runtime/pprof's debug=1 text and from expvar."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe.records import MemStats, SizeClass

RING = 256  # len(runtime.MemStats.PauseNs)


def memstats_record(fields: Mapping[str, Any], t: float, goroutines: int | None) -> MemStats:
    """The record, read at CLOCK_MONOTONIC `t`; raises KeyError, TypeError or ValueError for wrong fields."""
    return MemStats(
        t=t,
        total_alloc=_count(fields, "TotalAlloc"),
        sys=_count(fields, "Sys"),
        mallocs=_count(fields, "Mallocs"),
        frees=_count(fields, "Frees"),
        heap_alloc=_count(fields, "HeapAlloc"),
        heap_sys=_count(fields, "HeapSys"),
        heap_idle=_count(fields, "HeapIdle"),
        heap_inuse=_count(fields, "HeapInuse"),
        heap_released=_count(fields, "HeapReleased"),
        heap_objects=_count(fields, "HeapObjects"),
        stack_inuse=_count(fields, "StackInuse"),
        stack_sys=_count(fields, "StackSys"),
        mspan_inuse=_count(fields, "MSpanInuse"),
        mspan_sys=_count(fields, "MSpanSys"),
        mcache_inuse=_count(fields, "MCacheInuse"),
        mcache_sys=_count(fields, "MCacheSys"),
        buck_hash_sys=_count(fields, "BuckHashSys"),
        gc_sys=_count(fields, "GCSys"),
        other_sys=_count(fields, "OtherSys"),
        next_gc=_count(fields, "NextGC"),
        num_gc=_count(fields, "NumGC"),
        num_forced_gc=_count(fields, "NumForcedGC"),
        gc_cpu_fraction=float(fields["GCCPUFraction"]),
        pauses=_pauses(_count(fields, "NumGC"), fields["PauseNs"], fields["PauseEnd"]),
        goroutines=goroutines,
        by_size=tuple(
            SizeClass(_count(row, "Size"), _count(row, "Mallocs"), _count(row, "Frees")) for row in fields["BySize"]
        ),
    )


def _count(fields: Mapping[str, Any], name: str) -> int:
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} is {value!r}, not a whole number")
    return value


def _pauses(num_gc: int, lengths: list[int], ends: list[int]) -> tuple[tuple[int, float, float], ...]:
    """The pauses in the rings, nanoseconds: cycle c is at (c + 255) % 256 (runtime.MemStats)."""
    if len(lengths) != RING or len(ends) != RING:
        raise ValueError(f"PauseNs and PauseEnd have {len(lengths)} and {len(ends)} entries, not {RING}")
    cycles = range(max(1, num_gc - RING + 1), num_gc + 1)
    return tuple((c, lengths[(c - 1) % RING] / 1e9, ends[(c - 1) % RING] / 1e9) for c in cycles)


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

    t: CLOCK_MONOTONIC seconds of the reading. The number of goroutines is not in it: see parse_goroutine_total().
    Raises ObserveError with what came instead: a page, a binary profile, a body that was cut off, or other fields.
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
    """How many goroutines `/debug/pprof/goroutine?debug=1` counts; raises ObserveError for another text."""
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
        raise ObserveError(f"this is not a {profile} profile of runtime/pprof with debug=1: {_beginning(text)}")


def _beginning(text: str) -> str:
    line = text.lstrip().partition("\n")[0]
    return repr(line[:60]) if line else "an empty body"


class _Fields:
    """The `# Name = value` lines; each method raises ObserveError for a field that is missing or unknown."""

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


_WHERE = "/debug/vars"


def parse_expvar(text: str, t: float) -> tuple[MemStats, float]:
    """MemStats and the sum of all pauses in seconds; t: CLOCK_MONOTONIC seconds of the reading.

    Raises ObserveError with what came instead.
    """
    try:
        published = json.loads(text)
        fields = published["memstats"]
        pause_total = fields["PauseTotalNs"] / 1e9
        return memstats_record(fields, t, None), pause_total
    except RecursionError:
        raise ObserveError(f"{_WHERE} is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ObserveError(f"{_WHERE} is not JSON: {error.msg} at character {error.pos}") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ObserveError(f"{_WHERE} has no MemStats of package expvar: {type(error).__name__}: {error}") from None
