"""Shows how far a command of many runs is: a bar with the time in a terminal, a line for each run otherwise."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from shutil import get_terminal_size
from typing import TextIO

from pytest_gomem.base.printable import printable
from pytest_gomem.report.text import clip

_TICK = 0.5  # seconds
_CELLS = 20
_CLEAR = "\r\x1b[K"


def bar(done: int, left: int) -> str:
    """Such as "[#####---------------]"."""
    full = round(_CELLS * done / max(done + left, 1))
    return f"[{'#' * full}{'-' * (_CELLS - full)}]"


class Progress:
    """Lines on a stream, and below them one that is alive if the stream is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_live = stream.isatty()
        self._lock = threading.Lock()

    def line(self, text: str) -> None:
        """A line that stays."""
        with self._lock:
            self._stream.write(f"{_CLEAR if self._is_live else ''}{printable(text)}\n")
            self._stream.flush()

    @contextlib.contextmanager
    def during(self, what: str, done: int, left: int, to_go: float | None = None) -> Iterator[None]:
        """Show that something runs: step `done` + 1 of `done` + `left`, and for how long already.

        to_go: seconds until all of it is expected to be over, None if that is not known.
        """
        if not self._is_live:
            yield
            return
        over, began = threading.Event(), time.monotonic()
        shown = f"{bar(done, left)} {what}"
        thread = threading.Thread(target=self._tick, args=(shown, began, to_go, over), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            with self._lock:
                self._stream.write(_CLEAR)
                self._stream.flush()

    def _tick(self, text: str, began: float, to_go: float | None, over: threading.Event) -> None:
        while True:
            seconds = time.monotonic() - began
            rest = "" if to_go is None else f", about {max(to_go - seconds, 0):.0f} s to go"
            with self._lock:
                shown = clip(printable(f"{text}, {seconds:.0f} s{rest}"), get_terminal_size().columns - 1)
                self._stream.write(f"{_CLEAR}{shown}")
                self._stream.flush()
            if over.wait(_TICK):
                return
