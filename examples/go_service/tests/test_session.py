"""Owns tests that share one process: each has a window of its own, and gives back what it took."""

from __future__ import annotations

import pytest


@pytest.fixture
def service(go_service_session):
    """The shared service; what a test leaked is released after its window, so that the next starts from a low floor."""
    yield go_service_session
    go_service_session.post("/release")


@pytest.mark.gomem(live_heap={"min": "50MB", "max": "60MB"})
def test_leak_is_live(service):
    """What the service holds is in the live heap: a budget may be a floor as well as a ceiling."""
    service.get("/leak?bytes=50000000")


@pytest.mark.gomem(live_heap="8MB", peak_rss={"min": "50MB", "max": "90MB"})
def test_spike_is_not_live(service):
    """A spike drives the peak, and leaves nothing alive."""
    service.get("/spike?bytes=50000000&ms=5")


@pytest.mark.gomem(live_heap="8MB", end_rss="40MB")
def test_earlier_tests_leave_nothing(service):
    """Released memory is back with the kernel: a later test is not charged for it."""
    service.load("/idle", requests=100, connections=2)
