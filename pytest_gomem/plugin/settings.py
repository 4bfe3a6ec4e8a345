"""The options whose text stands for something else: they are read, and refused, before any test runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_gomem.base.errors import ConfigError

if TYPE_CHECKING:
    from pytest_gomem.config.file import GomemConfig
    from pytest_gomem.config.marker import Rounds
    from pytest_gomem.launch.sides import Against
    from pytest_gomem.plugin.options import Said


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


_PATH_STARTS = ("/", "./", "../", "~")


class Asked(NamedTuple):
    """The base side as it was asked for, and remarks on it that a reader should see before the tests."""

    base: Against
    remarks: tuple[str, ...]

    @classmethod
    def judged(cls, options: Said, config: GomemConfig | None, started_in: Path, otherwise: Path) -> Asked:
        """Read the options; raises ConfigError or ToolchainError, also where there is nothing to compare.

        otherwise: where files go when the user's cache cannot be written.
        """
        from pytest_gomem.launch.sides import BaseSide

        if config is None:
            raise ConfigError(
                "there is no gomem.yaml, and so no service to compare", hint="name one: --gomem-config PATH"
            )
        base = _base(options, started_in, otherwise)
        return cls(base, BaseSide(base, otherwise).check(config.services.values()))

    def lines(self) -> tuple[str, ...]:
        """For the header of the run."""
        return (f"gomem: compared with {self.base}", *(f"gomem: {remark}" for remark in self.remarks))


def is_asked(options: Said) -> bool:
    """Whether tests are to be compared with another side."""
    return not options["no-compare"] and _is_named(options)


def _is_named(options: Said) -> bool:
    return _said(options, "against") is not None or _said(options, "against-go") is not None


def _said(options: Said, name: str) -> str | None:
    """None also for "off", by which a run does without what the ini file says."""
    written = options[name]
    return None if written is None or written == OFF else str(written)


def _base(options: Said, started_in: Path, otherwise: Path) -> Against:
    from pytest_gomem.launch.go_versions import named_toolchain
    from pytest_gomem.launch.sides import Against

    ref, go = _said(options, "against"), _said(options, "against-go")
    for name, written in (("against", ref), ("against-go", go)):
        if written is not None and not written.strip():
            hint = "where it comes from a variable, that is not set"
            raise ConfigError(f"--gomem-{name} is empty: there is nothing to compare with", hint=hint)
    ref, go = ref or "", go or ""
    binary = _binary(ref, started_in)
    if binary and go:
        raise ConfigError(
            "--gomem-against-go builds the base side, and --gomem-against names a binary", hint="keep one"
        )
    toolchain = named_toolchain(go, otherwise) if go else None
    return Against("" if binary else ref, binary, toolchain)


def _binary(written: str, started_in: Path) -> Path | None:
    """The program that the option names, None where it names a commit."""
    path = started_in / Path(written).expanduser()
    if written and path.is_file() and os.access(path, os.X_OK):
        return path.resolve()
    if written.startswith(_PATH_STARTS):
        wrong = f"{written} is a file that cannot be executed" if path.is_file() else f"there is no program {written}"
        raise ConfigError(f"--gomem-against: {wrong}")
    return None
