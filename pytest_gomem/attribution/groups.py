"""Growth that is spread over many lines: the function and the third-party module that have most of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from pytest_gomem.attribution.origin import Chain
from pytest_gomem.attribution.sampling import Line, sigma_of_all

LEAST = 0.1  # of the growth: a smaller part explains nothing


@dataclass
class _Group:
    """Lines with something in common, wholly or by some of their stacks, and by how much they grew together."""

    name: str = ""
    change: float = 0.0
    ours: list[Line] = field(default_factory=list)
    theirs: list[Line] = field(default_factory=list)

    def part_of(self, growth: int, sigmas: float) -> str:
        """Such as "24%"; "" if it is too small to explain anything, or may be chance."""
        least = max(LEAST * growth, sigmas * sigma_of_all([*self.ours, *self.theirs]))
        return f"{self.change / growth:.0%}" if growth and self.change >= least else ""


def largest_groups(ours: Iterable[Line], theirs: Iterable[Line], growth: int, sigmas: float) -> str:
    """Such as "; of the functions main.load has most: 24%, in 12 lines", "" if none has enough beyond chance.

    theirs: the lines of another side, less which `ours` counts. sigmas: how far a change must stand out of chance.
    """
    ours, theirs, words = list(ours), list(theirs), ""
    function = _largest(ours, theirs, lambda line, chain: line.site.function)
    if share := function.part_of(growth, sigmas):
        lines = f"{len(function.ours)} lines" if len(function.ours) > 1 else "1 line"
        words = f"; of the functions {function.name} has most: {share}, in {lines}"
    module = _largest(ours, theirs, lambda line, chain: next(iter(chain.modules), ""))
    if share := module.part_of(growth, sigmas):
        words += f"; of the third-party modules {module.name} has most: {share}"
    return words


def _largest(ours: Iterable[Line], theirs: Iterable[Line], name_of: Callable[[Line, Chain], str]) -> _Group:
    """The group that grew most, of those with a name."""
    groups: defaultdict[str, _Group] = defaultdict(_Group)
    for found, sign in ((ours, 1), (theirs, -1)):
        for line in found:
            for chain, change in line.stacks.items():
                name = name_of(line, chain)
                groups[name].name = name
                groups[name].change += sign * change / len(line.rounds)
            for name in {name_of(line, chain) for chain in line.stacks}:
                (groups[name].ours if sign > 0 else groups[name].theirs).append(line)
    named = (group for group in groups.values() if group.name)
    return max(named, key=lambda group: (group.change, group.name), default=_Group())
