"""Owns an execution trace of a busy service: why each collection began, and which lines were made to help it."""

from __future__ import annotations

import pytest

from pytest_gomem import ToolchainError


def test_assists(gomem):
    """Whoever allocates while a collection runs may have to mark first: that is the spike, and it has a line."""
    with gomem.launch("api") as svc:
        svc.get("/logs/leaky?lines=40000")
        with svc.trace() as trace:
            svc.load("/logs/batched", requests=400, connections=4)
    try:
        found = trace.report
    except ToolchainError as error:  # a Go, or a proxy of modules, that cannot build the reader
        pytest.skip(str(error))
    assert found.cycles
    assert all(cycle.cause == "heap goal" for cycle in found.cycles if not cycle.began_before)
    total = 1e3 * found.assist_seconds
    print(
        f"\n{found.cycle_count} collections, all for their heap goal; {found.assist_count} mark assists, {total:.1f} ms"
    )
    for assist in found.assists[:3]:
        where = f"{assist.frame.function} {assist.frame.file}:{assist.frame.line}" if assist.frame else "no stack"
        after = "" if assist.after is None else f", {1e3 * assist.after:.2f} ms after cycle {assist.cycle} began"
        print(f"  {1e3 * assist.duration:.2f} ms in {where}{after}")
