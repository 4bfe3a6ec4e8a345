"""Gives a closed window and its phases what the pages of its service told at their edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.measure.own_edges import OwnEdges, PageEdges
from pytest_gomem.measure.window import Window


def with_own(window: Window, told: Mapping[str, OwnEdges], lost: Unavailable | None = None) -> Window:
    """The window with these edges. told: of the window as "", of phases by name. lost: why none of its openings count.

    As another program, a process has begun to count anew.
    """
    if not told:
        return window
    told = told if lost is None else {name: _without_openings(own, lost) for name, own in told.items()}
    phases = tuple(
        phase if phase.window is None else replace(phase, window=replace(phase.window, own=told[phase.name]))
        for phase in window.phases
    )
    return replace(window, own=told[""], phases=phases)


def _without_openings(own: OwnEdges, lost: Unavailable) -> OwnEdges:
    pages = {
        page: replace(edges, start=lost) if isinstance(edges, PageEdges) else edges for page, edges in own.pages.items()
    }
    return OwnEdges(own.names, pages)
