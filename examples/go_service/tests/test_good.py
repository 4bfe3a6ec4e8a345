"""Owns the mended versions: each keeps the budgets that its twin in test_bad.py breaks."""

from __future__ import annotations

import pytest
from budgets import BODY, encode, trend, upload


def test_logs(go_service):
    """Log lines that are let go of in batches leave a flat heap."""
    go_service.load("/logs/batched", requests=200, connections=4)


def test_buffers(go_service):
    """Buffers that are put back serve the next request, and the goroutines end."""
    go_service.load("/buffers/pooled", requests=100, connections=4)


@upload
def test_upload(go_service):
    """A streamed body costs one pooled buffer, however large it is."""
    go_service.load("/upload/stream", requests=100, connections=4, method="POST", body=BODY)


@encode
def test_encode_pool(go_service):
    """A pooled buffer has its size from the second request on."""
    go_service.load("/encode/pool", requests=500, connections=4)


@encode
def test_encode_unsafe(go_service):
    """Reading the samples' own memory as bytes allocates nothing."""
    go_service.load("/encode/unsafe", requests=500, connections=4)


@trend
def test_trend(go_service):
    """The same lines, let go of: no growth can be told."""
    for _ in go_service.cycles(12):
        go_service.load("/logs/batched?lines=100", requests=10)


@pytest.mark.gomem(live_heap="4MB", peak_rss="25MB", alloc_bytes_per_op="10kB")
def test_idle(go_service):
    """A request that does nothing costs what net/http costs."""
    go_service.load("/idle", requests=500, connections=4)
