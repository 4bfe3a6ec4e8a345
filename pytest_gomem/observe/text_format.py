"""Reads a whole page in Prometheus' text format: every sample with its labels, and the type of every metric."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_gomem.base.errors import ObserveError
from pytest_gomem.config.own_metrics import unescaped

COUNTER, GAUGE, HISTOGRAM, SUMMARY, UNTYPED = "counter", "gauge", "histogram", "summary", "untyped"

LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*[ \t]*=[ \t]*"(?:[^"\\\n]|\\[\\"n])*"[ \t]*'
SAMPLE = re.compile(
    r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]*"
    rf"(?P<labels>\{{[ \t]*(?:{LABEL}(?:,[ \t]*{LABEL})*(?:,[ \t]*)?)?\}}[ \t]*)?"
    r"(?<=[ \t}])(?P<value>[+-]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[Ii]nf|NaN))"
    r"(?:[ \t]+-?[0-9]+)?[ \t]*"
)
_PAIR = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"')
_PARTS = {  # the sample's ending -> what it is, of a metric that has such parts
    "_sum": (HISTOGRAM, SUMMARY),
    "_count": (HISTOGRAM, SUMMARY),
    "_bucket": (HISTOGRAM,),
    "_total": (COUNTER,),  # OpenMetrics leaves it out of the name of the type
}
COUNTED_PARTS = ("_sum", "_count", "_bucket")

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TextPage:
    """What a page holds. types: by metric, as the page gives them. series: by sample name, each by its labels."""

    types: Mapping[str, str]
    series: Mapping[str, Mapping[Labels, float]]

    def type_of(self, name: str) -> str:
        """The type of a sample: its own, or "counter" for the parts that a histogram or summary counts."""
        own = self.types.get(name)
        if own is not None:
            return own
        for ending, kinds in _PARTS.items():
            if name.endswith(ending) and self.types.get(name.removesuffix(ending)) in kinds:
                return COUNTER
        return UNTYPED

    def parts(self, name: str) -> Sequence[str]:
        """The samples that a histogram or summary of this name has in its place."""
        return [f"{name}{ending}" for ending in COUNTED_PARTS if f"{name}{ending}" in self.series]


def parse_text_format(text: str) -> TextPage:
    """Every sample and type of a page; timestamps, exemplars and other comments are read over.

    Raises ObserveError, with the line, for another format, a repeated sample, or a page without any sample.
    """
    types: dict[str, str] = {}
    series: dict[str, dict[Labels, float]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip(" \t\r")
        if stripped.startswith("#"):
            words = stripped.split(None, 3)
            if words[:2] == ["#", "TYPE"] and len(words) == 4:
                types[words[2]] = UNTYPED if words[3] == "unknown" else words[3]
        elif stripped:
            name, labels, value = _sample(stripped, number)
            known = series.setdefault(name, {})
            if labels in known:
                raise ObserveError(f"line {number}: {name} is there twice with the same labels")
            known[labels] = value
    if not series:
        raise ObserveError("the page has no sample")
    return TextPage(types, series)


def _sample(line: str, number: int) -> tuple[str, Labels, float]:
    found = SAMPLE.fullmatch(line.partition(" # ")[0]) or SAMPLE.fullmatch(line)
    if found is None:
        raise ObserveError(f"line {number} is not of the Prometheus text format: {line[:60]!r}")
    pairs = sorted((label, unescaped(value)) for label, value in _PAIR.findall(found["labels"] or ""))
    return found["name"], tuple(pairs), float(found["value"])
