"""Owns what a source is: who tells quantities of a process, how far it is trusted, and when it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.observe.endpoint import PprofEndpoint
from pytest_gomem.observe.quantities import Observed


class Reader(Protocol):
    """A source that was found at one process."""

    def read(self) -> Observed:
        """All that it tells now; raises ObserveError with the reason when it does not."""

    def close(self) -> None:
        """Drop the connection."""


class Target(Protocol):
    """A process, as a source sees it."""

    @property
    def pid(self) -> int | None:
        """Process id; None where only a URL is known."""

    @property
    def no_agent(self) -> str:
        """Why it has no agent."""

    def agent(self) -> AgentClient | None:
        """The agent built into it; None where there is none."""

    def endpoint(self) -> PprofEndpoint:
        """Its pprof endpoint, looked for once; raises ObserveError when there is none."""

    def last_cycle(self) -> int:
        """Number of the last GC cycle that gctrace told; raises ObserveError where there is no gctrace."""

    def url_of(self, source: str) -> str | None:
        """The URL that gomem.yaml names for this source (`expvar`, `metrics`); None where it names none."""

    def bases(self) -> Sequence[str]:
        """`http://HOST:PORT` of each of its ports."""


@dataclass(frozen=True)
class Source:
    """Whoever tells quantities of a process.

    name: as metrics tell it. trust: the source with the lowest goes first where several tell one quantity; the built-in
    ones have those of observe.quantities.TRUST. quantities: what it may tell, names of observe.quantities.QUANTITIES.
    find: looks for it at a process, once; raises ObserveError with the reason where it is not there.
    complete: its reader is an observe.inside.Inside, which tells all of MemStats.
    always: read it also where more trusted sources tell all that it tells; the two are then cross-checked.
    """

    name: str
    trust: int
    quantities: frozenset[str]
    find: Callable[[Target], Reader]
    complete: bool = False
    always: Callable[[Target], bool] = lambda target: False
