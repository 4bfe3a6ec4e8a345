"""Makes foreign text harmless: no terminal and no CI runner obeys what is in it."""

from __future__ import annotations

import io
import re
from typing import TextIO, cast

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_RUNNER_COMMAND = re.compile(r"^(\s*)(?=::)", re.MULTILINE)  # GitHub's runner takes such a line for a command
_TAB = 8


def printable(text: str) -> str:
    """The text as one harmless line: control characters, with line ends, become backslash escapes.

    Marks that reverse the direction of writing do too, and lone surrogates, which no stream can encode.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def printable_lines(text: str) -> str:
    """The same for several lines, such as a log; colours are removed, and tabs become blanks."""
    if text.isprintable() and ":" not in text:
        return text
    lines = _COLOUR.sub("", text).replace("\r\n", "\n").expandtabs(_TAB).split("\n")
    return _RUNNER_COMMAND.sub(r"\1\\", "\n".join(map(printable, lines)))


def printable_stream(stream: TextIO) -> TextIO:
    """A text stream that writes printable lines to `stream`."""
    return cast("TextIO", _Printable(stream))


class _Printable(io.TextIOBase):
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(printable_lines(text))

    def flush(self) -> None:
        self._stream.flush()
