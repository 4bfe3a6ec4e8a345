"""Makes a heap profile compact: what it takes to name culprits, in few and reproducible bytes.

Lines keep their sums to the byte; the callers of small ones are dropped. So a later profile can be compared with it
line by line, as with the whole one.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from pytest_gomem.attribution.origin import Chain, Origins, Site
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.pprof.group import package_of
from pytest_gomem.pprof.merge import merge
from pytest_gomem.pprof.model import Label, Location, Profile, location_ids, pack
from pytest_gomem.pprof.write import compressed

WHOLE_STACKS = 0.99  # of each sample type: the largest stacks, up to this share, keep all frames
_LEFT_OUT = "gomem left out lines that have at most: "


@dataclass(frozen=True, eq=False)
class _Row:
    """A sample: its stack, size label, values, and the line it is charged to."""

    stack: tuple[Location, ...]
    labels: tuple[Label, ...]
    values: tuple[int, ...]
    chain: Chain

    @property
    def site(self) -> Site:
        return self.chain.sites[0]

    @cached_property
    def order(self) -> tuple[object, ...]:
        """A sort key: the largest first, independent of the runtime's order."""
        return tuple(-value for value in self.values), [location.lines for location in self.stack], str(self.labels)

    @cached_property
    def cut(self) -> tuple[Location, ...]:
        """The stack up to the line that it is charged to."""
        for at, location in enumerate(self.stack):
            if any((line.function.name, line.line) == (self.site.function, self.site.line) for line in location.lines):
                return self.stack[: at + 1]
        return self.stack[:1]


def compact(profile: Profile, module: GoModule, most: int) -> bytes:
    """A gzipped profile of at most `most` bytes, which every pprof tool reads; the same profile gives the same bytes.

    It has no addresses, times or folders of this machine, and no allocations of the measuring itself. If even stacks
    that end at their charged line are too many, the smallest lines are left out: see `left_out`. Raises ProfileError
    for another kind of profile.
    """
    plain = merge([_without_machine(profile, module)])
    rows = _rows(plain, module)
    large = _large(rows)
    for keeps_whole in (large.__contains__, lambda _: False):
        data = _written(plain, rows, keeps_whole)
        if len(data) <= most or not rows:
            return data
    return _of_largest_lines(plain, rows, most)


def left_out(profile: Profile, sample_type: str) -> int:
    """The most that a line missing in a compact profile may have had; 0 if none was left out."""
    said = next((comment for comment in profile.comments if comment.startswith(_LEFT_OUT)), "")
    found = re.search(rf"\b{re.escape(sample_type)} (\d+)", said)
    return int(found[1]) if found else 0


def _without_machine(profile: Profile, module: GoModule) -> Profile:
    """The profile without addresses, binaries and times, and with file names relative to module or import path."""
    origins = Origins(module, [profile])
    return profile._replace(
        locations={number: _plain(location, origins) for number, location in profile.locations.items()},
        binaries=(),
        time_nanos=0,
        duration_nanos=0,
        comments=(),
    )


def _plain(location: Location, origins: Origins) -> Location:
    lines = tuple(
        line._replace(function=line.function._replace(filename=_imported(line.function.filename, name, origins)))
        for line in location.lines
        for name in (line.function.name,)
    )
    return Location(None, 0, lines, is_folded=False)


def _imported(file: str, function: str, origins: Origins) -> str:
    package = package_of(function)
    short = origins.short(file, package)
    return f"{package}/{posixpath.basename(short)}" if short.startswith("/") else short


def _rows(profile: Profile, module: GoModule) -> list[_Row]:
    chains = Origins(module, [profile]).chains(profile)
    labels: Sequence[tuple[Label, ...]] = profile.labels or [()] * len(profile.stacks)
    rows = (
        _Row(tuple(profile.location(number) for number in location_ids(stack)), tags, values, chain)
        for stack, tags, values, chain in zip(
            profile.stacks, labels, zip(*profile.values, strict=True), chains, strict=True
        )
        if chain is not None
    )
    return sorted(rows, key=lambda row: row.order)


def _large(rows: Sequence[_Row]) -> set[_Row]:
    """The fewest rows that together make up enough of each sample type."""
    found: set[_Row] = set()
    for column in range(len(rows[0].values) if rows else 0):
        missing = WHOLE_STACKS * sum(row.values[column] for row in rows)
        for row in sorted(rows, key=lambda row: -row.values[column]):
            if missing <= 0:
                break
            missing -= row.values[column]
            found.add(row)
    return found


def _of_largest_lines(like: Profile, rows: Sequence[_Row], most: int) -> bytes:
    """The profile with as many of the largest lines as fit."""
    sums = _sums(rows)
    totals = [max(sum(values), 1) for values in zip(*sums.values(), strict=True)]
    shares = {site: max(v / total for v, total in zip(values, totals, strict=True)) for site, values in sums.items()}
    ranked = sorted(sums, key=lambda site: (-shares[site], site))

    def of_first(count: int) -> bytes:
        kept = set(ranked[:count])
        bounds = [max(values) for values in zip(*(sums[site] for site in ranked[count:]), strict=True)]
        amounts = ", ".join(f"{kind.type} {bound}" for kind, bound in zip(like.sample_types, bounds, strict=True))
        return _written(
            like._replace(comments=(_LEFT_OUT + amounts,)), [row for row in rows if row.site in kept], lambda _: False
        )

    fits, too_many = 0, len(ranked)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        fits, too_many = (middle, too_many) if len(of_first(middle)) <= most else (fits, middle)
    return of_first(fits)


def _sums(rows: Iterable[_Row]) -> dict[Site, tuple[int, ...]]:
    sums: dict[Site, tuple[int, ...]] = {}
    for row in rows:
        before = sums.get(row.site, (0,) * len(row.values))
        sums[row.site] = tuple(a + b for a, b in zip(before, row.values, strict=True))
    return sums


def _written(like: Profile, rows: Sequence[_Row], keeps_whole: Callable[[_Row], bool]) -> bytes:
    """The rows as a file; locations are numbered in order, and equal stacks are joined."""
    numbers: dict[Location, int] = {}
    stacks = [row.stack if keeps_whole(row) else row.cut for row in rows]
    packed = [pack([numbers.setdefault(location, len(numbers) + 1) for location in stack]) for stack in stacks]
    column = type(like.values[0])
    return compressed(
        merge(
            [
                like._replace(
                    stacks=packed,
                    values=tuple(column("q", [row.values[t] for row in rows]) for t in range(len(like.sample_types))),
                    labels=[row.labels for row in rows],
                    locations={number: location for location, number in numbers.items()},
                )
            ]
        )
    )
