"""Owns which source tells a quantity of a window: the most trusted one that has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.measure.sources import joined, memstats
from pytest_gomem.measure.window import MemStatsPair, Missing, SourceEdges, Window
from pytest_gomem.observe.records import TRUST, Observed, quantities_of


@dataclass(frozen=True)
class Told:
    """A quantity of the window. by: who told it, as in "by the agent". cost: what our own readings added to it."""

    value: float
    by: str
    cost: float = 0.0


def by(source: str) -> str:
    """Who told it, in words."""
    return "by the agent" if source == "agent" else f"by {source}"


def edges_of(window: Window) -> list[SourceEdges]:
    """Every source of the window with what it told at both edges, the most trusted first."""
    edges = list(window.sources)
    if not isinstance(window.memstats, Missing):
        edges.append(_edges_of_memstats(memstats(window)))
    return sorted(edges, key=lambda edge: edge.trust)


def _edges_of_memstats(pair: MemStatsPair) -> SourceEdges:
    start, end = (Observed(stats.t, quantities_of(stats)) for stats in (pair.start, pair.end))
    cost = {
        "total_alloc": pair.read_bytes * pair.readings + pair.own_bytes,
        "mallocs": pair.read_objects * pair.readings + pair.own_objects,
    }
    return SourceEdges(pair.reader, TRUST.get(pair.reader, 0), start, end, cost)


def told_at_close(window: Window, *names: str) -> Told:
    """The sum of these quantities at the close, by one source that tells them all; raises ObserveError."""
    for edges in edges_of(window):
        if not isinstance(edges.end, Missing) and all(name in edges.end.quantities for name in names):
            return Told(sum(edges.end.quantities[name] for name in names), by(edges.source))
    raise ObserveError(_nobody(window))


def told_between(window: Window, name: str) -> Told:
    """By how much a counter grew in the window, what its readings cost still in it; raises ObserveError."""
    for edges in edges_of(window):
        start, end = edges.start, edges.end
        if isinstance(start, Missing) or isinstance(end, Missing):
            continue
        if name in start.quantities and name in end.quantities:
            grown = end.quantities[name] - start.quantities[name]
            if grown < 0:
                raise ObserveError(f"{name} {by(edges.source)} ran backwards: another process answered at the close")
            return Told(grown, by(edges.source), edges.cost.get(name, 0.0))
    raise ObserveError(_nobody(window))


def _nobody(window: Window) -> str:
    return joined(*dict.fromkeys(_reasons(window))) or "no source tells it"


def _reasons(window: Window) -> Iterator[str]:
    if isinstance(window.memstats, Missing):
        yield window.memstats.reason
    for edges in window.sources:
        yield from (edge.reason for edge in (edges.start, edges.end) if isinstance(edge, Missing))
