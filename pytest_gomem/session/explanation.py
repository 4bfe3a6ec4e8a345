"""What a session needs to explain a failed window: what observed rounds recorded of it, the causes, and the text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.launch.launched import Built
from pytest_gomem.pprof.model import Profile
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.retention.model import Retention
from pytest_gomem.tracing.found import TraceFound

if TYPE_CHECKING:
    from pytest_gomem.session.capture import Captured
    from pytest_gomem.session.measurement import Measurement


class Evidence(Protocol):
    """What one side's observed rounds, or a baseline, recorded of a window."""

    @property
    def there(self) -> str:
        """The side, in words: "on the base side"."""

    @property
    def is_kept(self) -> bool:
        """Whether it was recorded before this run."""

    @property
    def rounds(self) -> int:
        """How many rounds recorded it."""

    @property
    def profile_rate(self) -> int | None:
        """Bytes per sample of its heap profiles; None without one."""

    @property
    def built(self) -> Built | None:
        """What the side was built from, if its sources may be at hand."""

    @property
    def module(self) -> GoModule:
        """The user's own module; unknown for a binary that is not at hand."""

    @property
    def modules(self) -> Mapping[str, str]:
        """The versions of Go (as "go") and of the modules in the binary, by path; {} if unknown."""

    @property
    def retention(self) -> Retention | Unavailable | None:
        """What a heap dump after the window says, or why there is none; None if nobody asked for one."""

    @property
    def trace(self) -> TraceFound | None:
        """What came of an execution trace of the window; None if nobody asked for one."""

    @property
    def goroutines(self) -> Mapping[str, float] | tuple[Captured, ...]:
        """The stacks at the window's close, one text for each round, or of a baseline their groups with counts."""

    @property
    def goroutines_before(self) -> tuple[Captured, ...]:
        """The stacks at the window's opening."""

    @property
    def came_to_limit(self) -> bool | None:
        """Whether the memory came to the service's limit again, to explain a kill; None if nobody looked."""

    def cycles(self, kind: str) -> int | None:
        """GC cycles from the window's opening to its close, or to its peak for a profile of that kind, if known."""

    def profiles(self, kind: str, metric: str) -> tuple[Profile, ...]:
        """The profiles of a kind of artifact, one for each round, to explain a metric.

        Raises ObserveError with the reason if there is none.
        """


class Explanation(Protocol):
    """Finds what caused a failure, and writes its text."""

    def at_close(self, window: WindowRecord, measurement: Measurement) -> WindowRecord:
        """The window with the culprits of its broken limits, from its own profiles."""

    def explained(self, window: WindowRecord, head: Evidence, base: Evidence | None) -> WindowRecord:
        """The window with the culprits of its failed verdicts, or why none can be named, and its diagnosis.

        base: what it is compared with, if it is.
        """

    def texts(self, windows: Sequence[WindowRecord], nodeid: str) -> list[tuple[str, str]]:
        """Of each failed window of a test the failure in one line, and its text."""
