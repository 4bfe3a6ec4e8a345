"""Owns how many rounds a test is to run, as a marker or an option says it."""

from __future__ import annotations

from typing import Literal

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.config.located import Located, located

MOST_ROUNDS = 1000
Rounds = int | Literal["auto"]


def parse_rounds(node: Located) -> Rounds:
    """A whole number from 1 to 1000, or "auto"; raises ConfigError."""
    if node.value == "auto":
        return "auto"
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_ROUNDS:
        raise node.error(f'expected a whole number from 1 to {MOST_ROUNDS} or "auto", not {node.shown}')
    return value


def confirm_option(written: str, fewest: int) -> int:
    """As `--gomem-confirm` takes it; raises ConfigError."""
    number = _number(written)
    if isinstance(number, str) or not fewest <= number <= MOST_ROUNDS:
        raise ConfigError(f"--gomem-confirm: expected a whole number from {fewest} to {MOST_ROUNDS}, not {written!r}")
    return number


def rounds_option(written: str) -> Rounds:
    """As `--gomem-rounds` takes it; raises ConfigError."""
    return parse_rounds(located(_number(written), Place(key="--gomem-rounds")))


def _number(written: str) -> int | str:
    return int(written) if written.isascii() and written.isdigit() and len(written) < 10 else written
