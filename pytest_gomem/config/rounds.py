"""Owns how many rounds a test is to run, as a marker or an option says it."""

from __future__ import annotations

from typing import Literal

from pytest_gomem.config.located import Located, located
from pytest_gomem.errors import Place

MOST_ROUNDS = 1000
Rounds = int | Literal["auto"]


def rounds(node: Located) -> Rounds:
    """A whole number from 1 to 1000, or "auto"; raises ConfigError."""
    if node.value == "auto":
        return "auto"
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_ROUNDS:
        raise node.error(f'expected a whole number from 1 to {MOST_ROUNDS} or "auto", not {node.shown}')
    return value


def rounds_option(written: str) -> Rounds:
    """As `--gomem-rounds` takes it; raises ConfigError."""
    number = int(written) if written.isascii() and written.isdigit() and len(written) < 10 else written
    return rounds(located(number, Place(key="--gomem-rounds")))
