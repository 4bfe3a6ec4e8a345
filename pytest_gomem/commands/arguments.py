"""Owns reading a subcommand's arguments with argparse, whose exits and words become its status and writers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import TextIO


def parsed(parser: argparse.ArgumentParser, argv: Sequence[str], out: TextIO, err: TextIO) -> argparse.Namespace | int:
    """What was given, or the exit status after --help or a mistake, which argparse has told by then."""
    try:
        with redirect_stdout(out), redirect_stderr(err):
            return parser.parse_args(argv)
    except SystemExit as end:
        return int(end.code or 0)
