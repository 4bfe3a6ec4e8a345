"""Owns folded stacks, the text that flame graph tools read: "main.main;main.work 4096", one stack a line."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_gomem.pprof.aggregate import weights
from pytest_gomem.pprof.group import frames_of
from pytest_gomem.pprof.model import Profile, location_ids


def folded(profile: Profile, sample: str = "", by: str = "function") -> Iterator[str]:
    """A line for each distinct stack, from the root to the leaf, and its value; sorted, without those of value 0.

    A semicolon in a name is written as a colon, as the format has no way to quote it. Raises ProfileError as
    `aggregate` does.
    """
    values = profile.values[profile.sample_index(sample)]
    names: dict[int, list[str]] = {}
    sums: dict[str, int] = {}
    for stack, value in weights(profile.stacks, values).items():
        frames: list[str] = []
        for number in location_ids(stack):
            if number not in names:
                keyed = frames_of(profile.location(number), by)
                names[number] = [str(frame).replace(";", ":") for _, frame in keyed]
            frames += names[number]
        line = ";".join(reversed(frames))
        sums[line] = sums.get(line, 0) + value
    for line, value in sorted(sums.items()):
        if value:
            yield f"{line} {value}"
