"""A run in Markdown: the comment on a pull request, and the summary of a job. The worst comes first."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.ci.findings import Finding, Row, Told, clear_names
from pytest_gomem.ci.markup import code, folded, table, text
from pytest_gomem.git.repository import short
from pytest_gomem.report.comparison import HEAD, NEEDED, RIGHT, lost_text, totals_text
from pytest_gomem.report.text import clip
from pytest_gomem.results.keys import EXPECTED
from pytest_gomem.stats.decision import Status

COMMENT = 65_536  # characters of a comment on GitHub; counted in bytes here, which are no fewer
_KEY = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BOLD = frozenset({Status.FAIL, Status.UNAVAILABLE})
_LIMITS = ("test", "metric", "measured", "limit", "stands")
_NAMES = 20  # of one reason
_LONGEST_BASES, _LONGEST_PROBLEM, _PROBLEMS = 200, 500, 10


def marker(key: str = "") -> str:
    """What a comment begins with, so that the next run finds it. key: that of the job, if several jobs comment.

    Raises ConfigError for a key that could end the HTML comment.
    """
    if key and not _KEY.fullmatch(key):
        hint = "use at most 64 letters, digits, dots, dashes and underscores"
        raise ConfigError(f"{key!r} is no key of a comment", Place(), hint)
    return f"<!-- pytest-gomem{f' {key}' if key else ''} -->"


def comment(told: Told, *, key: str = "", link: str = "", limit: int = COMMENT) -> str:
    """The comment of a run, of at most `limit` bytes; one line if nothing changed. link: the page of the CI run."""
    head = marker(key)
    if _is_calm(told) and (_was_compared(told) or not told.limits):
        return f"{head}\n**Memory**: {next(_opening(told))}{_from(told.commit, link)}"
    return f"{head}\n{_document(told, limit - len(head) - 1, NEEDED, _from(told.commit, link))}"


def summary(told: Told, room: int) -> str:
    """The summary of a job in at most `room` bytes; "" if there is no room for its first lines."""
    written = _document(told, room, len(HEAD), _from(told.commit))
    return written if len(written.encode()) <= room else ""


def _is_calm(told: Told) -> bool:
    return not (told.findings or told.compared or told.uncompared or told.no_result or told.problems)


def _was_compared(told: Told) -> bool:
    return any(
        count for status, count in told.results.items() if status not in (Status.NO_BASELINE, Status.UNAVAILABLE)
    )


def _document(told: Told, room: int, columns: int, about: str) -> str:
    """Headline, comparison, failures and limits in `room` bytes; what has no room is counted.

    columns: how many of the comparison's. Only the first lines may be longer than the room.
    """
    title, *opening = _opening(told)
    names = clear_names(told.nodeids)
    sections = [
        _compared(told.compared, names, columns),
        *_findings(told, names),
        _limits(told.limits, names),
        _uncompared(told, names),
    ]
    head = "\n\n".join([f"### Memory: {title}", *opening])
    foot = f"<sub>pytest-gomem{about}</sub>"
    return "\n\n".join([head, *_fitted(sections, room - len(f"{head}{foot}".encode()) - 4), foot])


def _from(commit: str, link: str = "") -> str:
    revision, _, dirty = commit.partition("-")
    at = f", commit {code(short(revision))}{' with changes' * bool(dirty)}" if revision else ""
    return at + (f", [the run]({link})" if link else "")


def _opening(told: Told) -> Iterator[str]:
    """The headline, and what was compared with how it came out."""
    number = len(told.nodeids)
    if not number:
        yield "no test was measured"
        return
    tests = f"{number} test{'s' * (number != 1)}"
    bases = f" against {text(clip(', '.join(filter(None, told.bases)), _LONGEST_BASES))}" if any(told.bases) else ""
    if told.errors:
        yield f"{told.errors} of {tests} failed"
    elif told.problems:
        yield f"the run failed, its {tests} did not"
    elif told.no_result:
        yield f"{sum(map(len, told.no_result.values()))} of {tests} have no result"
    elif told.findings:
        found = len({one.nodeid for one in told.findings})
        yield f"{found} of {tests} broke a limit, reported only, or came near one"
    elif told.results[Status.IMPROVED]:
        yield f"better{bases}, nothing worse"
    elif _was_compared(told):
        yield f"no change{bases} in {tests}"
    elif told.results or told.uncompared:
        yield f"nothing was compared in {tests}"
    else:
        yield f"all limits are kept in {tests}" if told.limits else f"no limit was judged in {tests}"
    yield from (f"**The run fails**: {text(clip(problem, _LONGEST_PROBLEM))}" for problem in told.problems[:_PROBLEMS])
    if (more := len(told.problems) - _PROBLEMS) > 0:
        yield f"…and {more} more that fail the run."
    lost = lost_text(sum(map(len, told.uncompared.values())))
    if counted := ", ".join(filter(None, [totals_text(told.results), lost])):
        yield f"Compared{bases}: {counted}."
    for base, now in told.go_versions:
        yield f"Base and now were built by different Go versions: {text(base)} and {text(now)}."
    if expected := sum(told.outcomes[outcome] for outcome in EXPECTED):
        yield f"{expected} test{'s' * (expected > 1)} expected to fail."


@dataclass(frozen=True)
class Section:
    """Parts that are dropped from the end where there is no room, and what stands around them.

    what: the parts' name, for the count of those that were dropped. inside: the Markdown around them, with {} for them.
    """

    inside: str
    parts: Sequence[str]
    what: str
    between: str = "\n"

    def cut(self, room: int) -> str:
        """As many parts as there is room for; "" if there is none for a first one."""
        whole = self.inside.replace("{}", self.between.join(self.parts))
        if len(whole.encode()) <= room:
            return whole
        left = room - len(self.inside.encode()) - len(self._more(len(self.parts)).encode())
        shown = list(_within(self.parts, left, len(self.between)))
        more = self._more(len(self.parts) - len(shown))
        if not shown:
            return more.strip() if len(more) <= room else ""
        return self.inside.replace("{}", self.between.join(shown) + more)

    def _more(self, count: int) -> str:
        return f"\n\n…and {count} more {self.what}.\n"


def _within(parts: Iterable[str], room: int, between: int) -> Iterator[str]:
    for part in parts:
        room -= len(part.encode()) + between
        if room < 0:
            return
        yield part


def _fitted(sections: Sequence[Section], room: int) -> list[str]:
    """The sections in their order. The small ones are whole, the others share what is left."""
    kept = [section for section in sections if section.parts]
    sizes = [len(section.inside.replace("{}", section.between.join(section.parts)).encode()) + 2 for section in kept]
    shares: dict[int, int] = {}
    for done, at in enumerate(sorted(range(len(kept)), key=sizes.__getitem__)):
        shares[at] = min(sizes[at], room // (len(kept) - done))
        room -= shares[at]
    return [shown for at, section in enumerate(kept) if (shown := section.cut(shares[at] - 2))]


def _compared(rows: Sequence[Row], names: Mapping[str, str], columns: int) -> Section:
    head, lines = table(HEAD[:columns], list(_rows(rows, names, columns - 1, 4)), set(RIGHT))
    return Section(f"{head}\n{{}}", lines, "compared metrics")


def _limits(rows: Sequence[Row], names: Mapping[str, str]) -> Section:
    head, lines = table(_LIMITS, list(_rows(rows, names, len(_LIMITS) - 1, 3)), {2, 3})
    return Section(folded(f"{len(rows)} limit{'s' * (len(rows) != 1)}", f"{head}\n{{}}"), lines, "limits")


def _rows(rows: Sequence[Row], names: Mapping[str, str], columns: int, verdict: int) -> Iterator[tuple[str, ...]]:
    """Cells, the windows with the worst row first; the name stands in the first row of each. verdict: which is bold."""
    by_window: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: row.weight):
        by_window.setdefault((row.nodeid, row.label), []).append(row)
    for (nodeid, label), alike in by_window.items():
        name = code(names[nodeid] + (f" / {label}" if label else ""), in_table=True)
        for number, row in enumerate(alike):
            metric, *others = row.cells[:columns]
            shown = [code(metric, in_table=True), *map(text, others)]
            if row.status in _BOLD:
                shown[verdict] = f"**{shown[verdict]}**"
            yield ("" if number else name), *shown


def _findings(told: Told, names: Mapping[str, str]) -> Iterator[Section]:
    errors, warnings = told.sorted("error"), told.sorted("warning")
    parts = [_finding(one, names, is_open=not number) for number, one in enumerate(errors)]
    yield Section("{}", parts, "failures", "\n\n")
    parts = [_finding(one, names) for one in warnings]
    yield Section(folded(f"{len(parts)} warning{'s' * (len(parts) != 1)}", "{}"), parts, "warnings", "\n\n")


def _finding(finding: Finding, names: Mapping[str, str], *, is_open: bool = False) -> str:
    name = names[finding.nodeid] + (f" / {finding.label}" if finding.label else "")
    title = f"<b>{text(name)}</b>: {text(finding.headline)}"
    where = f"{finding.spot.file}:{finding.spot.line}" if finding.spot.line else finding.spot.file
    told = [(one.label, code(one.text) if one.is_command else text(one.text)) for one in finding.answers]
    lines = [*told, *([("where", code(where))] if where else [])]
    points = [f"- {f'**{label}** ' if label else ''}{words}" for label, words in lines]
    return folded(title, "\n".join(points), is_open=is_open) if points else title


def _uncompared(told: Told, names: Mapping[str, str]) -> Section:
    """Why windows were not compared, or tests have no result, and which."""
    shown = [
        *((reason, [names[test] + (f" / {label}" if label else "") for test, label in windows])
          for reason, windows in told.uncompared.items()),
        *((reason, [names[test] for test in tests]) for reason, tests in told.no_result.items()),
    ]  # fmt: skip
    parts = [f"- {text(reason)}: {_listed(windows)}" for reason, windows in shown]
    return Section(folded("Not compared, or without a result", "{}"), parts, "reasons")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(map(code, names[:_NAMES])) + more
