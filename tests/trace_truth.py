"""Holds what the reader says of a trace of tests/recordings/traced against what that program knows."""

from __future__ import annotations

from typing import Any

from pytest_gomem.tracing.model import TraceReport


def wrong(report: TraceReport, truth: dict[str, Any]) -> list[str]:
    """What the reader says otherwise than the program does."""
    causes = {one.cause: one.count for one in report.causes}
    said = [f"cycles begin by {causes}"] if causes != truth["causes"] else []
    stops = {one.reason: one.count for one in report.stops}
    said += [f"{reason} x{stops.get(reason, 0)}" for reason, n in truth["stops"].items() if stops.get(reason) != n]
    cycles = sum(truth["causes"].values())
    least = {reason: stops.get(reason, 0) for reason in ("GC sweep termination", "GC mark termination")}
    said += [f"{reason} x{n}, of {cycles} cycles" for reason, n in least.items() if n < cycles]
    frames = [line.frame for line in report.lines if line.frame]
    if ("main.allocate", truth["line"]) not in [(frame.function, frame.line) for frame in frames]:
        said.append(f"assists are at {frames}")
    if not report.goroutines or report.goroutines[0].function != "main.main":
        said.append("goroutine 1 does not assist most")
    for one in report.assists:
        cycle = None if one.cycle is None else report.cycles[one.cycle - 1]
        if cycle is None or one.after is None or one.after < 0 or one.cause != cycle.cause:
            said.append(f"an assist belongs to no cycle: {one}")
    if report.latency is None or report.heap_goal is None or report.heap_in_use is None:
        said.append("figures are left out")
    return [*said, *report.problems]
