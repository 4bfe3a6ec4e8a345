"""The agent of a program that ends by itself: what it is asked beforehand, and what it has answered by the end.

Nobody can ask it after the end, and the program may end within milliseconds. So it gets its requests with the
environment. It answers those for the end when main returns or os.Exit is called.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from enum import Enum
from pathlib import Path

from pytest_gomem.base.errors import ObserveError

RECORD, PEAK, TRACE = "record", "peak", "trace"  # files of the folder that it writes to
TRACE_BYTES, TRACE_SECONDS = 64 << 20, 600.0  # of a trace at most; 0.8 MB/s if goroutines do nothing but switch
_HEADER = re.compile(rb"([^\n]*)\n(ok|no) ([0-9]{12})\n")


class Kept(Enum):
    """What it keeps for an explanation, beside the figures."""

    TRACE = ("trace", "stop")
    PEAK = ("peak", "look")
    HEAP = ("profile", "heap", "gc")
    GOROUTINES = ("goroutines",)


def requests(folder: Path, metrics: Sequence[str], kept: Collection[Kept]) -> str:
    """The value of its environment variable. metrics: names of runtime/metrics.

    What is kept disturbs, so it comes after the figures; but a trace, whose figures do not count, ends before them. For
    the peak one more cycle shows whether the heap was never larger than at the end.
    """
    start: list[tuple[str, ...]] = [("settings",)]
    end: list[tuple[str, ...]] = [("memstats",), ("metrics", *metrics), ("settings",), ("cycles", "0")]
    if Kept.TRACE in kept:
        start.append(("trace", "start", str(folder / TRACE), str(TRACE_BYTES), str(TRACE_SECONDS)))
        end.insert(0, Kept.TRACE.value)
    if Kept.PEAK in kept:
        start.append(("peak", "start", str(folder / PEAK)))
        end.append(("gc", "once"))
    end += [one.value for one in Kept if one in kept and one is not Kept.TRACE]
    return "\n".join((str(folder / RECORD), *map("\t".join, start), "", *map("\t".join, end)))


class Unasked:
    """The answers in a folder, to be read once the program has ended."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self._answers = dict(_read((folder / RECORD).read_bytes()))
        except OSError:
            self._answers = {}

    @property
    def has_started(self) -> bool:
        """Whether the agent answered at the start."""
        return bool(self._answers)

    def ask(self, *words: str) -> bytes:
        """The last answer to this request; raises ObserveError if it was refused or not answered."""
        answer = self._answers.get("\t".join(words))
        if answer is None:
            raise ObserveError("the agent in it answers when main returns or os.Exit is called, and no answer came")
        if isinstance(answer, ObserveError):
            raise ObserveError(str(answer))
        return answer


def _read(record: bytes) -> Iterator[tuple[str, bytes | ObserveError]]:
    """The answers by request, as far as they are whole: the program may have been killed meanwhile."""
    at = 0
    while (header := _HEADER.match(record, at)) is not None:
        at = header.end() + int(header[3])
        if at > len(record):
            return
        request, body = header[1].decode(), record[header.end() : at]
        refused = ObserveError(f"the agent of the program: {body.decode(errors='replace')}")
        yield request, body if header[2] == b"ok" else refused
