"""Finds the goroutines that have come to be, from the stacks that observed rounds have taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from pytest_gomem.attribution.goroutines import GoroutineGroup, goroutine_groups
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.diagnosis.evidence import Observed
from pytest_gomem.diagnosis.excess import SEEN
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.observe.stacks import Stacks, read_stacks
from pytest_gomem.report.first_verdict import GOROUTINE_METRICS, LEAKED_GOROUTINES
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.session.capture import Captured
from pytest_gomem.session.explanation import Evidence
from pytest_gomem.stats.decision import Status


def grown_goroutines(
    before: Sequence[Captured], after: Sequence[Captured], module: GoModule
) -> tuple[tuple[GoroutineGroup, ...], tuple[str, ...]]:
    """The groups of goroutines, the largest growth first, and notes on stacks that are missing.

    before, after: the texts of one or more rounds: at the opening and the close of one side, or at the closes of base
    and head. Without any text after, there are no groups.
    """
    notes: dict[str, None] = {}
    earlier, later = ([*_read(side, notes)] for side in (before, after))
    return goroutine_groups(earlier, later, module) if later else (), tuple(notes)


def with_goroutines(
    window: WindowRecord, head: Evidence, base: Evidence | None
) -> tuple[WindowRecord, tuple[bool, ...]]:
    """The window with the goroutines that it has more than its base, or than at its opening if those are not known.

    Those that leaked in the measured window are told instead. Also, for each broken limit on goroutines, whether the
    stacks show what broke it. If they show it for none, there are no groups, and the summary says so.
    """
    now = head.goroutines
    if not now or not isinstance(now, tuple):
        return window, ()
    before = (base.goroutines if base is not None else ()) or head.goroutines_before
    found, notes = grown_goroutines(before if isinstance(before, tuple) else (), now, head.module)
    if not isinstance(before, tuple):
        found = beside_kept(found, before)
    window = replace(window, notes=(*window.notes, *notes))
    asked = GOROUTINE_METRICS - {LEAKED_GOROUTINES}
    broken = [v for v in window.verdicts if v.status is Status.FAIL and v.budget.metric in asked]
    seen = tuple(_is_seen(verdict, found) for verdict in broken if found and not verdict.budget.phase)
    if not seen or any(seen):
        has_leaked = any(group.leaked for group in window.goroutine_groups)
        return (window if has_leaked else replace(window, goroutine_groups=found)), seen
    total = sum(group.after for group in found)
    nothing = {verdict.budget.metric: f"nobody is named: the stacks show {total} goroutines" for verdict in broken}
    return replace(window, culprit_summaries={**window.culprit_summaries, **nothing}), seen


def _is_seen(verdict: Verdict, groups: Sequence[GoroutineGroup]) -> bool:
    if verdict.kind == REGRESSION:
        return sum(max(group.growth, 0) for group in groups) >= SEEN * abs(verdict.change or 0.0)
    above = sum(group.after for group in groups) - verdict.limit.value
    return above >= SEEN * ((verdict.actual or 0.0) - verdict.limit.value)


def kept_goroutines(head: Observed) -> dict[str, int]:
    """The groups of goroutines as a baseline keeps them, with their counts."""
    found, _ = grown_goroutines((), head.goroutines, head.module)
    counts: Counter[str] = Counter()
    for group in found:
        counts[_kept_name(group)] += group.after
    return dict(counts)


def beside_kept(groups: Iterable[GoroutineGroup], kept: Mapping[str, float]) -> tuple[GoroutineGroup, ...]:
    """The groups with the counts of a baseline, the largest growth first."""
    found = (replace(group, before=round(kept.get(_kept_name(group), 0))) for group in groups)
    return tuple(sorted(found, key=lambda group: -group.growth))


def _kept_name(group: GoroutineGroup) -> str:
    """Without lines, which differ between versions."""
    creator = group.created_by.partition(" (")[0]
    return f"{group.state} in {group.function}" + (f", created by {creator}" if creator else "")


def _read(side: Sequence[Captured], notes: dict[str, None]) -> Iterator[Stacks]:
    for captured in side:
        if isinstance(captured.raw, Unavailable):
            notes[f"no stacks of goroutines: {captured.raw.reason}"] = None
            continue
        stacks = read_stacks(captured.raw)
        if not stacks.total and stacks.unread:
            notes["no stacks of goroutines: the service sent something else"] = None
            continue
        if stacks.is_cut or stacks.left_out:
            more = "but there are more: Go writes at most 64 MiB of them"
            notes[f"the stacks of {stacks.total} goroutines were read, {more}"] = None
        yield stacks
