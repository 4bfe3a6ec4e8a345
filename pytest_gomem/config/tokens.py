"""Replaces tokens in a service's texts: {port}, {port:NAME}, {tmp}, ${VAR} and ${VAR:-default}."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.printable import printable

# A default may hold one level of braces, so that ${ADDR:-127.0.0.1:{port}} means what it seems to.
_TOKEN = re.compile(
    r"\$\{(?P<var>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>(?:[^{}]|\{[^{}]*\})*))?\}"
    r"|(?<!\$)\{port(?::(?P<port>[A-Za-z0-9_-]+))?\}"
    r"|(?<!\$)(?P<tmp>\{tmp\})"
)
_PORT = re.compile(r"(?<!\$)\{port(?::([A-Za-z0-9_-]+))?\}")

SHORTEST_HIDDEN = 8  # characters: a shorter value may be a common word, and would be hidden all over a log


def values_of_variables(texts: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """By value of each ${VAR} in these texts, what is shown instead: a password is "${DB_PASSWORD}".

    A value of several lines is there in its printable form too, as messages may hold it.
    """
    values = {environ.get(name, ""): f"${{{name}}}" for text in texts for name in _variables(text)}
    long = {value: shown for value, shown in values.items() if len(value) >= SHORTEST_HIDDEN}
    return {**long, **{printable(value): shown for value, shown in long.items()}}


def _variables(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        if match["var"]:
            yield match["var"]
            yield from _variables(match["default"] or "")


def unexpanded(text: str, values: Mapping[str, str]) -> str:
    """The text with `values` (see values_of_variables) replaced, the longest first."""
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, values[value])
    return text


def ports_named(texts: Iterable[str]) -> tuple[str, ...]:
    """The ports that the texts ask for, each once, in order of appearance; "" is the unnamed default port."""
    return tuple(dict.fromkeys(match[1] or "" for text in texts for match in _PORT.finditer(text)))


def expand(
    text: str, *, ports: Mapping[str, int], tmp: str, environ: Mapping[str, str], place: Place | None = None
) -> str:
    """Replace the tokens once; every other brace stays.

    As in a shell, the default after `:-` also stands in for an empty variable. Raises ConfigError for a variable that
    is unset and has no default, and for a port that is not in `ports`.
    """

    def replaced(match: re.Match[str]) -> str:
        if match["tmp"]:
            return tmp
        if match["var"]:
            return _variable(match["var"], match["default"])
        name = match["port"] or ""
        if name not in ports:
            raise ConfigError(f"{match[0]} in {text!r} names a port that no argument of the service uses", place)
        return str(ports[name])

    def _variable(name: str, default: str | None) -> str:
        value = environ.get(name)
        if default is not None:
            return value or _TOKEN.sub(replaced, default)
        if value is None:
            hint = f"set it, or give a default: ${{{name}:-...}}"
            raise ConfigError(f"the environment variable {name} in {text!r} is not set", place, hint)
        return value

    return _TOKEN.sub(replaced, text)
