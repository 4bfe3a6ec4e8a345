"""Makes foreign text harmless: no terminal and no CI runner obeys what is in it."""

from __future__ import annotations

import io
import re
from typing import TextIO, cast

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
# What CI runners take for a command: `::error::` at the start of a line, `##[error]` and `##vso[...]` anywhere in it.
_AT_START = re.compile(r"^(\s*)(?=::)", re.MULTILINE)
_ANYWHERE = re.compile(r"##(?=\w*\[)")
_TAB = 8


def printable(text: str) -> str:
    """The text as one harmless line: control characters, with line ends, become backslash escapes.

    Marks that reverse the direction of writing do too, and lone surrogates, which no stream can encode. It may still
    not begin a line: see printable_line.
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return _ANYWHERE.sub(r"##\\", text) if "##" in text else text


def printable_line(text: str) -> str:
    """The same for text that begins a line: no CI runner takes it for a command."""
    return _AT_START.sub(r"\1\\", printable(text))


def printable_lines(text: str) -> str:
    """The same for several lines, such as a log; colours are removed, and tabs become blanks."""
    if text.isprintable() and ":" not in text and "##" not in text:
        return text
    lines = _COLOUR.sub("", text).replace("\r\n", "\n").expandtabs(_TAB).split("\n")
    return _AT_START.sub(r"\1\\", "\n".join(map(printable, lines)))


def printable_stream(stream: TextIO) -> TextIO:
    """A text stream that writes printable lines to `stream`."""
    return cast("TextIO", _Printable(stream))


def raw_stream(stream: TextIO) -> TextIO:
    """What a stream of `printable_stream` writes to, for commands of our own to a CI runner; another one as it is."""
    return stream.to if isinstance(stream, _Printable) else stream


class _Printable(io.TextIOBase):
    def __init__(self, stream: TextIO) -> None:
        self.to = stream

    def write(self, text: str) -> int:
        return self.to.write(printable_lines(text))

    def flush(self) -> None:
        self.to.flush()
