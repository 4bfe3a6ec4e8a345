"""Owns reading a subcommand's arguments, by argparse or getopt, whose exits and mistakes become status and words."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from getopt import GetoptError
from typing import TextIO, TypeVar

_W = TypeVar("_W")


def parsed(parser: argparse.ArgumentParser, argv: Sequence[str], out: TextIO, err: TextIO) -> argparse.Namespace | int:
    """What was given, or the exit status after --help or a mistake, which argparse has told by then."""
    return _told(lambda: parser.parse_args(argv), out, err)


def parsed_for_pytest(
    parser: argparse.ArgumentParser, argv: Sequence[str], out: TextIO, err: TextIO
) -> tuple[argparse.Namespace, list[str]] | int:
    """The same, with all that the parser does not know, which is pytest's."""
    return _told(lambda: parser.parse_known_args(argv), out, err)


def _told(parse: Callable[[], _W], out: TextIO, err: TextIO) -> _W | int:
    try:
        with redirect_stdout(out), redirect_stderr(err):
            return parse()
    except SystemExit as end:
        return int(end.code or 0)


def wish(
    command: str, usage: str, parse: Callable[[Sequence[str]], _W], argv: Sequence[str], out: TextIO, err: TextIO
) -> _W | int:
    """What `parse`, which raises GetoptError or ValueError, makes of the arguments; else as `parsed`."""
    if "--help" in argv:
        out.write(usage)
        return 0
    try:
        return parse(argv)
    except (GetoptError, ValueError) as error:
        err.write(f"gomem {command}: {error}; gomem {command} --help says more\n")
        return 2
