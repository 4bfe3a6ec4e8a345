"""The operating system as windows use it: the time, and what the kernel says about a process."""

from __future__ import annotations

import time

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.observe import kernel, sockets
from pytest_gomem.observe.records import KernelReading
from pytest_gomem.observe.smaps import SmapsTotals, read_smaps


class System:
    """Reads one process, and with `tree` its descendants; pid is None where only a URL is known.

    Windows read the system only through this class, so `pytest_gomem.testing` can replace it by a fake.
    """

    def __init__(self, pid: int | None, *, tree: bool = False) -> None:
        self._pid = pid
        self._tree = tree

    def now(self) -> float:
        """CLOCK_MONOTONIC, seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    def read(self, *, pss: bool) -> KernelReading:
        """RSS, its peak, CPU, threads and descriptors; pss: and the proportional set size. Raises ObserveError."""
        return kernel.read(self._known("RSS"), tree=self._tree, pss=pss)

    def smaps(self) -> SmapsTotals:
        """The mappings; raises ObserveError."""
        return read_smaps(self._known("mappings"))

    def reset_peak(self) -> bool:
        """Set the kernel's peak to the current RSS; False if that was not possible."""
        try:
            members = kernel.family(self._known("RSS"), self._tree)
        except ObserveError:
            return False
        resets = [kernel.reset_peak(member.pid) for member in members]  # all of them, even if one fails
        return all(resets)

    def closing_connections(self) -> int:
        """How many of the process's TCP connections are being closed."""
        return 0 if self._pid is None else sockets.closing(self._pid)

    def image(self) -> str:
        """A text that changes when the process replaces its program by exec; "" if unknown."""
        return "" if self._pid is None else kernel.image(self._pid)

    def has_ended(self) -> bool:
        """Whether the process is known to have ended."""
        return kernel.has_ended(self._pid)

    def stopped_words(self) -> str:
        """The message that the process is stopped, and what to do; "" if it is not."""
        return kernel.stopped_words(self._pid)

    def _known(self, what: str) -> int:
        if self._pid is None:
            raise ObserveError(f"only a pprof URL is known, no process id to read {what} from")
        return self._pid
