"""Owns windows opened by hand: several services in one test, figures compared with each other."""

from __future__ import annotations


def test_low_gogc_trades_cpu_for_memory(gomem):
    """The same work under GOGC=25 collects more often than under GOGC=400."""
    cycles = {}
    for gogc in (25, 400):
        with gomem.launch("api", gogc=gogc) as svc, gomem.measure(svc, name=f"gogc={gogc}") as m:
            svc.load("/logs/batched", requests=100, connections=4)
        cycles[gogc] = m["gc_cycles"]
    assert cycles[25] > cycles[400]
