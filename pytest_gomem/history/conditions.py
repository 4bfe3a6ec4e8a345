"""The conditions under which a line was recorded, also in older files, and how those of two lines differ."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from pytest_gomem.judge import conditions
from pytest_gomem.judge.conditions import Difference

DEFINITION = "definition of "  # of a metric: figures of two versions do not compare
_NONE = "none"  # the value of a condition that is not given, such as a GOEXPERIMENT
_GC = ("gogc", "gomemlimit", "gomaxprocs")
_MACHINE = ("goos", "goarch", "page_size", "thp")
# The flags that change figures and contain no space; lines without conditions hold all flags as one text.
_FLAGS = ("-race", "-msan", "-asan", "-tags", "-pgo", "CGO_ENABLED", "GOEXPERIMENT", "GOAMD64", "GOARM64")


class Recorded(Protocol):
    """A line of the history, reduced to what it was measured under."""

    @property
    def conditions(self) -> Mapping[str, str]:
        """The conditions of the window; {} for a line from before they were kept."""

    @property
    def facts(self) -> Mapping[str, str]:
        """What else it was measured on."""


def differing_conditions(before: Recorded, now: Recorded) -> dict[str, Difference]:
    """The conditions that differ, by name. If a line has none, the conditions that both lines' facts hold."""
    if before.conditions and now.conditions:
        return conditions.changed(before.conditions, now.conditions, _NONE)
    if before.facts == now.facts:
        return {}
    old, new = _from_facts(before.facts), _from_facts(now.facts)
    both = old.keys() & new.keys()
    return conditions.changed({n: old[n] for n in both}, {n: new[n] for n in both}, _NONE)


def named(recorded: Recorded) -> Collection[str]:
    """The names of the conditions that a line holds."""
    return (recorded.conditions or _from_facts(recorded.facts)).keys()


def condition(recorded: Recorded, name: str) -> str | None:
    """The value of a condition; None if the line does not hold it."""
    if recorded.conditions:
        return conditions.said(recorded.conditions, name, _NONE)
    return _from_facts(recorded.facts).get(name)


def _from_facts(facts: Mapping[str, str]) -> dict[str, str]:
    """The conditions that facts hold, by name."""
    return dict(_pairs(facts))


def _pairs(facts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """GC settings without the words after them; estimated ones are left out."""
    minor = re.match(r"go\d+\.\d+", facts.get("go_version", ""))
    if minor:
        yield "go", minor[0]
    for name in _GC:
        value = facts.get(f"gc.{name}", "").partition(",")[0]
        if value and " " not in value:
            yield name, value
    for name in _MACHINE:
        if facts.get(name):
            yield name, facts[name]
    yield from (pair for pair in facts.items() if pair[0].startswith(DEFINITION))
    if "flags" in facts:
        flags = {flag.partition("=")[0]: flag for flag in facts["flags"].split()}
        yield "build", " ".join(sorted(_without_folder(flags[name]) for name in _FLAGS if name in flags)) or "plain"


def _without_folder(flag: str) -> str:
    name, _, value = flag.partition("=")
    return f"{name}={value.rpartition('/')[2]}" if name == "-pgo" else flag
