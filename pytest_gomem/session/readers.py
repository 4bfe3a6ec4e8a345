"""The sources of one process: each is searched once, and read at a window's edges if it is of use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from pytest_gomem.base.clock import Deadline, Silence
from pytest_gomem.base.errors import NoSource, ObserveError
from pytest_gomem.base.unavailable import Unavailable, attempt, known
from pytest_gomem.measure.window import SourceEdges
from pytest_gomem.observe.agent.client import AgentClient
from pytest_gomem.observe.own_page import OwnPage, find_own_page
from pytest_gomem.observe.page import Page
from pytest_gomem.observe.records import PROCESS_QUANTITIES, Observed
from pytest_gomem.observe.sources import Inside, Reader, Source, Target
from pytest_gomem.observe.system import System
from pytest_gomem.session.settling import settle

_STOPPED, _LOOK = 2.0, 0.05  # seconds to wait for a stopped process to continue, and between checks
_COSTS = ("total_alloc", "mallocs")  # what a reading itself increases


class Readers:
    """The sources of one process, the most trusted first."""

    def __init__(self, sources: Sequence[Source], target: Target, system: System) -> None:
        self._sources = sorted(sources, key=lambda source: source.trust)
        self._target = target
        self.system = system
        self._found: dict[str, Reader | ObserveError] = {}
        self._own: dict[str, OwnPage | ObserveError] = {}

    def reader(self, source: Source) -> Reader:
        """The source at this process, searched once; raises ObserveError if it is not there."""
        if source.name not in self._found:
            try:
                self._found[source.name] = source.find(self._target)
            except ObserveError as error:
                self._found[source.name] = error
        found = self._found[source.name]
        if isinstance(found, ObserveError):
            raise ObserveError(str(found))
        return found

    def own_page(self, page: str, deadline: Deadline) -> OwnPage:
        """The page with figures of the service's own, searched once; raises ObserveError if it is not there."""
        if page not in self._own:
            try:
                self._own[page] = find_own_page(page, self._target, deadline)
            except ObserveError as error:
                self._own[page] = error
        found = self._own[page]
        if isinstance(found, ObserveError):
            raise ObserveError(str(found))
        return found

    def reads_of(self, url: str) -> int:
        """How often the page at that URL was read here, as a source of figures or for figures of the service's own."""
        pages = (found for found in (*self._found.values(), *self._own.values()) if isinstance(found, Page))
        return sum(page.reads for page in pages if page.url == url)

    def inside(self) -> Inside:
        """The most trusted source of all of MemStats; raises ObserveError with every reason."""
        return self._inside()[1]

    def _inside(self) -> tuple[Source, Inside]:
        reasons = []
        for source in self._sources:
            if not source.complete:
                continue
            try:
                return source, self.reader(source)  # type: ignore[return-value]  # that is what complete means
            except ObserveError as error:
                reasons.append(str(error))
        raise NoSource("; ".join(reasons) or "no source tells MemStats")

    def others(self) -> Iterator[Source]:
        """The sources to read besides MemStats and the kernel: those that add what no more trusted one has, and those
        to read always. A source that disturbs the service is not read in vain."""
        covered = set(PROCESS_QUANTITIES) if self._target.pid is not None else set[str]()
        inside = None
        try:
            inside = self._inside()[0]
            covered |= inside.quantities | {"pause_total"}  # MemStats holds the pauses one by one
        except ObserveError:
            pass
        for source in self._sources:
            absent = isinstance(self._found.get(source.name), ObserveError)
            if source is inside or (source.complete and absent):  # the reader of MemStats gets the reason
                continue
            if source.quantities <= covered and not source.always(self._target):
                continue
            yield source
            if not isinstance(self._found.get(source.name), ObserveError):
                covered |= source.quantities

    def ask_again(self) -> None:
        """Try sources again that timed out in an earlier window: the process may have been busy or stopped."""
        for silence in self._silences():
            silence.forget()
        self.heed_stop()

    def heed_stop(self) -> None:
        """Ask no source if the process stays stopped for 2 s: none could answer."""
        deadline = self.system.now() + _STOPPED
        while reason := self.system.stopped_words():
            if self.system.now() >= deadline:
                for silence in self._silences():
                    silence.expect(reason)
                return
            self.system.sleep(_LOOK)

    def _silences(self) -> Iterator[Silence]:
        for found in (self._target.agent(), *self._found.values(), *self._own.values()):
            if isinstance(found, AgentClient | Page):
                yield found.silence

    def close(self) -> None:
        """Drop all connections."""
        for found in (*self._found.values(), *self._own.values()):
            if not isinstance(found, ObserveError):
                found.close()


class OtherSources:
    """What the sources besides MemStats report at a window's opening and close."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._opened = [(source, *self._calibrated(source)) for source in readers.others()]

    def _calibrated(self, source: Source) -> tuple[Observed | Unavailable, dict[str, float]]:
        """The second of two readings in a row, and how much it exceeds the first: the cost of one reading."""
        first = self._read(source)
        before = known(first)
        if before is None or not any(name in before.quantities for name in _COSTS):
            return first, {}
        second = self._read(source)
        after = known(second)
        if after is None:
            return second, {}
        both = [name for name in _COSTS if name in before.quantities and name in after.quantities]
        return second, {name: after.quantities[name] - before.quantities[name] for name in both}

    def _read(self, source: Source) -> Observed | Unavailable:
        return attempt(lambda: self._readers.reader(source).read())

    def close(self) -> tuple[SourceEdges, ...]:
        """Both edges of each source."""
        return tuple(
            SourceEdges(source.name, source.trust, start, self._read(source), cost)
            for source, start, cost in self._opened
        )

    def at_rest(self, edges: Sequence[SourceEdges], closing: Callable[[], int]) -> tuple[SourceEdges, ...]:
        """With goroutines once the process is at rest, from the sources that count them. They force no collection."""
        return tuple(
            self._counted(source, edge, closing) for (source, _, _), edge in zip(self._opened, edges, strict=True)
        )

    def _counted(self, source: Source, edges: SourceEdges, closing: Callable[[], int]) -> SourceEdges:
        start, end = known(edges.start), known(edges.end)
        if end is None or "goroutines" not in end.quantities:
            return edges
        read = self._readers.reader(source).read
        before = None if start is None else start.quantities.get("goroutines")
        try:
            settled = settle(
                read,
                read,
                held=_goroutines,
                closing=lambda _: closing(),
                system=self._readers.system,
                at_rest=before,
            )
        except ObserveError:  # its figure from the close stays
            return edges
        return replace(edges, goroutines=_goroutines(settled.last).get("goroutines"), unrest=settled.unrest)


def _goroutines(seen: Observed) -> dict[str, float]:
    return {name: value for name, value in seen.quantities.items() if name == "goroutines"}
