"""Reads the trace of a program and names its files as those of culprits are named: relative to the module."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.retention.places import Places
from pytest_gomem.tracing.model import Frame, TraceReport

_MOST_CYCLES, _MOST = 200, 20


def read_named(path: Path, module: GoModule) -> TraceReport:
    """What the trace says. module: that the program was built from. Raises ObserveError, ToolchainError."""
    from pytest_gomem.tracing.read import read_trace

    return with_short_files(read_trace(path, module=module.path), module)


def told(found: TraceReport, module: GoModule) -> TraceReport:
    """As much of it as reports keep, with short names of files."""
    kept = replace(
        found,
        cycles=found.cycles[:_MOST_CYCLES],
        assists=found.assists[:_MOST],
        lines=found.lines[:_MOST],
        goroutines=found.goroutines[:_MOST],
        lines_left_out=found.lines_left_out + max(len(found.lines) - _MOST, 0),
        goroutines_left_out=found.goroutines_left_out + max(len(found.goroutines) - _MOST, 0),
    )
    return with_short_files(kept, module)


def with_short_files(found: TraceReport, module: GoModule) -> TraceReport:
    """The same with short names of files."""
    places = Places(module, ((frame.function, frame.file) for frame in _frames(found)))

    def short(frame: Frame | None) -> Frame | None:
        return frame and replace(frame, file=places.short(frame.function, frame.file))

    return replace(
        found,
        cycles=tuple(replace(one, by=short(one.by)) for one in found.cycles),
        assists=tuple(replace(one, leaf=short(one.leaf), frame=short(one.frame)) for one in found.assists),
        lines=tuple(replace(one, frame=short(one.frame)) for one in found.lines),
    )


def _frames(found: TraceReport) -> Iterator[Frame]:
    every = [one.by for one in found.cycles]
    every += [frame for one in found.assists for frame in (one.leaf, one.frame)]
    yield from (frame for frame in (*every, *(one.frame for one in found.lines)) if frame is not None)
