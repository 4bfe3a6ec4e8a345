"""Groups goroutines by what they wait for, the function that waits, and the call that created them."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import NamedTuple

from pytest_gomem.attribution.origin import Chain, Origins, Site
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.measure.left_goroutines import LeftGoroutines
from pytest_gomem.observe.stacks import Frame, Goroutine, Stack, Stacks
from pytest_gomem.pprof.group import package_of
from pytest_gomem.pprof.model import Function, Line, Location, Profile, ValueType, pack

MOST_GROUPS = 50
MOST_CALLS = 6  # shown of one stack


@dataclass(frozen=True)
class GoroutineGroup:
    """Goroutines of one state, in one function, created by one other function.

    function, file, line: the call of the user's own module nearest to the top of the stack; without one that of a
    library; without that, the function that the goroutine was started with.
    created_by: such as "main.(*Server).start (server.go:42)"; "" for the main goroutine.
    before, after: how many there were, rounded means of several rounds; before is None if that is not known.
    stack: the calls that stand on most of their stacks, innermost first, such as "sync.(*Mutex).Lock
    (sync/mutex.go:46)"; without the runtime's own, and at most 6.
    leaked: how many of them count as leaked, None if nobody looked. waiting: seconds that one of those which leaked has
    waited at least, in whole minutes as Go tells them, None if less than one. age: seconds that one of them has at
    least lived, None if unknown. blocked: how many of them nothing can wake.
    """

    state: str
    function: str
    file: str
    line: int
    created_by: str
    before: int | None
    after: int
    stack: tuple[str, ...] = ()
    leaked: int | None = None
    waiting: float | None = None
    age: float | None = None
    blocked: int = 0

    @property
    def growth(self) -> int:
        """How many more there are than before; all of them if that is not known."""
        return self.after - (self.before or 0)


class _Key(NamedTuple):
    """Functions alone: the lines of two versions differ."""

    state: str
    function: str
    creator: str


@dataclass
class _Group:
    """Goroutines of all rounds of a side, by their stacks; each stack with the site that it is charged to."""

    before: int = 0
    after: int = 0
    stacks: Counter[tuple[Stack, Site]] = field(default_factory=Counter)
    leaked: list[Goroutine] = field(default_factory=list)


def goroutine_groups(
    before: Sequence[Stacks], after: Sequence[Stacks], module: GoModule, left: LeftGoroutines | None = None
) -> tuple[GoroutineGroup, ...]:
    """The 50 groups that leaked most, then those that grew most; the agent's goroutines are in none.

    before, after: the stacks of one or more rounds, such as at the opening and the close of windows, or at the closes
    of base and head. Without any before, that is not known. module: the user's own. left: what leaked, of `after`.
    """
    leaked = defaultdict[Stack, list[Goroutine]](list)
    for one in left.leaked.values() if left else ():
        leaked[one.stack].append(one)
    found: defaultdict[_Key, _Group] = defaultdict(_Group)
    profiles = [_profile(one) for one in (*before, *after)]
    origins = Origins(module, profiles)
    for number, (stacks, profile) in enumerate(zip((*before, *after), profiles, strict=True)):
        for (stack, count), chain in zip(stacks.counts.items(), origins.chains(profile), strict=True):
            if chain is None:
                continue
            site = _site(chain, stack, origins, module)
            creator = stack.created_by.function if stack.created_by else ""
            group = found[_Key(stack.state, site.function, creator)]
            if number < len(before):
                group.before += count
            else:
                group.after += count
                group.stacks[stack, site] += count
                group.leaked += leaked[stack]
            group.stacks.setdefault((stack, site), 0)
    rows = [_row(key, group, len(before), len(after), origins, left) for key, group in found.items()]
    rows.sort(key=lambda row: (-(row.leaked or 0), -row.growth, -row.after, row.function, row.state, row.created_by))
    return tuple(row for row in rows if row.before or row.after)[:MOST_GROUPS]


def _row(
    key: _Key,
    group: _Group,
    rounds_before: int,
    rounds_after: int,
    origins: Origins,
    left: LeftGoroutines | None,
) -> GoroutineGroup:
    leaked = Counter(one.stack for one in group.leaked)
    (stack, site), _ = max(group.stacks.items(), key=lambda one: (leaked[one[0][0]], one[1], one[0]))
    row = GoroutineGroup(
        key.state,
        *site,
        _text(stack.created_by, origins) if stack.created_by else "",
        round(group.before / rounds_before) if rounds_before else None,
        round(group.after / rounds_after) if rounds_after else 0,
        tuple(islice((_text(frame, origins) for frame in _telling(stack.frames)), MOST_CALLS)),
    )
    if left is None:
        return row
    return replace(
        row,
        leaked=len(group.leaked),
        waiting=max((60.0 * one.minutes for one in group.leaked), default=0.0) or None,
        age=max((left.ages[one.number] for one in group.leaked if one.number in left.ages), default=None),
        blocked=sum(one.number in left.blocked for one in group.leaked),
    )


def _site(chain: Chain, stack: Stack, origins: Origins, module: GoModule) -> Site:
    """What the stack is charged to. The innermost call of the standard library tells nothing: all end in a few."""
    nearest = chain.sites[0]
    package = package_of(nearest.function)
    if module.is_own(package) or module.third_party(package):
        return nearest
    started = [frame for frame in stack.frames if package_of(frame.function) != "runtime"]
    return Site(*_placed(started[-1], origins)) if started else nearest


def _telling(frames: Sequence[Frame]) -> Iterator[Frame]:
    """A function that calls itself once, and without the calls at the top that belong to the runtime."""
    start = next((at for at, frame in enumerate(frames) if not _is_internal(frame.function)), 0)
    for _, calls in groupby(frames[start:], key=lambda frame: frame.function):
        yield next(calls)


def _is_internal(function: str) -> bool:
    package = package_of(function)
    return package == "runtime" or package.startswith("internal/") or ".runtime_" in function


def _text(frame: Frame, origins: Origins) -> str:
    function, file, line = _placed(frame, origins)
    return f"{function} ({file}:{line})"


def _placed(frame: Frame, origins: Origins) -> Frame:
    return frame._replace(file=origins.short(frame.file, package_of(frame.function)))


def _profile(stacks: Stacks) -> Profile:
    """The same stacks as a profile, to be charged like any other."""
    numbers: dict[Frame, int] = {}
    rows = [pack(numbers.setdefault(frame, len(numbers) + 1) for frame in stack.frames) for stack in stacks.counts]
    places = {number: Location(None, 0, (_line(frame),), False) for frame, number in numbers.items()}
    counts = array("q", stacks.counts.values())
    return Profile((ValueType("goroutines", "count"),), rows, (counts,), None, places)


def _line(frame: Frame) -> Line:
    return Line(Function(frame.function, frame.function, frame.file, 0), frame.line, 0)
