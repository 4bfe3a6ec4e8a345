"""What every subcommand shares in reading its arguments: argparse, whose exits and mistakes become status and words."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

_W = TypeVar("_W")


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that takes no abbreviated options, and tells a mistake in one line."""

    def __init__(self, prog: str, description: str, **settings: Any) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Tell the mistake and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}; {self.prog} --help says more\n")


def checked(parse: Callable[[str], _W]) -> Callable[[str], _W]:
    """`parse` as the `type` of an argument: the words of its ValueError are told, which argparse would drop."""

    def parse_argument(written: str) -> _W:
        try:
            return parse(written)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_argument
