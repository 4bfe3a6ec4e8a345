"""Owns one memory, held by a limit, by collections by hand, and by both: what each holds, and what it costs."""

from __future__ import annotations

import pytest


@pytest.mark.gomem_gc(gogc="off", gomemlimit=["off", "160MiB"], manual_gc=["off", "100MB"])
def test_live_heap_and_garbage(go_service):
    """50 MB live, then 1.2 GB of garbage: room for 100 MB of it, by the one policy or by the other."""
    go_service.get("/logs/leaky?lines=40000")
    go_service.load("/logs/batched", requests=1000, connections=4)
