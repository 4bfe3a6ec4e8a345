"""The text of holders: a sentence for each, their paths and allocation sites, and the largest types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import BYTES, COUNT, format_value
from pytest_gomem.judge.objects import share_text
from pytest_gomem.pprof.group import as_called
from pytest_gomem.report.text import clip_end, columns, percent, wrapped
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.retention.model import AllocationSite, Holder, HolderKind, ObjectCount, Retention, Step, largest_types

_NAMED = 3  # on the first screen
_LEAST = 0.05  # of what is to be explained: smaller holders are counted
_DETAILED = 6
_STEPS = 4  # of a path; longer ones are shown by their ends
_SITES, _TYPES, _ROOTS = 2, 5, 3
_TABLE = 20  # types


def holder_sentences(window: WindowRecord) -> Iterator[str]:
    """For the first screen: the holders that retain most, at most 3."""
    whole = _whole(window.objects, window.holders_of)
    for holder in _telling(window.holders)[:_NAMED]:
        sites = f"; {_allocated(holder.sites[:1])}" if holder.sites else ""
        yield printable(f"{_who(holder)}: {_amount(holder, whole)}{sites}")


def _telling(holders: Sequence[Holder]) -> list[Holder]:
    """Those that explain something: a twentieth of what lives or has grown, or that much more than on the other side.

    What Go's runtime holds explains nothing. If none is left, it is the first.
    """
    own = [holder for holder in holders if holder.kind is not HolderKind.RUNTIME]
    grown = [_growth(holder) for holder in own]
    if any(holder.before is not None for holder in holders):
        least = _LEAST * sum(more for more in grown if more > 0)
        found = [holder for holder, more in zip(own, grown, strict=True) if more > 0 and more >= least]
    else:
        found = [holder for holder in own if holder.share >= _LEAST]
    return found or list((own or holders)[:1])


def _growth(holder: Holder) -> int:
    """What it retains more than on the other side; all of it if that is not known."""
    return holder.retained - (holder.before or 0)


def holder_lines(window: WindowRecord, width: int) -> Iterator[str]:
    """A title, and for each holder what it retains, by which path, and where that was allocated; the largest types.

    Without holders, why there are none.
    """
    if not (window.holders or window.retention_note):
        return
    of = f" ({printable(window.holders_of)} alone)" if window.holders_of else ""
    yield f"held by{of}, from a heap dump"
    if window.retention_note:
        yield from wrapped(f"nobody is named: {printable(window.retention_note)}", width, "  ")
    told = _telling(window.holders)[:_DETAILED]
    yield from _listed(told, _whole(window.objects, window.holders_of), width)
    if rest := len(window.holders) - len(told):
        retained = sum(holder.retained for holder in window.holders) - sum(holder.retained for holder in told)
        yield f"  {rest} more holder{'s' * (rest > 1)}: {format_value(retained, BYTES)}"
    if types := types_text(window.objects):
        yield from wrapped(types, width, "  ")


def retention_lines(found: Retention, width: int) -> Iterator[str]:
    """All that a heap dump says: its holders, a table of the types that take most, what is known, and notes."""
    size = f"{format_value(found.live_objects, COUNT)} live objects, {format_value(found.live_bytes, BYTES)}"
    if found.new_objects is not None and found.new_bytes is not None:
        new = f"{format_value(found.new_objects, COUNT)} objects, {format_value(found.new_bytes, BYTES)}"
        size += f"; new since the earlier dump: {new}"
    yield from wrapped(f"{size} ({printable(found.go_version)})", width, "")
    yield from ("", "held by" if found.holders else "the heap dump shows no holder")
    yield from _listed(found.holders, _whole(found.types), width)
    for glob, holders in found.of.items():
        yield from ("", f"{printable(glob)} alone, held by" if holders else f"nothing holds {printable(glob)}")
        yield from _listed(holders, _whole(found.types, glob), width)
    yield from ("", *_type_table(found.types, width), "")
    coverage = f"{share_text(found.typed_objects)} of all objects and {share_text(found.typed_bytes)} of all bytes"
    yield from wrapped(f"{coverage} have a known type", width, "")
    for note in found.notes:
        yield from wrapped(f"note: {printable(note)}", width, "")


def _type_table(types: Mapping[str, ObjectCount], width: int) -> Iterator[str]:
    """Counts and bytes of each type, the largest first; if the growth is known, of the types that grew."""
    is_new = _is_growth(types)
    types = {name: count for name, count in types.items() if count.new or not is_new}
    shown = largest_types(types, _TABLE)
    titles = ("new objects", "new bytes", "objects", "bytes", "type") if is_new else ("objects", "bytes", "type")
    rows = [titles]
    for name, count in shown.items():
        now = format_value(count.count, COUNT), format_value(count.bytes, BYTES)
        new = format_value(count.new or 0, COUNT), format_value(count.new_bytes or 0, BYTES)
        rows.append((*(new if is_new else ()), *now, printable(name)))
    yield from (clip_end(row, width) for row in columns(rows, right=range(len(titles) - 1)))
    if rest := len(types) - len(shown):
        yield f"{rest} more type{'s' * (rest > 1)}"


def _listed(holders: Sequence[Holder], whole: str, width: int) -> Iterator[str]:
    for holder in holders:
        yield from wrapped(printable(f"{holder.root}: {_amount(holder, whole)}"), width, "  ")
        if details := "; ".join(_details(holder)):
            yield from wrapped(printable(details), width, "    ")


def _whole(types: Mapping[str, ObjectCount], of: str = "") -> str:
    """What a share is of. of: the glob over the types that alone count."""
    if of:
        return f"all {'new ' * _is_growth(types)}{of}"
    return "the growth" if _is_growth(types) else "the live heap"


def _is_growth(types: Mapping[str, ObjectCount]) -> bool:
    return any(count.new is not None for count in types.values())


def _who(holder: Holder) -> str:
    path = _path(holder.path)
    if holder.kind is HolderKind.NONE:
        return f"{holder.root}{f' for {path}' if path else ''}"
    return f"held by {holder.root}{f' -> {path}' if path else ''}"


def _amount(holder: Holder, whole: str) -> str:
    """Such as "3.10 MB, 98% of the growth", or in a comparison "3.10 MB, and 3.00 MB on the base side"."""
    text = f"{format_value(holder.retained, BYTES)}, "
    if holder.before is None:
        text += f"{percent(holder.share)} of {whole}"
    else:
        text += f"and {format_value(holder.before, BYTES) if holder.before else 'nothing'} on the base side"
    return f"{text}, {holder.known}" if holder.known else text


def _path(steps: Sequence[Step], *, retained: bool = False) -> str:
    """Such as "*main.Session x 300 -> []uint8 x 300"; the middle of a long one is left out."""
    texts = [_step(step, retained=retained) for step in steps]
    if len(texts) > _STEPS:
        texts = [*texts[:1], "...", *texts[2 - _STEPS :]]
    return " -> ".join(texts)


def _step(step: Step, *, retained: bool) -> str:
    text = step.type if step.count == 1 else f"{step.type} x {format_value(step.count, COUNT)}"
    return f"{text} ({format_value(step.retained, BYTES)})" if retained else text


def _details(holder: Holder) -> Iterator[str]:
    if holder.path:
        yield f"-> {_path(holder.path, retained=True)}"
    if holder.roots:
        more = len(holder.roots) - _ROOTS
        yield f"nearest: {', '.join(holder.roots[:_ROOTS])}" + (f" and {more} more" if more > 0 else "")
    if holder.sites:
        yield _allocated(holder.sites[:_SITES])


def _allocated(sites: Sequence[AllocationSite]) -> str:
    places = (f"{as_called(site.function)} ({site.file}:{site.line})" if site.file else site.function for site in sites)
    return f"allocated at {', '.join(places)}"


def _types(objects: Mapping[str, ObjectCount]) -> str:
    """Such as "new objects: 300 []uint8 (3.00 MB), 300 main.Session (9.60 kB)"."""
    found = list(objects.items())[:_TYPES]
    is_new = _is_growth(objects)
    parts = []
    for name, count in found:
        number, size = (count.new or 0, count.new_bytes or 0) if is_new else (count.count, count.bytes)
        if number:
            parts.append(f"{format_value(number, COUNT)} {name} ({format_value(size, BYTES)})")
    return f"{'new' if is_new else 'live'} objects by type: {', '.join(parts)}" if parts else ""


class Held(NamedTuple):
    """The printable texts of a holder for a table of its own; share: of what is to be explained."""

    root: str
    amount: str
    share: float
    details: tuple[str, ...]


def held(window: WindowRecord) -> tuple[Held, ...]:
    """The holders of a window that explain something, those that retain most first."""
    whole = _whole(window.objects, window.holders_of)
    return tuple(
        Held(printable(one.root), printable(_amount(one, whole)), one.share, tuple(map(printable, _details(one))))
        for one in _telling(window.holders)
    )


def types_text(objects: Mapping[str, ObjectCount]) -> str:
    """The types that take most, in one printable line; "" without any."""
    return printable(_types(objects))
