"""Words of the live line that shows, while a measured test runs, which round it is in and how much memory is used."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import BYTES, format_value

_GAP = "  "
_SHORTEST_NAME = 8  # columns; of a name with less of it nobody reads anything
_CUT = ".."


@dataclass(frozen=True)
class Progress:
    """What is known of a running test. name: "" where the terminal shows it already. rss, heap: bytes, None if unknown.

    position: "round 3 of 8 (base)", "" for the only round.
    """

    name: str
    position: str
    seconds: float
    rss: int | None = None
    heap: int | None = None


def progress_line(progress: Progress, columns: int) -> str:
    """One line of at most so many columns. What does not fit goes: first the heap, last the time; names are cut."""
    parts = {
        "position": progress.position,
        "rss": "" if progress.rss is None else f"rss {format_value(progress.rss, BYTES)}",
        "heap": "" if progress.heap is None else f"heap {_whole_mb(progress.heap)}",
        "time": _clock(progress.seconds),
    }
    for left_out in ("", "heap", "position", "rss", "time"):
        parts.pop(left_out, None)
        rest = _GAP.join(filter(None, parts.values()))
        if len(rest) <= columns:
            return _with_name(printable(progress.name), rest, columns)
    return ""


def _with_name(name: str, rest: str, columns: int) -> str:
    room = columns - len(rest) - len(_GAP)
    if _width(name) > room:
        if room < _SHORTEST_NAME:
            return rest
        while _width(name) > room - len(_CUT):
            name = name[:-1]
        name += _CUT
    return _GAP.join(filter(None, (name, rest)))


def _width(text: str) -> int:
    """Columns that it takes at most: letters of some scripts take two."""
    return sum(1 if letter.isascii() else 2 for letter in text)


def _whole_mb(value: int) -> str:
    """The runtime prints the heap in whole MiB, and 0 of a smaller one."""
    return format_value(value, BYTES) if value >= 100e6 else f"{value / 1e6:.0f} MB" if value else "<1 MB"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
