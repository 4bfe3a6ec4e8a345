"""The text of failed windows: a first screen to act on, what is known besides, and a headline."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pytest_gomem.base.printable import printable, printable_lines
from pytest_gomem.base.units import BYTES, format_value
from pytest_gomem.judge.decide import FAILING
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.report.bill import bill_lines
from pytest_gomem.report.culprits import culprit_lines, first_culprit
from pytest_gomem.report.failure_details import (
    WIDTH,
    artifact_lines,
    limit_lines,
    log_lines,
    metric_lines,
    module_lines,
    note_lines,
    settings_lines,
)
from pytest_gomem.report.first_screen import first_screen, statement
from pytest_gomem.report.first_verdict import explaining_first, first_of, goroutines_matter, group_of, holder_of
from pytest_gomem.report.goroutines import goroutine_culprit, goroutine_lines
from pytest_gomem.report.holders import holder_lines
from pytest_gomem.report.next_command import is_test
from pytest_gomem.report.text import clip_end
from pytest_gomem.report.traces import place, trace_lines, traced_line
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import Status

LINES = 60
_FEWEST_OF_WINDOW = 8
_FEWEST_OF_SECTION = 2  # with its title


@dataclass(frozen=True)
class TextOptions:
    """How failures are printed.

    lines: of a test, at most; None for all there is. report: the JSON report of the run, "" if none is written.
    artifacts: the folder of the kept files.
    """

    lines: int | None = LINES
    report: str = ""
    artifacts: str = ""


DEFAULTS = TextOptions()


def failure_texts(
    windows: Sequence[WindowRecord], nodeid: str, options: TextOptions = DEFAULTS
) -> list[tuple[str, str]]:
    """A headline and a text for each failed window of a test. They share the lines, down to a fewest for each."""
    failed = [window for window in windows if any(verdict.status in FAILING for verdict in window.verdicts)]
    if options.lines is not None and failed:
        options = replace(options, lines=max((options.lines + 1) // len(failed) - 1, _FEWEST_OF_WINDOW))
    return [failure_text(window, nodeid, options) for window in failed]


def failure_text(window: WindowRecord, nodeid: str, options: TextOptions = DEFAULTS) -> tuple[str, str]:
    """A headline, with what broke first, its first culprit and holder, and the whole text.

    After the first screen come the culprits, the limits, settings, key metrics, loads, the bill, notes, artifacts and
    the end of the log. Without a broken limit, as when the process died, the headline is the first note.
    """
    broken, warned = told_first(window)
    first = first_screen(window, nodeid, broken, warned, options.artifacts)
    sections = [section for section in _sections(window, broken, warned, options) if section.lines]
    blocks = [first, *(section.lines for section in sections)]
    if options.lines is not None and _size(blocks) > options.lines:
        blocks = _fitted(first, sections, options.lines)
        left_out = len(first) + sum(len(section.lines) for section in sections) - sum(map(len, blocks))
        blocks.append([f"  {_more(left_out, nodeid, options.report)}"])
    # A sentence of others may have been wrapped so that a line begins with what a CI runner obeys.
    return _headline(window, broken), printable_lines("\n\n".join("\n".join(block) for block in blocks))


def told_first(window: WindowRecord) -> tuple[list[Verdict], list[Verdict]]:
    """The broken limits of a window, the one that explains the others first, and other warnings."""
    broken = explaining_first([verdict for verdict in window.verdicts if verdict.status in FAILING], window)
    return broken, [v for v in window.verdicts if v.status is Status.WARN and not _is_broken(v, broken)]


class _Section(NamedTuple):
    """Lines that belong together, with their title. at_end: whether the last ones matter most."""

    lines: Sequence[str]
    at_end: bool = False

    def cut(self, count: int) -> Sequence[str]:
        """So many of the lines; the last one shows that there are more."""
        if count >= len(self.lines):
            return self.lines
        if self.at_end:
            return [self.lines[0], *self.lines[len(self.lines) - count + 1 :]]
        return [*self.lines[: count - 1], clip_end(self.lines[count - 1], WIDTH - 4) + " ..."]


def _sections(
    window: WindowRecord, broken: Sequence[Verdict], warned: Sequence[Verdict], options: TextOptions
) -> list[_Section]:
    whole = options.lines is None
    base_bill = window.base.bill if window.base else None
    bill = bill_lines(window.bill, WIDTH, base_bill) if window.bill else ()
    matter = goroutines_matter(broken, window)
    goroutines = goroutine_lines(window.goroutine_groups, WIDTH - 2) if matter else ()
    metrics = metric_lines(window, [v.budget.metric for v in broken if v.status is Status.FAIL])
    return [
        _Section([f"  {line}" for line in culprit_lines(window.culprits, window.culprit_summaries, WIDTH - 2)]),
        _Section([f"  {line}" for line in holder_lines(window, WIDTH - 2)]),
        _Section([f"  {line}" for line in trace_lines(window, WIDTH - 2)]),
        _Section([f"  {line}" for line in goroutines]),
        _Section([*limit_lines([*broken, *warned], window)]),
        _Section([*module_lines(window.modules)]),
        _Section([*settings_lines(window.gc.requested, window.gc.effective, whole=whole)]),
        _Section([*metrics]),
        _Section([f"  {line}" for line in bill]),
        _Section([*note_lines([*search_words(window), *window.notes])]),
        _Section([*artifact_lines(window.artifacts)]),
        _Section([*log_lines(window.log_tail, whole=whole)], at_end=True),
    ]


def search_words(window: WindowRecord) -> Iterator[str]:
    """How the cause was looked for, and what went wrong there; what was left out is said where the cause would be."""
    if (found := window.diagnosis) and found.rounds:
        rate = f", one sample in {format_value(found.profile_rate, BYTES)}" if found.profile_rate else ""
        yield f"the cause was looked for in {found.rounds} observed round{'s' * (found.rounds > 1)}{rate}"
        yield from found.notes


def _size(blocks: Sequence[Sequence[str]]) -> int:
    """The lines of the blocks, with an empty one between two."""
    return sum(map(len, blocks)) + len(blocks) - 1


def _fitted(first: Sequence[str], sections: Sequence[_Section], lines: int) -> list[Sequence[str]]:
    """The first screen, and as much of each section as there is room for; the last ones go if it is little.

    Two of the lines are left for the count of what is missing.
    """
    room = max(lines - 2 - len(first), 0)
    kept = sections[: room // (_FEWEST_OF_SECTION + 1)]
    shares = _shares([len(section.lines) for section in kept], room - len(kept))
    return [first[: lines - 2], *(section.cut(share) for section, share in zip(kept, shares, strict=True))]


def _shares(sizes: Sequence[int], room: int) -> list[int]:
    """The room divided evenly; what one does not need goes to the others."""
    shares = [0] * len(sizes)
    for _ in range(min(room, sum(sizes))):
        hungry = [at for at, size in enumerate(sizes) if shares[at] < size]
        shares[min(hungry, key=shares.__getitem__)] += 1
    return shares


def _more(count: int, nodeid: str, report: str) -> str:
    again = ["run with -v"] if is_test(nodeid) else []
    explain = [shlex.join(["gomem", "explain", report, nodeid, "-v"])] if report else []
    where = f": {', or '.join([*again, *explain])}" if again or explain else ""
    return printable(f"{count} more line{'s' * (count > 1)}{where}")


def _is_broken(warned: Verdict, broken: Sequence[Verdict]) -> bool:
    """Whether a limit of the same budget is broken too, which makes the warning pointless."""
    return any(_limited(warned) == _limited(verdict) for verdict in broken)


def _limited(verdict: Verdict) -> tuple[object, ...]:
    budget = verdict.budget
    return budget.metric, budget.glob, budget.cum, budget.phase, budget.scope, budget.place


def _headline(window: WindowRecord, broken: Sequence[Verdict]) -> str:
    if not broken:
        return printable(window.notes[0]) if window.notes else "no limit is broken"
    more = len(broken) - 1
    others = f"; {more} more {'limits are' if more > 1 else 'limit is'} broken" if more else ""
    culprit, holder = _culprit(window, broken), holder_of(window, broken[0])
    allocates = f", culprit {culprit}" if culprit else ""
    holds = f", held by {printable(holder.root)}" if holder else ""
    return f"{statement(broken[0])}{allocates}{holds}{others}"


def _culprit(window: WindowRecord, broken: Sequence[Verdict]) -> str:
    """The first culprit of what broke first; "" if the culprits are not only its own.

    Profiles are of the whole window, not of a phase. If limits of several functions broke, their culprits are joined.
    """
    first, is_between = broken[0], broken[0].kind == REGRESSION
    if group := group_of(window, first):
        return goroutine_culprit(group)
    if frame := traced_line(window, first):
        return printable(place(frame))
    alike = [verdict for verdict in broken if verdict.budget.metric == first.budget.metric]
    functions = {verdict.budget.glob for verdict in alike if (verdict.kind == REGRESSION) == is_between}
    named = first_of(window, first)
    return first_culprit([named], named.metric, is_between=is_between) if named and len(functions) == 1 else ""
