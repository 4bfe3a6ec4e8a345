"""Goroutines that came to be in a window and stayed, without those that are known."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from pytest_gomem.base.names import matches
from pytest_gomem.config.goroutine_globs import CREATED_BY
from pytest_gomem.measure.known_goroutines import known_goroutines, started_with
from pytest_gomem.observe.stacks import Goroutine, Stack, Stacks
from pytest_gomem.pprof.group import as_called


class Why(Enum):
    """Why a goroutine does not count as leaked."""

    KNOWN = "known"
    IGNORED = "ignored"
    ACCEPTED = "accepted"


class Uncounted(NamedTuple):
    """What goroutines do not count by: the name of a built-in rule, or a glob."""

    why: Why
    name: str


@dataclass(frozen=True)
class Exempt:
    """The globs of goroutines that do not count. accepted: those of gomem_accepted.yaml that hold today."""

    ignored: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()


@dataclass(frozen=True)
class LeftGoroutines:
    """The goroutines that are alive after a window and were not there before it.

    before, after: all of them, at the opening and at the last look. leaked: those that count. uncounted: how many of
    the others do not count by what. unmatched: if some leaked, globs of `Exempt.ignored` that no goroutine matches.
    ages: by number, seconds that one which leaked has at least lived, from the first look that saw it to the last.
    blocked: the numbers of those that nothing can wake. since_first_cycle: `before` is after the first of the test's
    cycles.
    """

    before: Stacks
    after: Stacks
    leaked: Mapping[int, Goroutine]
    uncounted: Mapping[Uncounted, int] = field(default_factory=dict)
    unmatched: tuple[str, ...] = ()
    ages: Mapping[int, float] = field(default_factory=dict)
    blocked: frozenset[int] = frozenset()
    since_first_cycle: bool = False


def means(glob: str, stack: Stack) -> bool:
    """Whether a glob is the name of a function on the stack, or of its creator; "created by GLOB" is the creator alone.

    A name may be written as Go prints it, or as reports show it: web.(*Page).show for example.com/app/web.(*Page).show.
    """
    creator = [stack.created_by.function] if stack.created_by else []
    if glob.startswith(CREATED_BY):
        glob, names = glob[len(CREATED_BY) :].strip(), creator
    else:
        names = [*(frame.function for frame in stack.frames), *creator]
    return any(matches(glob, name) or matches(glob, as_called(name)) for name in names)


def left_goroutines(before: Stacks, after: Stacks, exempt: Exempt) -> LeftGoroutines:
    """Compare the goroutines of two moments.

    Those that a rule or a glob means are taken out of both. Of the others, those whose number was not there before
    count; of each function and creator, as many are taken off as have ended: a worker that was replaced is no leak.
    """
    rules = _Rules(exempt)
    earlier, later = rules.sorted(before), rules.sorted(after)
    leaked: dict[int, Goroutine] = {}
    uncounted: dict[Uncounted, int] = {}
    for rule, found in later.items():
        new = {one.number: one for one in _new(earlier.get(rule, {}), found)}
        if rule is None:
            leaked = new
        elif new:
            uncounted[rule] = len(new)
    unmatched = _unmatched(exempt.ignored, {**before.counts, **after.counts}) if leaked else ()
    return LeftGoroutines(before, after, leaked, uncounted, tuple(unmatched))


def _unmatched(globs: Iterable[str], stacks: Iterable[Stack]) -> Iterator[str]:
    """The globs that mean no stack, not even one that another rule comes first for."""
    return (glob for glob in globs if not any(means(glob, stack) for stack in stacks))


def _new(before: Mapping[int, Goroutine], after: Mapping[int, Goroutine]) -> Iterator[Goroutine]:
    """The oldest of each function and creator that were not there before, less as many as have ended."""
    ended = Counter(_origin(one) for number, one in before.items() if number not in after)
    fresh: defaultdict[tuple[str, str], list[Goroutine]] = defaultdict(list)
    for number, one in after.items():
        if number not in before:
            fresh[_origin(one)].append(one)
    for origin, found in fresh.items():
        found.sort(key=lambda one: one.number)
        yield from found[: max(len(found) - ended[origin], 0)]


def _origin(goroutine: Goroutine) -> tuple[str, str]:
    """The functions of the go statement and around it, without lines and states: those change while it lives."""
    creator = goroutine.stack.created_by
    return started_with(goroutine.stack), creator.function if creator else ""


class _Rules:
    """Sorts goroutines by what they do not count by."""

    def __init__(self, exempt: Exempt) -> None:
        ignored = (Uncounted(Why.IGNORED, glob) for glob in exempt.ignored)
        self._rules = (*ignored, *(Uncounted(Why.ACCEPTED, glob) for glob in exempt.accepted))
        self._of_stack: dict[Stack, Uncounted | None] = {}

    def sorted(self, stacks: Stacks) -> dict[Uncounted | None, dict[int, Goroutine]]:
        """The goroutines by the first rule that means them; those that count have none."""
        found: defaultdict[Uncounted | None, dict[int, Goroutine]] = defaultdict(dict)
        known = known_goroutines(stacks.goroutines.values())
        for number, goroutine in stacks.goroutines.items():
            rule = known.get(number)
            found[Uncounted(Why.KNOWN, rule.name) if rule else self._rule(goroutine.stack)][number] = goroutine
        return found

    def _rule(self, stack: Stack) -> Uncounted | None:
        if stack not in self._of_stack:
            self._of_stack[stack] = next((rule for rule in self._rules if means(rule.name, stack)), None)
        return self._of_stack[stack]
