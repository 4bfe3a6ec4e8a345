"""The call trees that a failed window keeps: which profiles show what broke its limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from pytest_gomem.attribution.culprits import SAMPLE_OF
from pytest_gomem.attribution.sampling import counts_made
from pytest_gomem.base.errors import ObserveError
from pytest_gomem.diagnosis.culprits import accusable, earlier
from pytest_gomem.diagnosis.evidence import kind_for
from pytest_gomem.diagnosis.excess import failed_of
from pytest_gomem.flame.bounded import MOST, LineTree, Shown, flame_record, tree_of_holders, tree_of_profiles
from pytest_gomem.instruments.peak_profile import PEAK
from pytest_gomem.pprof.model import Profile
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.retention.model import Retention
from pytest_gomem.retention.profile import RETAINED_SPACE
from pytest_gomem.session.explanation import Evidence

_MOST_TOGETHER = 2 * MOST  # frames of all trees of a window
_NAMES = {
    "inuse_space": ("live", "bytes live at the close"),
    "inuse_objects": ("live_objects", "objects live at the close"),
    "alloc_space": ("allocated", "bytes allocated"),
    "alloc_objects": ("allocated_objects", "objects allocated"),
}


class _Tree(NamedTuple):
    """A tree and what to show of it, by the name that its record gets."""

    name: str
    lines: LineTree
    shown: Shown


def with_flames(window: WindowRecord, head: Evidence, base: Evidence | None) -> WindowRecord:
    """The window with the call trees of what broke its limits, as far as there are profiles and a heap dump.

    window: with its culprits and holders. A comparison comes before a limit on the same.
    """
    found: dict[str, _Tree] = {}
    for tree in (*_of_profiles(window, head, base), *_of_dump(window, head, base)):
        found.setdefault(tree.name, tree)
    most = min(MOST, _MOST_TOGETHER // max(len(found), 1))
    flames = {name: flame_record(tree.lines, tree.shown, most) for name, tree in found.items()}
    return replace(window, flames=flames) if flames else window


def _of_profiles(window: WindowRecord, head: Evidence, base: Evidence | None) -> Iterator[_Tree]:
    made: dict[tuple[str, str], LineTree] = {}
    for side in (base, None) if base is not None else (None,):
        for verdict in accusable(failed_of(window, is_between=side is not None)):
            for metric in _asked(verdict.budget.metric, window):
                with suppress(ObserveError):  # the summary of the culprits says why there is none
                    yield _tree(metric, head, side, made)


def _asked(metric: str, window: WindowRecord) -> Iterator[str]:
    """The metric, and that of what was allocated if a peak is garbage."""
    yield metric
    if any(one.metric == metric and one.sample_type for one in window.culprits):
        yield "total_alloc"


def _tree(metric: str, head: Evidence, base: Evidence | None, made: dict[tuple[str, str], LineTree]) -> _Tree:
    """The tree of a metric; raises ObserveError without a profile."""
    kind, why = kind_for(metric, *([base] if base else []), head)
    now = head.profiles(kind, metric)
    before: Sequence[Profile] = (base.profiles(kind, metric) if base else earlier(metric, head, len(now))) or ()
    against = (base.there if base else "at the opening") if before else ""
    if (kind, against) not in made:
        made[kind, against] = tree_of_profiles(now, before, head.module)
    sample_type = SAMPLE_OF[metric]
    name, shows = _NAMES[sample_type]
    if kind == PEAK:
        name, shows = "peak", "bytes live at the peak"
    is_change = counts_made(sample_type) and base is None and bool(before)
    if counts_made(sample_type):
        shows += " in the window" if is_change else " since the service started"
    notes = (f"{why[0].upper()}{why[1:]}.",) if why else ()
    is_kept = base is not None and base.is_kept
    return _Tree(name, made[kind, against], Shown(sample_type, shows, against, is_change, is_kept, notes))


def _of_dump(window: WindowRecord, head: Evidence, base: Evidence | None) -> Iterator[_Tree]:
    found, theirs = head.retention, base.retention if base else None
    if not window.holders or not isinstance(found, Retention):
        return
    of = window.holders_of
    there = base.there if base and isinstance(theirs, Retention) else ""
    before = (theirs.of.get(of, ()) if of else theirs.holders) if isinstance(theirs, Retention) else None
    lines = tree_of_holders(found.of[of] if of else found.holders, before)
    yield _Tree("holders", lines, Shown(RETAINED_SPACE, "bytes that would be free without their holder", there))
