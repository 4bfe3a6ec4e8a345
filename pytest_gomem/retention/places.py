"""Names the files of holders as those of culprits are named: relative to the module, to Go's own or another's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pytest_gomem.attribution.origin import Origins
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.pprof.group import package_of
from pytest_gomem.pprof.model import Function, Line, Location, Profile
from pytest_gomem.retention.model import Holder, Retention


def with_short_files(found: Retention, module: GoModule) -> Retention:
    """The same with short names of files. module: that the program was built from."""
    places = dict.fromkeys(place for holder in found.holders for place in _places(holder))
    locations = {
        number: Location(None, 0, (Line(Function(function, "", file, 0), 0, 0),), False)
        for number, (function, file) in enumerate(places, start=1)
    }
    origins = Origins(module, [Profile((), [], (), None, locations)])
    return replace(found, holders=tuple(_shortened(holder, origins) for holder in found.holders))


def _places(holder: Holder) -> Iterator[tuple[str, str]]:
    yield holder.function, holder.file
    yield from ((site.function, site.file) for site in holder.sites)


def _shortened(holder: Holder, origins: Origins) -> Holder:
    sites = (replace(one, file=origins.short(one.file, package_of(one.function))) for one in holder.sites)
    return replace(
        holder, file=origins.short(holder.file, package_of(holder.function)) if holder.file else "", sites=tuple(sites)
    )
