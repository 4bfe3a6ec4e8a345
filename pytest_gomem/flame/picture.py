"""What a flame graph shows, for page and picture: a view for each sample type, and the texts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import BYTES, SECONDS, format_value
from pytest_gomem.flame.frame import Change, Held, Kind, Vanished, change, held_kind_of, kind_of, vanished
from pytest_gomem.flame.tree import DEEPEST, CallTree, Layout, Values, lay_out
from pytest_gomem.flame.wording import CALLS, HOLDERS, Wording
from pytest_gomem.pprof.group import Frame
from pytest_gomem.pprof.model import Profile, ValueType
from pytest_gomem.pprof.table import value_text
from pytest_gomem.report.text import percent
from pytest_gomem.retention.profile import RETAINED_OBJECTS, RETAINED_SPACE

# Meanings from runtime/pprof; {since} is the process's start, or the seconds of a delta.
_MEANINGS = {
    "inuse_space": "bytes live when the profile was taken",
    "inuse_objects": "objects live when the profile was taken",
    "alloc_space": "bytes allocated {since}",
    "alloc_objects": "objects allocated {since}",
    RETAINED_SPACE: "bytes that would be free without their holder",
    RETAINED_OBJECTS: "objects that would be free without their holder",
    "goroutine": "goroutines when the profile was taken",
    "cpu": "CPU time {since}",
    "contentions": "contentions {since}",
    "delay": "time spent waiting {since}",
}


@dataclass(frozen=True)
class Asked:
    """What the user asked for: titles, selection of samples, and what is too narrow to draw."""

    title: str
    base_title: str = ""
    focus: str = ""
    ignore: str = ""
    hide_below: float = 0.001


@dataclass(frozen=True)
class View:
    """One sample type: the layout of its frames, their values now and before, and the texts about them."""

    kind: ValueType
    meaning: str
    layout: Layout
    now: Values
    before: Values | None
    vanished: tuple[Vanished, ...]
    summary: str
    notes: tuple[str, ...]

    def share(self, value: int) -> str:
        """A value's part of the whole profile."""
        return percent(value / self.now.total) if self.now.total else "-"


@dataclass(frozen=True)
class Picture:
    """A flame graph, or a differential one."""

    asked: Asked
    tree: CallTree
    views: tuple[View, ...]
    default: int

    @property
    def is_differential(self) -> bool:
        """Whether colours show changes, not whose code it is."""
        return bool(self.tree.before)

    @property
    def wording(self) -> Wording:
        """What its frames are called, and their colours."""
        plain = HOLDERS if self._is_of_holders else CALLS
        return plain.of_change() if self.is_differential else plain

    @property
    def _is_of_holders(self) -> bool:
        return any(kind.type == RETAINED_SPACE for kind in self.tree.sample_types)

    def short(self, frame: Frame) -> str:
        """A frame's name for its box; types and roots stay whole, or `map[string]T` would lose its key."""
        return name_of(frame) if self._is_of_holders else short_name(frame)

    def category(self, view: View, node: int) -> Kind | Held | Change:
        """What gives a node its colour in one of the views."""
        if view.before:
            return change(view.before.cum[node], view.now.cum[node])
        frame = self.tree.frames[node]
        return held_kind_of(frame, self.tree.parents[node] == 0) if self._is_of_holders else kind_of(frame)


def picture(new: Profile, tree: CallTree, asked: Asked) -> Picture:
    """All views of the tree of `new`."""
    return Picture(asked, tree, tuple(_views(new, tree, asked)), tree.default)


def name_of(frame: Frame) -> str:
    """A frame's name on one line, with control characters and direction marks escaped."""
    return printable(str(frame))


def counted(number: int, what: str) -> str:
    """A number of things, with a plural s unless there is one."""
    return f"{number} {what}{'s' * (number != 1)}"


def short_name(frame: Frame) -> str:
    """A short name: without the path before its package, and with type arguments as [...]."""
    plain, bracket, rest = name_of(frame).partition("[")
    arguments = f"[...]{rest.rpartition(']')[2]}" if plain and bracket else bracket + rest
    return plain.rpartition("/")[2] + arguments


def _views(new: Profile, tree: CallTree, asked: Asked) -> Iterator[View]:
    for at, kind in enumerate(tree.sample_types):
        now, before = tree.now[at], tree.before[at] if tree.before else None
        layout = lay_out(tree, now.flat, asked.hide_below)
        gone = vanished(tree, before, now) if before else ()
        notes = (*_what_is_shown(asked, kind, now, layout), *_doubts(new, tree, kind, layout))
        summary = _summary(kind, now, before)
        yield View(kind, _meaning(new, kind), layout, now, before, gone, summary, tuple(notes))


def _meaning(profile: Profile, kind: ValueType) -> str:
    seconds = profile.duration_nanos / 1e9
    since = f"within {format_value(seconds, SECONDS)}" if seconds else "since the process started"
    if kind.type not in _MEANINGS:
        return printable(kind.unit)
    return _MEANINGS[kind.type].format(since=since)


def _summary(kind: ValueType, now: Values, before: Values | None) -> str:
    if before is None:
        return f"total {value_text(now.total, kind.unit)}"
    totals = f"{value_text(before.total, kind.unit)} before, {value_text(now.total, kind.unit)} now"
    return f"{totals}: {value_text(now.total - before.total, kind.unit, signed=True)}"


def _what_is_shown(asked: Asked, kind: ValueType, now: Values, layout: Layout) -> Iterator[str]:
    said = {"focus": asked.focus, "ignore": asked.ignore}
    chosen = [f"{word} '{printable(pattern)}'" for word, pattern in said.items() if pattern]
    if chosen and now.total:
        part = f"{value_text(layout.width, kind.unit)}, {percent(layout.width / now.total)} of the total"
        yield f"Chosen by {' and '.join(chosen)}: {part}; shares are of the total."
    if not layout.width:
        yield f"Nothing to draw: no stack has any {printable(kind.type)}."
    elif layout.hidden:
        threshold = f"below {100 * asked.hide_below:.3g}% ({value_text(layout.smallest, kind.unit)})"
        together = f"{value_text(layout.hidden_width, kind.unit)}, {percent(layout.hidden_width / layout.width)}"
        yield f"Not drawn: {counted(layout.hidden, 'frame')} {threshold}, together {together}."
    else:
        yield "No frame is hidden."


def _doubts(profile: Profile, tree: CallTree, kind: ValueType, layout: Layout) -> Iterator[str]:
    yield from sampling_note(profile)
    if layout.negative:
        yield f"Values below 0, together -{value_text(layout.negative, kind.unit)}, have no width and are not drawn."
    if tree.cut:
        yield f"{counted(tree.cut, 'stack')} cut at {DEEPEST} frames; what lies deeper counts there."


def sampling_note(profile: Profile) -> Iterator[str]:
    """That the values of a heap profile are estimates, if they are."""
    if profile.period_type.type == "space" and profile.period > 1:
        yield f"Estimated from samples: one for each {format_value(profile.period, BYTES)} allocated, on average."
