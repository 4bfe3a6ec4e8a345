"""Owns what --gomem-against and --gomem-against-go say: read, and refused, before any test runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_gomem.base.errors import ConfigError
from pytest_gomem.option_values import OFF

if TYPE_CHECKING:
    from pytest_gomem.config.file import GomemConfig
    from pytest_gomem.launch.sides import Against
    from pytest_gomem.options import Said

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
