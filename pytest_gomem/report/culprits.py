"""The text of culprits: a line for each, what they explain together, and the causes of the first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_gomem.attribution.culprits import GC_METRICS, SAMPLE_OF, Culprit, Findings, amount_text
from pytest_gomem.attribution.origin import Site
from pytest_gomem.attribution.sampling import counts_made
from pytest_gomem.base.printable import printable
from pytest_gomem.pprof.group import as_called
from pytest_gomem.report.text import clip, columns, display_width, percent, short_name, wrapped

COMPARED = "compared with the base"  # in front of a comparison's culprits, if a limit of the metric is broken too
_WIDEST_PLACE = 30  # in a table
_LONGEST_PLACE = 60
_MAJOR = re.compile(r"v\d+")  # the last part of a module's path from its second major version on
_INTERNAL = re.compile(r"runtime\.|(.*/)?internal[/.]")  # functions that nobody can call
_OF_THE_LINE = ("escape", "inlining", "git")  # causes that differ from one culprit to the next


def summary(findings: Findings) -> str:
    """What the culprits explain together, "3 of 212 functions, 91% of the growth", or why there are none."""
    if findings.nothing:
        return findings.nothing
    functions = "function" if findings.functions == 1 else "functions"
    words = f"{findings.shown} of {findings.functions} {functions}, {_share(findings.share, findings.culprits[0])}"
    return f"{findings.note}: {words}" if findings.note else words


def culprit_lines(culprits: Sequence[Culprit], summaries: Mapping[str, str], width: int) -> Iterator[str]:
    """For each metric of `summaries` a title, its culprits in lines of at most `width` cells, and their summary.

    What is known of a line is told once, where it is named first.
    """
    told: set[tuple[str, str, int]] = set()
    for metric, words in summaries.items():
        named = [culprit for culprit in culprits if culprit.metric == metric]
        yield cause_title(metric, is_named=bool(named))
        between = [culprit for culprit in named if culprit.is_between]
        of_limit = [culprit for culprit in named if not culprit.is_between]
        yield from (f"  {line}" for line in _table(of_limit, width - 2))
        if of_limit and between:
            yield f"  {COMPARED}:"
        yield from (f"  {line}" for line in _table(between, width - 2))
        yield from wrapped(printable(words), width, "  ")
        for number, culprit in enumerate(named):
            site = culprit.function, culprit.file, culprit.line
            if site not in told and (words := _other_story(culprit) if number else _story(culprit)):
                yield from wrapped(printable(words), width, "  ")
            told.add(site)


def first_culprit(culprits: Sequence[Culprit], metric: str, *, is_between: bool) -> str:
    """The function and line of the largest part, such as "main.fill (cache.go:48)"; "" if there is none.

    With the third-party function that it calls: "main.open (cache.go:40), through go-redis pool.NewConn". is_between:
    from a comparison, not from a limit.
    """
    alike = (culprit for culprit in culprits if (culprit.metric, culprit.is_between) == (metric, is_between))
    named = next(alike, None)
    return printable(_who(named)) if named else ""


def culprit_sentence(culprit: Culprit) -> str:
    """Such as "allocated by main.fill (cache.go:48), in bufio.NewReaderSize: 38.5 MB more live, 98% of the growth".

    The third-party function that the line calls stands in between: "through go-redis pool.NewConn".
    """
    place = clip(_place(culprit), _LONGEST_PLACE)
    leaf = f"in {as_called(culprit.leaf)}" if culprit.leaf and not _INTERNAL.match(culprit.leaf) else ""
    who = filter(None, [f"{as_called(culprit.function)} ({place})", _through(culprit), leaf])
    return printable(f"allocated by {', '.join(who)}: {_amount(culprit)}, {_share(culprit.share, culprit)}")


def _table(culprits: Sequence[Culprit], width: int) -> list[str]:
    gap = 2
    places = [_short_place(culprit) for culprit in culprits]
    figures = [_figures(culprit) for culprit in culprits]
    room = width - _widest(places) - _widest(figures) - 2 * gap
    names = [short_name(_spellings(culprit.function), room) for culprit in culprits]
    return columns(list(zip(names, places, figures, strict=True)), gap=gap)


def _short_place(culprit: Culprit) -> str:
    """The place without its first folders if it is long; the sentence below has all of it."""
    whole = _place(culprit)
    shorter = (f".../{whole.split('/', cut)[-1]}" for cut in range(1, whole.count("/") + 1))
    return next(
        (text for text in (whole, *shorter) if display_width(text) <= _WIDEST_PLACE), clip(whole, _WIDEST_PLACE)
    )


def _widest(cells: Sequence[str]) -> int:
    return max(map(display_width, cells), default=0)


def _spellings(function: str) -> tuple[str, str]:
    """A function's whole name, and as Go code calls it: web.(*Page).show of example.com/app/web.(*Page).show."""
    return printable(function), printable(as_called(function))


