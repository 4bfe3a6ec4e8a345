"""Owns what is cut from a profile by the names of its frames: drop_frames and keep_frames, focus and ignore."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

from pytest_gomem.pprof.backtracking import refuse_slow
from pytest_gomem.pprof.errors import ProfileError
from pytest_gomem.pprof.model import Location, Profile, location_ids, pack

_ARGUMENTS = r"\(anonymous namespace\)|operator\(\)|\("
_KEEP_STACK, _CUT_BELOW, _CUT = range(3)


def prune(profile: Profile) -> Profile:
    """The profile without the frames that its drop_frames names, and what they call; itself if it names none.

    As in `go tool pprof`: the outermost such frame is sought, below at least one other; keep_frames makes
    exceptions. Raises ProfileError when one of the two is no regular expression, or one that Python may take long over.
    """
    if not profile.drop_frames:
        return profile
    names = {line.function.name for place in profile.locations.values() for line in place.lines}
    for pattern in (profile.drop_frames, profile.keep_frames):
        refuse_slow(pattern, names)
    drop = _compiled(f"^(?:{profile.drop_frames})$")
    keep = _compiled(f"^(?:{profile.keep_frames})$") if profile.keep_frames else None
    dropped = {
        name for name in names if name and drop.search(_plain(name)) and not (keep and keep.search(_plain(name)))
    }
    actions, locations = {}, {}
    for number, location in profile.locations.items():
        actions[number], locations[number] = _cut_lines(location, dropped)
    known: dict[bytes, bytes] = {}
    for stack in set(profile.stacks):
        known[stack] = _cut_stack(stack, actions)
    return profile._replace(stacks=[known[stack] for stack in profile.stacks], locations=locations)


def select(profile: Profile, focus: str = "", ignore: str = "") -> Profile:
    """The samples with a frame that `focus` matches and none that `ignore` matches; both are regular expressions.

    They are searched in function names, file names and the names of binaries, as in `go tool pprof`: not in frames
    that drop_frames cuts, which the result has no more. Raises ProfileError when one of them is no regular expression.
    """
    profile = prune(profile)
    focused = _matching(profile, focus) if focus else None
    ignored = _matching(profile, ignore) if ignore else set()

    def wanted(stack: bytes) -> bool:
        numbers = set(location_ids(stack))
        return not (numbers & ignored) and (focused is None or bool(numbers & focused))

    known = {stack: wanted(stack) for stack in set(profile.stacks)}
    kept = [index for index, stack in enumerate(profile.stacks) if known[stack]]
    return profile._replace(
        stacks=[profile.stacks[index] for index in kept],
        values=tuple(type(column)("q", [column[index] for index in kept]) for column in profile.values),
        labels=None if profile.labels is None else [profile.labels[index] for index in kept],
    )


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own plans for "[[" are no concern of who reads a profile
            return re.compile(pattern)
    except re.error as error:
        raise ProfileError(f"'{pattern}' is no regular expression: {error}") from None


def _plain(name: str) -> str:
    """A function name without its argument list, and without the dot that some ABIs put before it."""
    name = name.removeprefix(".")
    arguments = next((match for match in re.finditer(_ARGUMENTS, name) if match[0] == "("), None)
    return name[: arguments.start()] if arguments else name


def _cut_lines(location: Location, dropped: set[str]) -> tuple[int, Location]:
    """What a stack does at this location, and the location without its dropped lines and those they call."""
    lines = location.lines
    for index in reversed(range(len(lines))):
        if lines[index].function.name in dropped:
            if index == len(lines) - 1:
                return _CUT, location
            return _CUT_BELOW, location._replace(lines=lines[index + 1 :])
    return _KEEP_STACK, location


def _cut_stack(stack: bytes, actions: Mapping[int, int]) -> bytes:
    numbers = list(location_ids(stack))
    below_another = False
    for index in reversed(range(len(numbers))):
        action = actions.get(numbers[index], _KEEP_STACK)
        if action == _KEEP_STACK:
            below_another = True
        elif below_another:
            return pack(numbers[index + 1 :] if action == _CUT else numbers[index:])
    return stack


def _matching(profile: Profile, pattern: str) -> set[int]:
    search = _compiled(pattern).search

    def matches(location: Location) -> bool:
        names = [name for line in location.lines for name in (line.function.name, line.function.filename)]
        return any(map(search, names)) or bool(location.binary and search(location.binary.filename))

    return {number for number, location in profile.locations.items() if matches(location)}
