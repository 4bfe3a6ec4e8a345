"""The execution trace that a test takes by hand: its file, and what it says."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_gomem.base.errors import GomemError, MeasureError, ObserveError
from pytest_gomem.tracing.model import TraceReport
from pytest_gomem.tracing.taking import Taking, leave, new_file, reserve

DISTURBED = "trace() was called in this window, and an execution trace disturbs the service"


class Trace:
    """An execution trace from the beginning of a `with` block to its end.

    path: its file, for `go tool trace`. It goes with the service, unless you keep it. note: what has ended the trace
    before the block did, "" if nothing has.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.note = ""
        self._report: TraceReport | GomemError | None = None

    @property
    def report(self) -> TraceReport:
        """What the trace says; raises MeasureError within the block, and the reason if it could not be read."""
        if self._report is None:
            raise MeasureError("the trace is still being taken: its report is there after the with block")
        if isinstance(self._report, GomemError):
            raise self._report
        return self._report

    def _read(self, read: Callable[[Path], TraceReport]) -> None:
        try:
            self._report = read(self.path)
        except GomemError as error:
            self._report = type(error)(f"{error}; the trace itself is whole: {self.path}")


@contextlib.contextmanager
def traced(
    folder: Path | None, keep: Path | None, begin: Callable[[Path], Taking], read: Callable[[Path], TraceReport]
) -> Iterator[Trace]:
    """Take a trace of a block of a test. folder: private to the service; None for one of our own.

    begin: begins it in that file. keep: where to leave a copy. Raises ObserveError with the reason if there is no
    trace; an error of the block is raised as it is.
    """
    with contextlib.ExitStack() as stack:
        place = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gomem-trace-")))
        trace = Trace(new_file(place))
        if keep is not None:
            reserve(keep)
            stack.callback(_drop_empty, keep)
        taking = begin(trace.path)
        try:
            yield trace
        except BaseException:
            with contextlib.suppress(ObserveError):
                taking.end()
                _keep(trace, keep)
            raise
        trace.note = taking.end()
        _keep(trace, keep)
        trace._read(read)


def _keep(trace: Trace, keep: Path | None) -> None:
    if keep is not None:
        leave(trace.path, keep)
        trace.path.unlink(missing_ok=True)
        trace.path = keep


def _drop_empty(path: Path) -> None:
    with contextlib.suppress(OSError):
        if not path.stat().st_size:
            path.unlink()
