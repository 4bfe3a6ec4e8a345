"""What every subcommand shares in reading its arguments: argparse, whose exits and mistakes become status and words."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, NoReturn, TextIO, TypeVar

_W = TypeVar("_W")


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that takes no abbreviated options, and tells a mistake in one line."""

    def __init__(self, prog: str, description: str, **settings: Any) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Tell the mistake and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}; {self.prog} --help says more\n")


def parsed(parser: Parser, argv: Sequence[str], out: TextIO, err: TextIO) -> argparse.Namespace | int:
    """What was given, or the exit status after --help (0) or a mistake (2), which argparse has told by then."""
    return _told(lambda: parser.parse_args(argv), out, err)


def parsed_intermixed(parser: Parser, argv: Sequence[str], out: TextIO, err: TextIO) -> argparse.Namespace | int:
    """The same, where options may stand between positional arguments of which some may be left out."""
    return _told(lambda: parser.parse_intermixed_args(argv), out, err)


def parsed_for_pytest(
    parser: Parser, argv: Sequence[str], out: TextIO, err: TextIO
) -> tuple[argparse.Namespace, list[str]] | int:
    """The same, with all that the parser does not know, which is pytest's."""
    return _told(lambda: parser.parse_known_args(argv), out, err)


def checked(parse: Callable[[str], _W]) -> Callable[[str], _W]:
    """`parse` as the `type` of an argument: the words of its ValueError are told, which argparse would drop."""

    def parse_argument(written: str) -> _W:
        try:
            return parse(written)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_argument


def _told(parse: Callable[[], _W], out: TextIO, err: TextIO) -> _W | int:
    try:
        with redirect_stdout(out), redirect_stderr(err):
            return parse()
    except SystemExit as end:
        return int(end.code or 0)
