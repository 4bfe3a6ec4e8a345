"""Owns a metric of a user's own, as conftest.py declares it by the hook."""

from __future__ import annotations

CONFTEST = '''
from pytest_gomem.measure.metric import Better, Noise, Reading, metric
from pytest_gomem.quantity import BYTES


@metric(group="memory", unit=BYTES, better=Better.LOWER, noise=Noise.MODERATE, sources=("statm",))
def rss_kept(window):
    """Resident memory that the window added and did not give back."""
    return Reading(max(0, window.end.rss - window.start.rss), "statm")


def pytest_gomem_metrics():
    return [rss_kept]
'''
