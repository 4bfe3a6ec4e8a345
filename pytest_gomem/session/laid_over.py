"""Reads the settings that a whole run lays over each of its launches: gogc=200,gomemlimit=240MiB."""

from __future__ import annotations

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.names import did_you_mean
from pytest_gomem.config.gc_settings import GC_KEYS, described
from pytest_gomem.config.memory_limit import MEMORY_LIMIT
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.session.run import overrides

KEYS = (*GC_KEYS, MEMORY_LIMIT)
_TO_THE_END = "godebug"  # its own values have commas
_EXAMPLE = "write KEY=VALUE, as in gogc=200,gomemlimit=240MiB"


def laid_over(written: str) -> Overrides:
    """The settings of lines of KEY=VALUE, with commas between; `godebug` takes the rest of its line.

    Raises ConfigError or ConfigErrors for an unknown key, one that is given twice, or a value that is none.
    """
    found: dict[str, object] = {}
    for line in filter(None, map(str.strip, written.splitlines())):
        rest = line
        while rest:
            key, equals, after = rest.partition("=")
            key = key.strip()
            value, _, rest = (after, "", "") if key == _TO_THE_END else after.partition(",")
            if not equals or not value.strip():
                raise ConfigError(f"expected KEY=VALUE, not {line!r}", hint=_EXAMPLE)
            if key not in KEYS:
                raise ConfigError(f"unknown setting '{key}'", hint=did_you_mean(key, KEYS))
            if key in found:
                raise ConfigError(f"'{key}' is given twice")
            found[key] = _plain(value.strip())
    return overrides(found, Place())


def _plain(value: str) -> object:
    """The value that the text would be in gomem.yaml."""
    if value in ("true", "false"):
        return value == "true"
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else value


def laid_over_words(settings: Overrides) -> str:
    """Such as "gogc=200, gomemlimit=240MiB"."""
    every = {**described(settings.gc), MEMORY_LIMIT: str(settings.memory_limit)}
    return ", ".join(f"{key}={value}" for key, value in every.items() if key in settings.said)
