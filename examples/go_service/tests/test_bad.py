"""Owns the versions to learn from: every test here breaks its budgets, on purpose. `demo.py` expects just that."""

from __future__ import annotations

from budgets import BODY, encode, trend, upload


def test_logs(go_service):
    """Log lines kept for ever: the live heap is all that was ever logged."""
    go_service.load("/logs/leaky", requests=200, connections=4)


def test_buffers(go_service):
    """Goroutines that never end keep 1 MB of buffers each."""
    go_service.load("/buffers/leaky", requests=100, connections=4)


@upload
def test_upload(go_service):
    """A body read whole costs more than twice its size in allocations."""
    go_service.load("/upload/readall", requests=100, connections=4, method="POST", body=BODY)


@encode
def test_encode_fresh(go_service):
    """A slice grown from nothing throws away one array after another."""
    go_service.load("/encode/fresh", requests=500, connections=4)


@trend
def test_trend(go_service):
    """What each request keeps says when the memory is full, long before it is."""
    for _ in go_service.cycles(12):
        go_service.load("/logs/leaky?lines=100", requests=10)


def test_container(gomem):
    """In a container of 96 MiB the kernel ends it; `simulated` does so anywhere, without the right to make cgroups."""
    limit = {"max": "96MiB", "mode": "simulated"}
    with gomem.launch("api", memory_limit=limit) as svc, gomem.measure(svc):
        svc.load("/logs/leaky", requests=200, connections=4)
