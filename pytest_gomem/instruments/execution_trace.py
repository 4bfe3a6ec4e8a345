"""An execution trace of a window's work: why collections came, what they stopped, and who had to help."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_gomem.base.errors import GomemError, ObserveError
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.observe.agent.unasked import Kept
from pytest_gomem.results.keys import Key
from pytest_gomem.session.capture import Captured
from pytest_gomem.session.instrument import Closes, Finding, Instrument, Opens, Target, WindowPlan
from pytest_gomem.session.life import EndedProgram
from pytest_gomem.session.measurement import Measurement
from pytest_gomem.session.subject import unanswered
from pytest_gomem.tracing.found import TraceFound
from pytest_gomem.tracing.model import TraceReport
from pytest_gomem.tracing.taking import ByAgent, ended_words, new_file

TRACE = "trace"  # as reports call its file
SUFFIX = ".out"  # as in `go tool trace trace.out`
_NOT_BEGUN = Unavailable("the window was not opened")


class Tracing(Instrument):
    """What takes a trace, which is read once the window is judged; see `TraceReading`.

    Begins behind the last reading of the opening and ends before the first of the close: no collection in it is forced
    by us, but for those of phases and cycles.
    kept: the file of the trace, or why there is none; None if nobody asked for it. note: what is to be known of it.
    """

    name = "execution_trace"
    opens = Opens.LAST
    closes = Closes.FIRST

    def __init__(self) -> None:
        self.kept: Path | Unavailable | None = None
        self.note = ""


class ExecutionTrace(Tracing):
    """Traces all of the window's work."""

    def __init__(self) -> None:
        super().__init__()
        self._taking: ByAgent | Unavailable = _NOT_BEGUN
        self._path = Path()

    def launch(self) -> Overrides:
        """A program that ends by itself is traced from its start."""
        return Overrides(kept=frozenset({Kept.TRACE}))

    def open(self, target: Target) -> None:
        """Begin."""
        agent = target.subject.agent()
        if agent is None:
            self._taking = Unavailable(f"an execution trace needs the agent: {target.subject.no_agent}")
            return
        self._path = new_file(agent.folder)
        try:
            self._taking = ByAgent(agent, self._path)
        except ObserveError as error:
            self._taking = unanswered(target.subject, error)

    def reopened(self, target: Target) -> None:
        """What was traced is warm-up: begin anew."""
        if isinstance(self._taking, ByAgent):
            with contextlib.suppress(ObserveError):  # the new one says what is wrong
                self._taking.end()
            self._path.unlink(missing_ok=True)
        self.open(target)

    def close(self, target: Target) -> Finding:
        """End."""
        self.kept = self._path
        if isinstance(self._taking, Unavailable):
            self.kept = self._taking
            return Finding()
        try:
            self.note = self._taking.end()
        except ObserveError as error:
            self.kept = unanswered(target.subject, error)
        return Finding()

    def ended(self, program: EndedProgram) -> Finding:
        """The trace of all of it, which the agent has left."""
        try:
            path, traced = program.trace()
        except ObserveError as error:
            return Finding(trace=TraceFound(Unavailable(str(error))))
        return _read(path, ended_words(traced), program.module)


class TraceReading(Instrument):
    """Reads a trace when the window is judged; its file is removed."""

    name = "execution_trace"
    closes = Closes.JUDGED

    def __init__(self, tracing: Tracing) -> None:
        self._tracing = tracing

    def close(self, target: Target) -> Finding:
        """What the trace says, with the trace itself."""
        path = self._tracing.kept
        if path is None:
            return Finding()
        if isinstance(path, Unavailable):
            return Finding(trace=TraceFound(path))
        module = GoModule() if target.measurement is None else target.measurement.service.module
        return _read(path, self._tracing.note, module)


def _read(path: Path, note: str, module: GoModule) -> Finding:
    found = TraceFound(_report(path, module), note)
    try:
        raw: bytes | Unavailable = path.read_bytes()
    except OSError as error:
        raw = Unavailable(f"the execution trace cannot be read: {error}")
    path.unlink(missing_ok=True)
    return Finding({TRACE: Captured(raw, SUFFIX)}, trace=found)


def _report(path: Path, module: GoModule) -> TraceReport | Unavailable:
    from pytest_gomem.tracing.read import read_trace

    try:
        return read_trace(path, module=module.path)
    except GomemError as error:  # no Go to build the reader with
        return Unavailable(str(error))


def read_afterwards(tracing: Tracing) -> tuple[Instrument, ...]:
    """What takes a trace, with what reads it."""
    return tracing, TraceReading(tracing)


def execution_trace(plan: WindowPlan) -> tuple[Instrument, ...]:
    """For the windows of a round that takes nothing else."""
    return () if plan.outlives_round else read_afterwards(ExecutionTrace())


def add_traces(files: Mapping[Key, Measurement], traced: Iterable[Mapping[Key, Measurement]]) -> None:
    """Add the traces of a side's rounds to the other files of the same windows."""
    for windows in traced:
        for key, one in windows.items():
            ours = files[key].profiles if key in files else None
            if ours is not None and one.profiles is not None:
                ours.add({TRACE: one.profiles.of(TRACE)})
