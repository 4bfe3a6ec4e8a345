"""What the pages of a service told at a window's edges, for the metrics that it publishes itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_gomem.base.unavailable import Unavailable

if TYPE_CHECKING:
    from pytest_gomem.observe.own_page import Published


@dataclass(frozen=True)
class Told:
    """One reading of a page. reads: how often the page had been read by then, this time included."""

    page: Published
    reads: int


@dataclass(frozen=True)
class PageEdges:
    """A page at both edges. in_a_row: readings before the window with no work between them: what they add is ours."""

    start: Told | Unavailable
    end: Told | Unavailable
    in_a_row: tuple[Told, ...] = ()


@dataclass(frozen=True)
class OwnEdges:
    """The metrics of a window that its service publishes, by name, and the edges of the pages that have them."""

    names: tuple[str, ...] = ()
    pages: Mapping[str, PageEdges | Unavailable] = field(default_factory=dict)
