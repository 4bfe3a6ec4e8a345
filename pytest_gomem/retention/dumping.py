"""Has the agent of a service write a heap dump to a private file, if it stays within its limits."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.base.files import check_beginning
from pytest_gomem.base.units import BYTES, COUNT, format_value
from pytest_gomem.config.dump_limits import DumpLimits
from pytest_gomem.observe.agent.client import AgentClient

_PER_LIVE_BYTE = 1.2  # 1.1 to 1.2 bytes of a dump, of heaps of 0.1 to 5 million objects
_STOP_PER_OBJECT = 0.5 / 1_100_000  # seconds: 0.05 s for 110 k objects, 0.5 s for 1.1 M, 2 to 7 s for 5.5 M
_PATIENCE, _PER_MILLION = 10.0, 5.0  # seconds; a loaded machine takes 15 to 22 s for 5.5 M objects
_BEGINNING = b"go1.7 heap dump\n"
_SETTING = "gomem.yaml sets the limit:  retention: {%s: ...}"


@dataclass(frozen=True)
class DumpEstimate:
    """What a dump of so much live heap takes.

    bytes: of the file. objects: in it. stop: seconds that the service stands still.
    """

    bytes: int
    objects: int
    stop: float

    @property
    def patience(self) -> float:
        """Seconds to wait for it."""
        return _PATIENCE + _PER_MILLION * self.objects / 1e6


def estimate(live_bytes: int, live_objects: int) -> DumpEstimate:
    """What a dump takes, by the live heap."""
    return DumpEstimate(round(_PER_LIVE_BYTE * live_bytes), live_objects, live_objects * _STOP_PER_OBJECT)


def why_refused(expected: DumpEstimate, limits: DumpLimits, free: int) -> str:
    """Why no dump is taken, "" if one may be. free: bytes of disk where it goes."""
    size = format_value(expected.bytes, BYTES)
    if expected.bytes > limits.max_dump:
        most = format_value(limits.max_dump, BYTES)
        return f"a heap dump would take {size}, more than {most}; {_SETTING % 'max_dump'}"
    if expected.objects > limits.max_objects:
        objects, most = format_value(expected.objects, COUNT), format_value(limits.max_objects, COUNT)
        stop = f"the service would stand still for about {expected.stop:.1f} s"
        return f"a heap dump would hold {objects} objects, more than {most}: {stop}; {_SETTING % 'max_objects'}"
    if expected.bytes > free:
        return f"a heap dump would take {size}, and the disk has {format_value(free, BYTES)} free"
    return ""


@contextlib.contextmanager
def heap_dump(agent: AgentClient, limits: DumpLimits) -> Iterator[Path]:
    """A dump of all that is live, after two collections, in a file that only this user reads; removed after the block.

    It lies in the folder of the agent's socket, which goes with the service whatever happens here. Raises ObserveError
    with the reason if there is none.
    """
    agent.gc()
    live = agent.memstats().common
    expected = estimate(live.heap_alloc, live.heap_objects)
    if reason := why_refused(expected, limits, _free(agent.folder)):
        raise ObserveError(reason)
    with _private_file(agent.folder) as path:
        agent.dump_heap(path, expected.patience)
        check_beginning(path, _BEGINNING, "heap dump")
        yield path


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError as error:
        raise ObserveError(f"there is no place for a heap dump: {error}") from None


@contextlib.contextmanager
def _private_file(folder: Path) -> Iterator[Path]:
    """An empty file of mode 0600, removed after the block."""
    try:
        descriptor, name = tempfile.mkstemp(prefix="heap-", suffix=".dump", dir=folder)
    except OSError as error:
        raise ObserveError(f"there is no place for a heap dump: {error}") from None
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
