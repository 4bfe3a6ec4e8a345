"""The names of metrics that a service publishes itself: "prom:NAME{label=value}" and "expvar:PATH"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.base.names import nearest
from pytest_gomem.base.units import BYTES, BYTES_PER_OP, COUNT, COUNT_PER_OP, RATIO, SECONDS, SECONDS_PER_OP, Unit

PROM, EXPVAR = "prom", "expvar"
COUNTER, GAUGE, PER_OP = "counter", "gauge", "per_op"
_KINDS = (COUNTER, GAUGE)

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*")
_VALUE = re.compile(r"""\s*(?:"((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'|([^"'{},=\\]*))\s*""")
_BARE = re.compile(r"[^\s\"'{},=~\\]+")
_LIKE_PER_OP = re.compile(r"per[-_]?o")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n"}
_EXAMPLE = 'such as "prom:http_requests_total{code=500}"'
_BASE = {"bytes": (BYTES, BYTES_PER_OP), "seconds": (SECONDS, SECONDS_PER_OP), "ratio": (RATIO, COUNT_PER_OP)}
UNITS = (BYTES, SECONDS, RATIO, COUNT, BYTES_PER_OP, SECONDS_PER_OP, COUNT_PER_OP)
# What such a name looks like, for the JSON Schema.
_SAID = r"(\s*(counter|gauge|per_op))*\s*$"
_IN_BRACES = r"""([^"'{}=!]|=(?!~)|!(?![=~])|"([^"\\]|\\.)*"|'([^'\\]|\\.)*')*"""
NAMES = rf"^(prom:\s*[a-zA-Z_:][a-zA-Z0-9_:]*\s*(\{{{_IN_BRACES}\}})?{_SAID}|expvar:\s*\S)"
_UNIT = re.compile(r"(?:^|_)(bytes|seconds|ratio)(?:_total|_sum)?$")
_UNIT_OF_VARIABLE = re.compile(r"(?:^|_|(?<=[a-z]))(bytes|Bytes|seconds|Seconds|ratio|Ratio)$")


@dataclass(frozen=True)
class OwnMetric:
    """A figure on a page of the service, as a budget names it.

    page: "prom" or "expvar". name: of the sample, or the path. labels: those that a series must have, sorted by name.
    kind: "counter" or "gauge" if the budget says so, "" if it leaves it to the page. per_op: of one operation.
    """

    page: str
    name: str
    labels: tuple[tuple[str, str], ...] = ()
    kind: str = ""
    per_op: bool = False

    @property
    def series(self) -> str:
        """The sample with its labels, or the path: http_requests_total{code=500}."""
        told = ",".join(f"{label}={_written(value)}" for label, value in self.labels)
        return f"{self.name}{{{told}}}" if told else self.name

    def __str__(self) -> str:
        """The one spelling of the metric, whichever a budget uses."""
        words = [f"{self.page}:{self.series}", self.kind, PER_OP if self.per_op else ""]
        return " ".join(filter(None, words))

    @property
    def unit(self) -> Unit:
        """By the end of its name: _bytes, _seconds or _ratio, also before _total and _sum; else a plain number."""
        ending = _UNIT.search(self.name) if self.page == PROM else _UNIT_OF_VARIABLE.search(self.name)
        base = _BASE[ending[1].lower()] if ending else (COUNT, COUNT_PER_OP)
        return base[self.per_op]


def is_own(metric: str) -> bool:
    """Whether a metric's name means a figure on a page of the service."""
    return metric.startswith((f"{PROM}:", f"{EXPVAR}:"))


@lru_cache(maxsize=1024)
def own_metric(written: str) -> OwnMetric:
    """What such a name means; raises ConfigError, without a place, for a malformed one."""
    page, _, rest = written.partition(":")
    return _of_prometheus(rest) if page == PROM else _of_expvar(rest)


def parsed(written: str, place: Place) -> OwnMetric:
    """What such a name means; raises ConfigError with the place for a malformed one."""
    try:
        return own_metric(written)
    except ConfigError as error:
        raise ConfigError(error.message, place, error.hint) from None


def _of_expvar(rest: str) -> OwnMetric:
    path, words = rest.strip(), list[str]()
    while (cut := path.rpartition(" "))[2] in (*_KINDS, PER_OP):
        path, words = cut[0].rstrip(), [cut[2], *words]
    if (last := path.rpartition(" ")[2]) != path and _LIKE_PER_OP.match(last):
        raise ConfigError(f"'{last}' cannot follow the name of the metric", hint=f"did you mean {PER_OP}?")
    if not path or not all(path.split(".")):
        raise ConfigError(f"'expvar:{rest}' names no variable", hint='such as "expvar:cache.entries"')
    return OwnMetric(EXPVAR, path, (), *_said(words))


def _of_prometheus(rest: str) -> OwnMetric:
    text = rest.strip()
    name = _NAME.match(text)
    if name is None:
        raise ConfigError(f"'prom:{rest}' names no metric: a name has letters, digits, _ and :", hint=_EXAMPLE)
    labels, end = _labels(text, _blank(text, name.end()))
    tail = text[end:]
    if tail and end == name.end():
        raise ConfigError(f"'prom:{rest}': '{tail[0]}' is in no name of a Prometheus metric", hint=_EXAMPLE)
    return OwnMetric(PROM, name[0], labels, *_said(tail.split()))


def _said(words: list[str]) -> tuple[str, bool]:
    """The kind and per_op, in any order."""
    for word in words:
        if word not in (*_KINDS, PER_OP):
            near = nearest(word, (*_KINDS, PER_OP))
            hint = f"did you mean {near}?" if near else f"what may follow: {COUNTER}, {GAUGE}, {PER_OP}"
            raise ConfigError(f"'{word}' cannot follow the name of the metric", hint=hint)
    kinds = [word for word in words if word in _KINDS]
    if len(words) != len(set(words)) or len(kinds) > 1:
        raise ConfigError(f"'{' '.join(words)}' says it twice", hint=f"one of {COUNTER} and {GAUGE}, then {PER_OP}")
    if GAUGE in kinds and PER_OP in words:
        raise ConfigError("a gauge has no figure per operation", hint=f"only what is counted has one: {COUNTER}")
    return (kinds[0] if kinds else "", PER_OP in words)


def _labels(text: str, at: int) -> tuple[tuple[tuple[str, str], ...], int]:
    """The labels in braces that begin there, sorted, and where they end."""
    if text[at : at + 1] != "{":
        return (), at
    found: dict[str, str] = {}
    at = _blank(text, at + 1)
    while text[at : at + 1] != "}":
        label, value, at = _pair(text, at)
        if label in found:
            raise ConfigError(f"the label '{label}' is given twice in 'prom:{text}'")
        found[label] = value
        if text[at : at + 1] == ",":
            at = _blank(text, at + 1)
        elif text[at : at + 1] != "}":
            raise _torn(text, at)
    return tuple(sorted(found.items())), at + 1


def _pair(text: str, at: int) -> tuple[str, str, int]:
    label = _LABEL.match(text, at)
    if label is None:
        raise _torn(text, at)
    at = label.end()
    if text[at : at + 2] in ("=~", "!=", "!~"):
        raise ConfigError(
            f"'{text[at : at + 2]}' is not known here: 'prom:{text}'",
            hint="a label is matched with = alone; leave it out to take all its values",
        )
    if text[at : at + 1] != "=":
        raise _torn(text, at)
    value = _VALUE.match(text, at + 1)
    if value is None:
        raise _torn(text, at + 1)
    quoted = value[1] if value[1] is not None else value[2]
    return label[1], value[3].strip() if quoted is None else unescaped(quoted), value.end()


def _torn(text: str, at: int) -> ConfigError:
    where = f"before '{text[at:]}'" if text[at:] else "at its end"
    return ConfigError(
        f"'prom:{text}' has a mistake in its labels {where}",
        hint='write {label=value,other="with, commas"}; within quotes \\" \\\\ and \\n are escapes',
    )


def _blank(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def unescaped(value: str) -> str:
    """A label's value as it is between quotes: \\n is a line end, and a backslash before all else falls away."""
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), value) if "\\" in value else value


def _written(value: str) -> str:
    if _BARE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
