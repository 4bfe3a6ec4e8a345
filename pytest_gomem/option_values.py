"""Owns the options whose text stands for something else: it is read, and refused, before any test runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_gomem.errors import ConfigError

if TYPE_CHECKING:
    from pytest_gomem.config.rounds import Rounds

Said = Mapping[str, "str | bool | None"]


def sample_rate(options: Said) -> float:
    """Samples a second of --gomem-sample-rate; raises ConfigError."""
    written = options["sample-rate"]
    if written is None:
        return 50.0
    try:
        rate = float(str(written))
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 1000:
        raise ConfigError(f"--gomem-sample-rate: expected samples a second in (0, 1000], not {written!r}")
    return rate


def rounds(options: Said) -> Rounds | None:
    """The rounds of --gomem-rounds, None where it is not said; raises ConfigError."""
    written = options["rounds"]
    if written is None:
        return None
    from pytest_gomem.config.rounds import rounds_option

    return rounds_option(str(written))


def check(options: Said) -> None:
    """Raise ConfigError for the first option that cannot be read."""
    sample_rate(options)
    rounds(options)
