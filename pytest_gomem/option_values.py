"""Owns the options whose text stands for something else: it is read, and refused, before any test runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_gomem.base.errors import ConfigError

if TYPE_CHECKING:
    from pytest_gomem.config.marker import Rounds
    from pytest_gomem.options import Said

OFF = "off"
PROFILE_SIZE = 64 * 1024  # bytes of a baseline's heap profile at most, unless said
_LEAST_PROFILE_SIZE = 4096  # leaves room for some lines


def sample_rate(options: Said) -> float | None:
    """Samples a second of --gomem-sample-rate, None where it is not said; raises ConfigError."""
    written = options["sample-rate"]
    if written is None:
        return None
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
    from pytest_gomem.config.marker import rounds_option

    return rounds_option(str(written))


def confirm(options: Said) -> int | None:
    """The rounds of --gomem-confirm, None where it is not said; raises ConfigError."""
    written = options["confirm"]
    if written is None:
        return None
    from pytest_gomem.config.marker import confirm_option
    from pytest_gomem.stats.decision import FEWEST

    return confirm_option(str(written), FEWEST)


def baseline_profile_size(options: Said) -> int:
    """Bytes of --gomem-baseline-profile-size; raises ConfigError."""
    written = options["baseline-profile-size"]
    if written is None:
        return PROFILE_SIZE
    from pytest_gomem.base.units import BYTES, parse_quantity

    try:
        size = parse_quantity(written, BYTES).value
    except ValueError as error:
        raise ConfigError(f"--gomem-baseline-profile-size: {error}") from None
    if size < _LEAST_PROFILE_SIZE:
        raise ConfigError(f"--gomem-baseline-profile-size: expected at least 4KiB, not {written!r}")
    return int(size)


def check(options: Said) -> None:
    """Raise ConfigError for the first option that cannot be read."""
    sample_rate(options)
    rounds(options)
    confirm(options)
    baseline_profile_size(options)
