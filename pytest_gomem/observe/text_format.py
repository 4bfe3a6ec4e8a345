"""Reads a page in Prometheus' text format: the samples of a name with their labels, and the type of each metric."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property

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
_NAME = re.compile(r"^[ \t]*([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t{]", re.MULTILINE)
_TYPE = re.compile(r"^[ \t]*#[ \t]+TYPE[ \t]+(\S+)[ \t]+(\S+)[ \t\r]*$", re.MULTILINE)
_PARTS = {  # the sample's ending -> what it is, of a metric that has such parts
    "_sum": (HISTOGRAM, SUMMARY),
    "_count": (HISTOGRAM, SUMMARY),
    "_bucket": (HISTOGRAM,),
    "_total": (COUNTER,),  # OpenMetrics leaves it out of the name of the type
}
COUNTED_PARTS = ("_sum", "_count", "_bucket")

Labels = tuple[tuple[str, str], ...]


class TextPage:
    """A page in the text format. Only what is asked for is read of it, since it may have 10 000 lines."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def types(self) -> Mapping[str, str]:
        """The type of each metric, as the page gives it."""
        return {name: UNTYPED if kind == "unknown" else kind for name, kind in _TYPE.findall(self._text)}

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all samples."""
        return frozenset(_NAME.findall(self._text))

    def series(self, name: str) -> Mapping[Labels, float]:
        """The samples of that name by their labels; timestamps and exemplars are read over.

        Raises ObserveError, with the line, for another format, and for a sample that is there twice.
        """
        found: dict[Labels, float] = {}
        for line in re.finditer(rf"^[ \t]*{re.escape(name)}(?![a-zA-Z0-9_:]).*$", self._text, re.MULTILINE):
            number = self._text.count("\n", 0, line.start()) + 1
            labels, value = _sample(line[0].strip(" \t\r"), number)
            if labels in found:
                raise ObserveError(f"line {number}: {name} is there twice with the same labels")
            found[labels] = value
        return found

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
        return [f"{name}{ending}" for ending in COUNTED_PARTS if f"{name}{ending}" in self.names]


def parse_text_format(text: str) -> TextPage:
    """The page; raises ObserveError if its first line that is no comment is no sample, or if it has none."""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip(" \t\r")
        if stripped and not stripped.startswith("#"):
            _sample(stripped, number)
            return TextPage(text)
    raise ObserveError("the page has no sample")


def _sample(line: str, number: int) -> tuple[Labels, float]:
    found = SAMPLE.fullmatch(line.partition(" # ")[0]) or SAMPLE.fullmatch(line)
    if found is None:
        raise ObserveError(f"line {number} is not of the Prometheus text format: {line[:60]!r}")
    pairs = sorted((label, unescaped(value)) for label, value in _PAIR.findall(found["labels"] or ""))
    return tuple(pairs), float(found["value"])
