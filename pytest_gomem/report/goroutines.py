"""The text of goroutines: a line for each group that grew, and what stands on the stacks of the largest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pytest_gomem.attribution.goroutines import GoroutineGroup
from pytest_gomem.base.printable import printable
from pytest_gomem.base.units import SECONDS, format_value
from pytest_gomem.pprof.group import as_called
from pytest_gomem.report.text import clip_end, columns

_LINES = 12
_CREATED_BY = ", created by "


def goroutine_lines(groups: Sequence[GoroutineGroup], width: int) -> Iterator[str]:
    """A title and at most 11 lines: the groups that leaked, else those that grew, else all, each with how many."""
    shown = telling(groups)
    if not shown:
        return
    yield f"goroutines {'that leaked, ' if shown[0].leaked else ''}by state, function and creation site"
    stack = [f"{'':8}{clip_end(printable(call), width - 8)}" for call in shown[0].stack]
    first, *others = _rows(shown[: _LINES - 2 - len(stack)], width - 2)
    yield from (f"  {first}", *stack, *(f"  {row}" for row in others))
    if rest := shown[1 + len(others) :]:
        count = sum(_count(group) for group in rest)
        yield f"  {len(rest)} more group{'s' * (len(rest) > 1)}: {_signed(count, rest[0])}"


def _rows(groups: Sequence[GoroutineGroup], width: int) -> list[str]:
    cells = [(_signed(_count(group), group), group.state + _for_how_long(group), _where(group)) for group in groups]
    return [clip_end(row, width) for row in columns(cells, right=(0,))]


def _count(group: GoroutineGroup) -> int:
    return group.leaked or (group.growth if group.growth > 0 else group.after)


def _for_how_long(group: GoroutineGroup) -> str:
    """For how long one of those has waited that leaked, and how many wait for ever if that is known."""
    minutes = f", {format_value(group.waiting, SECONDS)} or more" if group.waiting else ""
    if not group.blocked:
        return minutes
    how_many = "" if group.blocked == group.leaked else f"{group.blocked} "
    return f"{minutes}, {how_many}blocked for ever"


def _signed(count: int, group: GoroutineGroup) -> str:
    """With a sign if it is a growth."""
    return f"+{count}" if not group.leaked and group.before is not None and group.growth > 0 else str(count)


def main_group(groups: Sequence[GoroutineGroup]) -> GoroutineGroup | None:
    """The one that leaked most, else the one that grew most; the largest if none grew."""
    return max(groups, key=lambda group: (group.leaked or 0, max(group.growth, 0), group.after), default=None)


def goroutine_sentence(group: GoroutineGroup) -> str:
    """Such as "300 more goroutines in main.(*mu).forceLock (mu.go:12), created by ..., state: sync.Mutex.Lock"."""
    more = " leaked" if group.leaked else " more" if group.before is not None and group.growth > 0 else ""
    return f"{_counted(group, more)} in {_where(group)}, state: {printable(group.state)}{_for_how_long(group)}"


def goroutine_culprit(group: GoroutineGroup) -> str:
    """Such as "main.(*mu).forceLock (mu.go:12), 300 goroutines created by main.(*Server).handle (server.go:40)"."""
    created = f" created by {_short(group.created_by)}" if group.created_by else ""
    return f"{_place(group)}, {_counted(group)}{created}"


def _counted(group: GoroutineGroup, more: str = "") -> str:
    count = _count(group)
    return f"{count}{more} goroutine{'s' * (count != 1)}"


def _where(group: GoroutineGroup) -> str:
    return _place(group) + (f"{_CREATED_BY}{_short(group.created_by)}" if group.created_by else "")


def _place(group: GoroutineGroup) -> str:
    place = f" ({group.file}:{group.line})" if group.file else ""
    return _short(f"{group.function}{place}")


def _short(call: str) -> str:
    """A call as Go code writes it: "web.(*Page).show (web/page.go:4)" for example.com/app/web.(*Page).show."""
    function, space, place = printable(call).partition(" (")
    return as_called(function) + space + place


class Told(NamedTuple):
    """The printable texts of a group for a table of its own."""

    number: str
    state: str
    where: str
    stack: tuple[str, ...]


def told(group: GoroutineGroup) -> Told:
    """How many there are, or how many more; what they wait for, where, and the stack of most of them."""
    state = printable(group.state) + _for_how_long(group)
    return Told(_signed(_count(group), group), state, _where(group), tuple(map(printable, group.stack)))


def telling(groups: Sequence[GoroutineGroup]) -> Sequence[GoroutineGroup]:
    """The groups that leaked, else those that grew, else all, the largest first."""
    leaked = [group for group in groups if group.leaked]
    grown = leaked or [group for group in groups if group.growth > 0]
    return grown or sorted(groups, key=lambda group: -group.after)
