"""The options of a pytest run, read once before any test is collected."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pytest_gomem.base.errors import ConfigError, ConfigErrors, Place
from pytest_gomem.config.fields import Mistakes
from pytest_gomem.plugin.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from pytest_gomem.config.marker import Rounds
    from pytest_gomem.launch.launcher import Overrides
    from pytest_gomem.launch.sides import Against
    from pytest_gomem.plugin.options import Given, Option
    from pytest_gomem.report.failure import TextOptions


@dataclass(frozen=True)
class Settings:
    """Each field is the option of that name, with its default if neither flag nor ini file gives it.

    Paths are absolute. diagnose: failed tests that are diagnosed at most, 0 for "off". cycles: how often each body runs
    in its window, 0 for once. against, against_go: what they name, even if no_compare makes them unused.
    head: the commit under test, None for the working tree. set: what is laid over launches, by service ("" for all of
    them), None for nothing.
    """

    config: Path | None = None
    json: Path | None = None
    html: Path | None = None
    history: Path | None = None
    markdown: Path | None = None
    markdown_key: str = ""
    gitlab: Path | None = None
    ci: Literal["auto", "off"] = "auto"
    artifacts: Path | None = None
    rounds: Rounds | None = None
    cycles: int = 0
    confirm: int | None = None
    diagnose: int = 20
    against: Against | None = None
    against_go: str | None = None
    head: str | None = None
    no_compare: bool = False
    update: bool = False
    force: bool = False
    set: Mapping[str, Overrides] | None = None
    baseline_dir: Path | None = None
    baseline_profiles: Path | Literal["off"] | None = None
    baseline_profile_size: int = 64 * 1024
    sample_rate: float | None = None
    strict: bool = False
    report_only: bool = False
    no_measure: bool = False

    @property
    def has_base_side(self) -> bool:
        """Whether tests are compared with another side."""
        return not self.no_compare and (self.against is not None or self.against_go is not None)

    @property
    def has_report(self) -> bool:
        """Whether a report is to be written, even of no test."""
        return any((self.json, self.markdown, self.gitlab))

    @property
    def enough(self) -> int:
        """The rounds of each side that confirm a regression."""
        from pytest_gomem.stats.decision import ENOUGH

        return self.confirm or ENOUGH


def text_options(settings: Settings, verbosity: int) -> TextOptions:
    """How failures are printed: whole from one -v on."""
    from pytest_gomem.base.files import from_here
    from pytest_gomem.report.failure import LINES, TextOptions

    return TextOptions(
        lines=None if verbosity > 0 else LINES,
        report=from_here(settings.json) if settings.json else "",
        artifacts=from_here(settings.artifacts) if settings.artifacts else "",
    )


def read_settings(config: pytest.Config) -> Settings:
    """Read every option; raises ConfigErrors with all mistakes."""
    mistakes, values = Mistakes(), dict[str, Any]()
    for option in OPTIONS:
        if (given := option.given(config)) is not None:
            with mistakes.kept():
                values[option.field] = _read(option, given)
    mistakes.raise_all()
    return Settings(**values)


def _read(option: Option, given: Given) -> object:
    place = Place(key=given.giver)
    if not given.text.strip():
        raise ConfigError(
            "expected a value, not an empty one", place, "where it comes from a variable, that is not set"
        )
    try:
        return option.parse(given.text, given.folder)
    except ValueError as error:
        raise ConfigError(str(error), place) from None
    except ConfigError as error:
        raise _at(error, place) from None
    except ConfigErrors as errors:
        raise ConfigErrors(_at(error, place) for error in errors.errors) from None


def _at(error: ConfigError, place: Place) -> ConfigError:
    """An error within an option's value, at the option; its key is that of the part."""
    return ConfigError(error.message, place.at(f"{place.key} {error.place.key}".rstrip()), error.hint)
