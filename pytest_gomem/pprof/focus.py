"""Selects samples by regular expressions, as `go tool pprof -focus -ignore` does."""

from __future__ import annotations

import re
import warnings

from pytest_gomem.pprof.model import Location, Profile, ProfileError, location_ids


def select(profile: Profile, focus: str = "", ignore: str = "") -> Profile:
    """The samples with a frame that `focus` matches and none that `ignore` matches; both are regular expressions.

    They are searched in the names of functions, files and binaries. Without both, the profile is returned as it is.
    Raises ProfileError for a wrong regular expression.
    """
    if not (focus or ignore):
        return profile
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


def _matching(profile: Profile, pattern: str) -> set[int]:
    search = _compiled(pattern).search

    def matches(location: Location) -> bool:
        names = [name for line in location.lines for name in (line.function.name, line.function.filename)]
        return any(map(search, names)) or bool(location.binary and search(location.binary.filename))

    return {number for number, location in profile.locations.items() if matches(location)}


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # users need no warning about Python's plans for "[["
            return re.compile(pattern)
    except re.error as error:
        raise ProfileError(f"'{pattern}' is not a regular expression: {error}") from None
