"""A line of text behind the terminal's cursor that changes, and is gone before anybody else writes there."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from types import TracebackType

_EVERY = 0.25  # seconds
_JOIN = 1.0  # seconds: the thread may wait for an answer meanwhile, and draws nothing after it
# The cursor stays where pytest left it, so what others write replaces the text.
_SAVE, _RESTORE, _CLEAR = "\x1b7", "\x1b8", "\x1b[K"


class LiveLine:
    """Draws `text()` again and again while it is allowed. Use it as a context manager.

    A thread draws, as the test keeps the main thread busy. It ends before a fork, since Python warns of forks beside
    threads, also of one that begins right after it. So it begins anew when the line is allowed again.
    """

    def __init__(self, terminal: int, text: Callable[[], str]) -> None:
        self._terminal = terminal
        self._text = text
        self._lock = threading.RLock()  # a handler of signals may hide the line while the main thread does
        self._owner = os.getpid()
        self._ended = threading.Event()
        self._ended.set()
        self._thread: threading.Thread | None = None
        self._may_draw = False
        self._drawn = ""

    def __enter__(self) -> LiveLine:
        global _shown  # noqa: PLW0603 - handlers of forks cannot be taken back
        _shown = self
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        global _shown  # noqa: PLW0603
        _shown = None
        self.hide()
        self.stop()

    @property
    def is_ours(self) -> bool:
        """Whether this is no forked copy, which has no thread."""
        return os.getpid() == self._owner

    def allow(self) -> None:
        """Nobody else writes to the terminal from now on."""
        if self.is_ours:
            self._may_draw = True
            if self._ended.is_set():
                self._ended = threading.Event()
                self._thread = threading.Thread(target=self._run, args=(self._ended,), daemon=True, name="gomem line")
                self._thread.start()

    def hide(self) -> None:
        """Remove the text; nothing is drawn until it is allowed again."""
        if not self.is_ours:
            return
        with self._lock:
            self._may_draw = False
            self._clear()

    def stop(self) -> None:
        """End the thread, and remove the text."""
        self._ended.set()
        if self._thread is not None and self.is_ours:
            self._thread.join(_JOIN)
            with self._lock:
                self._clear()

    def _run(self, ended: threading.Event) -> None:
        with contextlib.suppress(Exception):  # no test fails by a line that cannot be shown
            while not ended.wait(_EVERY):
                if self._may_draw:
                    self._draw(self._text(), ended)

    def _draw(self, text: str, ended: threading.Event) -> None:
        with self._lock:
            if self._may_draw and not ended.is_set() and text != self._drawn:
                self._write(f"{_SAVE} {text}{_CLEAR}{_RESTORE}")
                self._drawn = text

    def _clear(self) -> None:
        if self._drawn:
            self._drawn = ""
            with contextlib.suppress(OSError):  # the terminal is gone
                self._write(_CLEAR)

    def _write(self, text: str) -> None:
        os.write(self._terminal, text.encode(errors="replace"))


_shown: LiveLine | None = None


def _before_fork() -> None:
    if _shown is not None:
        _shown.stop()


os.register_at_fork(before=_before_fork)
