"""The stacks of all goroutines when a window opens and after it closed, to tell which have come to be."""

from __future__ import annotations

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.observe.agent.unasked import Kept
from pytest_gomem.session.capture import Captured, goroutine_stacks
from pytest_gomem.session.instrument import Closes, Finding, Instrument, Target
from pytest_gomem.session.life import EndedProgram

AT_OPENING, AT_CLOSE = "goroutines_opening", "goroutines"  # as reports call them
_NOT_OPENED = Unavailable("the window was not opened")


class Goroutines(Instrument):
    """Takes the text twice, outside of the window: each stops the world for up to 1 s per 10 000 goroutines.

    At the close the window has already waited for goroutines that end by themselves.
    """

    name = "goroutines"
    closes = Closes.JUDGED

    def __init__(self) -> None:
        self._opening: bytes | Unavailable = _NOT_OPENED

    def launch(self) -> Overrides:
        """Of a program that ends by itself, the stacks of its end."""
        return Overrides(kept=frozenset({Kept.GOROUTINES}))

    def open(self, target: Target) -> None:
        """Take it before the window's own readings."""
        self._opening = goroutine_stacks(target.subject)

    def close(self, target: Target) -> Finding:
        """Take it again; each is a file of the report."""
        taken = {AT_OPENING: self._opening, AT_CLOSE: goroutine_stacks(target.subject)}
        return Finding({name: Captured(text, ".txt") for name, text in taken.items()})

    def ended(self, program: EndedProgram) -> Finding:
        """The stacks of the program's end; when it began, there was no goroutine."""
        return Finding({AT_CLOSE: Captured(program.kept(Kept.GOROUTINES), ".txt")})
