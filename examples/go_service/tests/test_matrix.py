"""Owns one test under several GC settings; off x off, a heap without any bound, is left out."""

from __future__ import annotations

import pytest


@pytest.mark.gomem_gc(gogc=[25, 100, "off"], gomemlimit=["off", "128MiB"])
@pytest.mark.gomem(peak_rss="170MB", live_heap="8MB")
def test_batched_logs(go_service):
    """Whatever the settings, a flat heap stays flat and within the memory limit plus what the limit does not cover."""
    go_service.load("/logs/batched", requests=200, connections=4)
