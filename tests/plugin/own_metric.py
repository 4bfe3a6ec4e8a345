"""Owns a metric of a user's own, as conftest.py declares it by the hook."""

from __future__ import annotations

CONFTEST = '''
import pytest_gomem as gm


@gm.metric(group="memory", unit=gm.BYTES, better=gm.Better.LOWER, noise=gm.Noise.MODERATE, sources=("statm",))
def rss_kept(window):
    """Resident memory that the window added and did not give back."""
    return gm.Reading(max(0, window.end.rss - window.start.rss), "statm")


def pytest_gomem_metrics():
    return [rss_kept]
'''
