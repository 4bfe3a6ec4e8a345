"""An execution trace as its reader tells it, for tests of what becomes of it."""

from __future__ import annotations

from pytest_gomem.tracing.model import (
    BY_HAND,
    HEAP_GOAL,
    Assist,
    AssistLine,
    CauseSum,
    Cycle,
    Frame,
    GoroutineSum,
    Latency,
    Stops,
    TraceReport,
)

CHURN = Frame("main.churn", "/srv/app/main.go", 71)
FLUSH = Frame("main.flush", "/srv/app/store.go", 30)
REPORT = TraceReport(
    "go 1.26",
    12_000,
    2.0,
    cycle_count=10,
    cycles=(Cycle(1, 0.1, 0.004, HEAP_GOAL), Cycle(2, 0.2, 0.005, BY_HAND, FLUSH)),
    causes=(CauseSum(HEAP_GOAL, 7, 0.03, 0.005), CauseSum(BY_HAND, 3, 0.02, 0.008)),
    stops=(
        Stops("GC mark termination", 10, 0.004, 0.002, 1.5),
        Stops("GC sweep termination", 10, 0.001, 0.0003, 0.7),
    ),
    assist_count=40,
    assist_seconds=0.2,
    assists=(Assist(1.1015, 0.0425, 34, CHURN, CHURN, 7, 0.0015, HEAP_GOAL),),
    lines=(AssistLine(CHURN, 30, 0.15, 0.0425), AssistLine(None, 10, 0.05, 0.01)),
    goroutines=(GoroutineSum(34, "main.churn", 30, 0.15, 0.0425, 1.2, 0.3, 0.012),),
    latency=Latency(900, 0.00002, 0.003, 0.012, 0.25),
    heap_goal=8 << 20,
    heap_in_use=7 << 20,
)
