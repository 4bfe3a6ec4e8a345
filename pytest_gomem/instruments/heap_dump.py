"""A heap dump after a window, read at once: who holds what lives, or what has come since an earlier dump."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

from pytest_gomem.base.errors import GomemError, ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.config.dump_limits import DumpLimits
from pytest_gomem.pprof.write import compressed
from pytest_gomem.retention.dumping import heap_dump
from pytest_gomem.retention.holding import holders_in
from pytest_gomem.retention.model import Retention
from pytest_gomem.retention.profile import holders_profile
from pytest_gomem.session.capture import Captured
from pytest_gomem.session.instrument import Closes, Finding, Instrument, Target
from pytest_gomem.session.life import EndedProgram
from pytest_gomem.session.subject import unanswered

HOLDERS = "holders"  # as reports call their profile
_PROGRAM = Unavailable("no heap dump is taken of a program that ends by itself: nobody can ask it at its end")


class HeapDump(Instrument):
    """Takes the dump when all else is read and the round is good: in rare cases Go's runtime dies of it.

    of: globs over types whose holders are asked for, too.
    """

    name = "heap_dump"
    closes = Closes.AFTERWARDS

    def __init__(self, limits: DumpLimits, of: Collection[str] = ()) -> None:
        self._limits = limits
        self._of = of

    def close(self, target: Target) -> Finding:
        """Take it and read it, or say why there is none."""
        return _finding(self._retention(target, None))

    def _retention(self, target: Target, base: Path | None) -> Retention | Unavailable:
        built = None if target.measurement is None else target.measurement.service.process.built
        try:
            with contextlib.ExitStack() as stack:
                dump = self._dump(target, stack)
                if built is None:
                    return Unavailable("nobody knows the binary of the process")
                return holders_in(dump, built, self._limits, base, self._of)
        except ObserveError as error:
            return unanswered(target.subject, error)
        except GomemError as error:  # no Go to build the reader with
            return Unavailable(str(error))

    def _dump(self, target: Target, stack: contextlib.ExitStack) -> Path:
        """A dump that stays as long as the stack does; raises ObserveError."""
        agent = target.subject.agent()
        if agent is None:
            raise ObserveError(f"a heap dump needs the agent: {target.subject.no_agent}")
        return stack.enter_context(heap_dump(agent, self._limits))

    def ended(self, program: EndedProgram) -> Finding:
        """There is none."""
        return Finding(retention=_PROGRAM)


def _finding(retention: Retention | Unavailable) -> Finding:
    """What the dump says, with its holders as a profile."""
    if isinstance(retention, Unavailable) or not retention.holders:
        return Finding(retention=retention)
    profile = compressed(holders_profile(retention.holders))
    return Finding({HOLDERS: Captured(profile)}, retention=retention)


class HeapGrowth(HeapDump):
    """Takes an earlier dump too, when the window opens, and again after the first cycle if it has cycles."""

    def __init__(self, limits: DumpLimits, of: Collection[str] = ()) -> None:
        super().__init__(limits, of)
        self._kept = contextlib.ExitStack()
        self._earlier: Path | Unavailable | None = None

    def open(self, target: Target) -> None:
        """Take the earlier dump."""
        self._kept.close()
        try:
            self._earlier = self._dump(target, self._kept)
        except ObserveError as error:
            self._earlier = unanswered(target.subject, error)

    def cycled(self, target: Target, number: int) -> None:
        """What the first cycle leaves is warm-up: take the earlier dump again."""
        if number == 1:
            self.open(target)

    def close(self, target: Target) -> Finding:
        """Take the later dump, and read both."""
        with self._kept:
            if isinstance(self._earlier, Unavailable):
                return Finding(retention=self._earlier)
            return _finding(self._retention(target, self._earlier))
