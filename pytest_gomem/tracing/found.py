"""What came of a trace: what it says or why nobody can tell, and what ended it early."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.tracing.model import TraceReport


@dataclass(frozen=True)
class TraceFound:
    """A trace of a window. report: with files as they were compiled; see `tracing.named`.

    note: what ended it before the window closed, "" if nothing did.
    """

    report: TraceReport | Unavailable
    note: str = ""
