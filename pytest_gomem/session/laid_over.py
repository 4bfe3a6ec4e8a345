"""Reads the settings that a whole run lays over each of its launches: gogc=200,gomemlimit=240MiB."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.names import did_you_mean
from pytest_gomem.config.fields import Mistakes
from pytest_gomem.config.gc_settings import GC_KEYS, described
from pytest_gomem.config.memory_limit import MEMORY_LIMIT
from pytest_gomem.launch.launcher import Overrides
from pytest_gomem.session.run import overrides

KEYS = (*GC_KEYS, MEMORY_LIMIT)
_TO_THE_END = "godebug"  # its own values have commas
_EXAMPLE = "write KEY=VALUE, as in gogc=200,gomemlimit=240MiB, or SERVICE.KEY=VALUE"


def laid_over(written: str) -> Mapping[str, Overrides]:
    """By service, "" for all of them, the settings of lines of KEY=VALUE or SERVICE.KEY=VALUE.

    Commas stand between them; `godebug` takes the rest of its line. Raises ConfigError or ConfigErrors for an unknown
    key, one that is given twice, or a value that is none.
    """
    found: dict[str, dict[str, object]] = {}
    for line in filter(None, map(str.strip, written.splitlines())):
        rest = line
        while rest:
            name, equals, after = rest.partition("=")
            service, _, key = name.strip().rpartition(".")
            value, _, rest = (after, "", "") if key == _TO_THE_END else after.partition(",")
            if not equals or not value.strip():
                raise ConfigError(f"expected KEY=VALUE, not {line!r}", hint=_EXAMPLE)
            if key not in KEYS:
                raise ConfigError(f"unknown setting '{key}'", hint=did_you_mean(key, KEYS))
            if key in found.setdefault(service, {}):
                raise ConfigError(f"'{name.strip()}' is given twice")
            found[service][key] = _plain(value.strip())
    mistakes, read = Mistakes(), {}
    for service, settings in found.items():
        with mistakes.kept():
            read[service] = overrides(settings, Place())
    mistakes.raise_all()
    return read


def _plain(value: str) -> object:
    """The value that the text would be in gomem.yaml."""
    if value in ("true", "false"):
        return value == "true"
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else value


def laid_over_words(settings: Mapping[str, Overrides]) -> str:
    """Such as "gogc=200, api.gomemlimit=240MiB"."""
    return ", ".join(
        f"{service and service + '.'}{key}={value}"
        for service, one in settings.items()
        for key, value in {**described(one.gc), MEMORY_LIMIT: str(one.memory_limit)}.items()
        if key in one.said
    )


def check_services(settings: Mapping[str, Overrides], known: Collection[str]) -> None:
    """Raise ConfigError for settings of a service that is not there."""
    for service in settings:
        if service and service not in known:
            raise ConfigError(
                f"--gomem-set names '{service}', which is not a service", hint=did_you_mean(service, known)
            )
