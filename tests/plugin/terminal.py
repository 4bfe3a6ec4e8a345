"""Owns running a command in a terminal: its screen over time, as pyte renders the bytes that really arrive."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyte

PATIENCE = 60.0  # seconds


@dataclass(frozen=True)
class Shown:
    """The exit status, the last screen, and each different screen before it, as lines without blanks at their ends."""

    status: int
    lines: list[str]
    screens: list[list[str]]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def ever(self, words: str) -> list[str]:
        """Each different line that had these words at any time."""
        return list(dict.fromkeys(line for screen in self.screens for line in screen if words in line))


def in_terminal(
    command: Sequence[str],
    folder: Path,
    *,
    columns: int = 100,
    rows: int = 200,
    answers: Sequence[tuple[str, bytes]] = (),
    **env: str,
) -> Shown:
    """Run the command. answers: words to wait for on the screen, and then the keys to press."""
    answers = list(answers)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    screen = pyte.Screen(columns, rows)
    stream, screens = pyte.ByteStream(screen), list[list[str]]()
    environ = {**os.environ, "TERM": "xterm", **env}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - no thread runs; keys become signals
    )
    os.close(theirs)
    deadline = time.monotonic() + PATIENCE
    try:
        with contextlib.suppress(OSError):  # the other end is closed
            while select.select([ours], [], [], max(0.0, deadline - time.monotonic()))[0] and (
                data := os.read(ours, 65536)
            ):
                for piece in re.split(b"(?<=\x1b8)", data):  # what is drawn and removed in one read was there too
                    stream.feed(piece)
                    screens.append([line.rstrip() for line in screen.display])
                if answers and answers[0][0] in "\n".join(screens[-1]):
                    os.write(ours, answers.pop(0)[1])
        return Shown(process.wait(max(0.0, deadline - time.monotonic())), screens[-1], screens)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(ours)
