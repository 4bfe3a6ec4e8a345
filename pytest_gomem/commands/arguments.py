"""Argument parsing that all subcommands share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

_W = TypeVar("_W")


class Parser(argparse.ArgumentParser):
    """An ArgumentParser without abbreviated options, which reports a mistake in one line."""

    def __init__(self, prog: str, description: str, **settings: Any) -> None:
        super().__init__(prog=prog, description=description, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """Report the mistake and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}; {self.prog} --help says more\n")


def checked(parse: Callable[[str], _W]) -> Callable[[str], _W]:
    """`parse` as the `type` of an argument; the text of its ValueError is shown, which argparse would drop."""

    def parse_argument(written: str) -> _W:
        try:
            return parse(written)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse_argument