def _figures(culprit: Culprit) -> str:
    """Such as "235 MB more live (+- 2.00 MB), 98% of the growth"."""
    return f"{_with_interval(culprit)}, {_share(culprit.share, culprit)}"


def _with_interval(culprit: Culprit) -> str:
    interval = amount_text(culprit.interval, culprit.counted).removesuffix(" objects")
    return f"{_amount(culprit)} (+- {interval})"


def _amount(culprit: Culprit) -> str:
    """Such as "235 MB more live"; without "more" if all of it counts."""
    is_made = counts_made(culprit.counted)
    is_total = culprit.before is None or (is_made and not culprit.is_between)
    more, live = "" if is_total else " more", "" if is_made else " live"
    return f"{amount_text(culprit.change, culprit.counted)}{more}{live}"


def _share(share: float, culprit: Culprit) -> str:
    if counts_made(culprit.counted) and not culprit.is_between:
        return f"{percent(share)} of the total"
    return f"{percent(share)} of " + ("the heap" if culprit.before is None else "the growth")


def _story(culprit: Culprit) -> str:
    """What the first culprit does, which module changed, why, and what called it."""
    called = ", ".join(f"{caller.function} ({_place(caller)})" for caller in culprit.callers)
    causes = (cause.text for cause in culprit.causes if cause.kind != "callee")  # which the reason names
    clauses = [culprit.reason, *_changed(culprit), *causes, *([f"called by {called}"] if called else [])]
    return f"{_who(culprit)}{',' if culprit.through else ''} {'; '.join(clauses)}"


def _other_story(culprit: Culprit) -> str:
    """What is known of the line of a further culprit; "" if nothing is."""
    causes = (cause.text for cause in culprit.causes if cause.kind in _OF_THE_LINE)
    why = "; ".join(filter(None, [_through(culprit), *_changed(culprit), *causes]))
    return f"{culprit.function} ({_place(culprit)}): {why}" if why else ""


def _who(culprit: Culprit) -> str:
    return ", ".join(filter(None, [f"{culprit.function} ({_place(culprit)})", _through(culprit)]))


def _through(culprit: Culprit) -> str:
    """Such as "through go-redis pool.NewConn"; "" if the line calls no third-party code."""
    if culprit.through is None:
        return ""
    *rest, last = culprit.through.module.split("/")
    module = rest[-1] if rest and _MAJOR.fullmatch(last) else last
    function = as_called(culprit.through.function)
    return f"through {function}" if function.startswith(f"{module}.") else f"through {module} {function}"


def _changed(culprit: Culprit) -> list[str]:
    return [culprit.module_change.text] if culprit.module_change else []


def _place(at: Culprit | Site) -> str:
    return printable(f"{at.file}:{at.line}") if at.file else "-"


class Told(NamedTuple):
    """The texts of a culprit for a table of its own; why: what is known of it, a clause each."""

    function: str
    place: str
    through: str
    amount: str
    share: str
    why: tuple[str, ...]


def told(culprit: Culprit) -> Told:
    """The culprit in printable texts."""
    clauses = [culprit.reason, *_changed(culprit), *(cause.text for cause in culprit.causes if cause.kind != "callee")]
    called = [f"called by {caller.function} ({_place(caller)})" for caller in culprit.callers]
    why = tuple(map(printable, filter(None, [*clauses, *called])))
    function, through = printable(culprit.function), printable(_through(culprit))
    return Told(function, _place(culprit), through, _with_interval(culprit), _share(culprit.share, culprit), why)


def cause_title(metric: str, *, is_named: bool) -> str:
    """What stands above the culprits of a metric."""
    if metric not in SAMPLE_OF or (metric in GC_METRICS and not is_named):
        return f"cause of {printable(metric)}"
    return f"allocated by ({printable(metric)}), estimated from samples"
