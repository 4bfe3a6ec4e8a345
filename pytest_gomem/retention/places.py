"""Names the files of holders as those of culprits are named: relative to the module, to Go's own or another's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from pytest_gomem.attribution.origin import Origins
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.pprof.group import package_of
from pytest_gomem.pprof.model import Function, Line, Location, Profile
from pytest_gomem.retention.model import Holder, Retention


class Places:
    """Short names of files. module: that the program was built from. known: functions of it with their files."""

    def __init__(self, module: GoModule, known: Iterable[tuple[str, str]]) -> None:
        lines = (Line(Function(function, "", file, 0), 0, 0) for function, file in dict.fromkeys(known))
        locations = {number: Location(None, 0, (line,), False) for number, line in enumerate(lines, start=1)}
        self._origins = Origins(module, [Profile((), [], (), None, locations)])

    def short(self, function: str, file: str) -> str:
        """The file of a function; "" if it has none."""
        return self._origins.short(file, package_of(function)) if file else ""


def with_short_files(found: Retention, module: GoModule) -> Retention:
    """The same with short names of files. module: that the program was built from."""
    places = Places(module, (place for holder in found.every_holder for place in _places(holder)))
    return found.with_holders(lambda holders: (_shortened(holder, places) for holder in holders))


def _places(holder: Holder) -> Iterator[tuple[str, str]]:
    yield holder.function, holder.file
    yield from ((site.function, site.file) for site in holder.sites)


def _shortened(holder: Holder, places: Places) -> Holder:
    sites = (replace(one, file=places.short(one.function, one.file)) for one in holder.sites)
    return replace(holder, file=places.short(holder.function, holder.file), sites=tuple(sites))
