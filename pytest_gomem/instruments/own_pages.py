"""The pages on which a service publishes figures of its own, read at the edges where a budget names one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pytest_gomem.base.clock import Deadline
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.unavailable import Unavailable, known
from pytest_gomem.config.budgets import Budget
from pytest_gomem.config.own_metrics import is_own, own_metric
from pytest_gomem.judge.decide import given_name
from pytest_gomem.measure.own_edges import OwnEdges, PageEdges, Told
from pytest_gomem.observe.own_page import SECONDS
from pytest_gomem.session.instrument import Finding, Instrument, Target
from pytest_gomem.session.life import EndedProgram
from pytest_gomem.session.subject import Subject, unanswered

_IN_A_ROW = 3  # readings at the opening: what all of them add to a counter is their own doing
_ENDED = Unavailable("the program has ended, and its page with it: measure a service that runs, and ask it before")
_NOT_READ = Unavailable("the page was not read")

_Pages = Mapping[str, Told | Unavailable]


@dataclass
class _Edges:
    """What was read of the pages so far, for the whole window or one phase."""

    start: _Pages = field(default_factory=dict)
    end: _Pages = field(default_factory=dict)


class OwnPages(Instrument):
    """Reads pages before all else when the window opens, and behind all else when it closes.

    So the garbage of these readings is collected before the first reading that counts, and comes after the last. At the
    edges of a phase they can't be: what they do to the process is left out of the window's figures.
    """

    name = "own_pages"

    def __init__(self, budgets: Iterable[Budget]) -> None:
        self._names: dict[str, tuple[str, ...]] = {}
        for budget in budgets:
            if is_own(budget.metric):
                self._names[budget.phase] = (*self._names.get(budget.phase, ()), budget.metric)
        self._row: dict[str, tuple[Told, ...]] = {}
        self._whole, self._phase = _Edges(), _Edges()
        self._phases: dict[str, _Edges] = {}

    @property
    def is_needed(self) -> bool:
        """Whether a budget names a metric of these pages."""
        return bool(self._names)

    def _pages_of(self, phase: str) -> list[str]:
        return list(dict.fromkeys(own_metric(name).page for name in self._names.get(phase, ())))

    def open(self, target: Target) -> None:
        """Read each page several times; it stays open for none of it."""
        pages = dict.fromkeys(page for phase in self._names for page in self._pages_of(phase))
        rows, deadline = {}, Deadline(SECONDS)
        for page in pages:
            rows[page] = [_told(target.subject, page, deadline) for _ in range(_IN_A_ROW)]
        self._row = {page: tuple(told for one in row if (told := known(one)) is not None) for page, row in rows.items()}
        self._whole, self._phases = _Edges({page: row[-1] for page, row in rows.items()}), {}

    def phase_begins(self, target: Target, phase: str) -> None:
        """Read the pages of the budgets on this phase."""
        self._phase = _Edges(self._read_apart(target, phase))

    def phase_ended(self, target: Target, phase: str) -> None:
        """Read them again."""
        self._phases[phase] = _Edges(self._phase.start, self._read_apart(target, given_name(phase)))

    def _read_apart(self, target: Target, phase: str) -> _Pages:
        pages = self._pages_of(phase)
        if not pages:
            return {}
        with target.own.apart():
            return _read(target.subject, pages)

    def close(self, target: Target) -> Finding:
        """Read the pages of the budgets on the whole window."""
        self._whole.end = _read(target.subject, self._pages_of(""))
        phases = {phase: self._found(edges, given_name(phase)) for phase, edges in self._phases.items()}
        return Finding(own={"": self._found(self._whole, ""), **phases})

    def _found(self, edges: _Edges, phase: str) -> OwnEdges:
        pages = {
            page: PageEdges(edges.start.get(page, _NOT_READ), edges.end.get(page, _NOT_READ), self._row.get(page, ()))
            for page in self._pages_of(phase)
        }
        return OwnEdges(self._names.get(phase, ()), pages)

    def ended(self, program: EndedProgram) -> Finding:
        """Nobody can read a page of a program that has ended."""
        return Finding(own={"": OwnEdges(self._names.get("", ()), dict.fromkeys(self._pages_of(""), _ENDED))})


def _read(subject: Subject, pages: Iterable[str]) -> _Pages:
    deadline = Deadline(SECONDS)
    return {page: _told(subject, page, deadline) for page in pages}


def _told(subject: Subject, page: str, deadline: Deadline) -> Told | Unavailable:
    try:
        found = subject.readers.own_page(page, deadline)
        published = found.read(deadline)
    except ObserveError as error:
        return unanswered(subject, error)
    return Told(published, subject.readers.reads_of(found.url))
