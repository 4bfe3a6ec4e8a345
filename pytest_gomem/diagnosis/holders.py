"""Who holds the memory of a failed window: from the heap dump of an observed round, beside that of the base side."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pytest_gomem.attribution.living import GROWTH
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.base.units import BYTES, COUNT, format_value
from pytest_gomem.diagnosis.excess import SEEN, lives
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.retention.holding import LISTED
from pytest_gomem.retention.model import Holder, Retention, largest_types
from pytest_gomem.retention.reading import MOST_HOLDERS
from pytest_gomem.session.explanation import Evidence

_MOST_TYPES = 20
_NUMBER = re.compile(r"\d+")


def with_holders(window: WindowRecord, head: Evidence, base: Evidence | None) -> tuple[WindowRecord, tuple[bool, ...]]:
    """The window with the holders of its memory and its largest types, or the reason why there are none.

    As it is if no limit on what lives is broken, or if nobody asked for a dump. Also, for each broken limit that a dump
    tells something of, whether it shows what broke it; if it shows it for none, nobody is named.
    """
    broken, found = lives(window), head.retention
    if not broken or found is None:
        return window, ()
    if isinstance(found, Unavailable):
        return replace(window, retention_note=found.reason), ()
    theirs = base.retention if base is not None and any(v.kind == REGRESSION for v in broken) else None
    seen = tuple(is_so for verdict in broken if (is_so := _is_seen(verdict, found, theirs)) is not None)
    if seen and not any(seen):
        size = f"{format_value(found.live_objects, COUNT)} objects, {format_value(found.live_bytes, BYTES)}"
        return replace(window, retention_note=f"the heap dump shows {size}, and not what broke the limit"), seen
    of = _only_type(broken, found)
    holders = found.of[of] if of else found.holders
    if isinstance(theirs, Retention):
        holders = beside_base(holders, theirs.of.get(of, ()) if of else theirs.holders)
    why = f"there is no heap dump {base.there}: {theirs.reason}" if base and isinstance(theirs, Unavailable) else ""
    notes = (*(f"heap dump: {note}" for note in found.notes), *([why] if why else []))
    named = replace(
        window,
        holders=holders[:MOST_HOLDERS],
        holders_of=of,
        objects=largest_types(found.types, _MOST_TYPES),
        retention_note="" if holders else "the heap dump shows no holder",
        notes=(*window.notes, *notes),
    )
    return named, seen


def _is_seen(verdict: Verdict, found: Retention, base: Retention | Unavailable | None) -> bool | None:
    """Whether a dump shows what broke a limit; None if it does not tell."""
    metric = verdict.budget.metric
    if metric in GROWTH:
        return None if found.new_bytes is None else found.new_bytes > 0
    if metric not in ("live_heap", "heap_objects") or verdict.actual is None:
        return None
    now = _amount(found, metric)
    if verdict.kind == REGRESSION:
        return now - _amount(base, metric) >= SEEN * abs(verdict.change or 0) if isinstance(base, Retention) else None
    return now - verdict.limit.value >= SEEN * (verdict.actual - verdict.limit.value)


def _amount(found: Retention, metric: str) -> int:
    return found.live_bytes if metric == "live_heap" else found.live_objects


def _only_type(broken: Sequence[Verdict], found: Retention) -> str:
    """The types whose holders are told: of the first broken limit, if all of them are on live objects; else ""."""
    of = [verdict.budget.type for verdict in broken]
    return of[0] if all(of) and of[0] in found.of else ""


def beside_base(holders: Iterable[Holder], base: Sequence[Holder]) -> tuple[Holder, ...]:
    """The holders with what the same ones of the base retain, those that retain most more first."""
    before = {_identity(holder): holder.retained for holder in base}
    # Of a list that is not full nobody is missing who holds anything.
    unlisted = 0 if len(base) < LISTED else None
    found = (replace(holder, before=before.get(_identity(holder), unlisted)) for holder in holders)
    return tuple(sorted(found, key=lambda holder: -(holder.retained - (holder.before or 0))))


def _identity(holder: Holder) -> Sequence[object]:
    """What is the same in two versions of a program: its lines and counts are not."""
    root = holder.name or holder.function or _NUMBER.sub("", holder.root)
    return (holder.kind, root, *(step.type for step in holder.path))
