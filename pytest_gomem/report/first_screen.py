"""The first screen of a failure: what broke and by how much, who did it, since what, and the next command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from pytest_gomem.attribution.culprits import Culprit
from pytest_gomem.base.printable import printable
from pytest_gomem.judge.decide import FAILING
from pytest_gomem.judge.regressions import BY_DEFAULT, REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.launch.build import GO
from pytest_gomem.report.culprits import culprit_sentence
from pytest_gomem.report.failure_details import FEW_CHANGES, WIDTH
from pytest_gomem.report.first_verdict import GOROUTINE_METRICS, first_of, goroutines_matter, group_of
from pytest_gomem.report.goroutines import goroutine_sentence, main_group
from pytest_gomem.report.holders import holder_sentences
from pytest_gomem.report.next_command import next_commands
from pytest_gomem.report.text import budget_name, limit_text, wrapped
from pytest_gomem.report.traces import trace_sentences
from pytest_gomem.results.window_record import WindowRecord
from pytest_gomem.stats.decision import Status

_LIMITS = 4  # told on the first screen; all of them have their details below
_NAMED = 2
_COMMANDS = ("next", "or")  # their labels


def first_screen(
    window: WindowRecord, nodeid: str, broken: Sequence[Verdict], warned: Sequence[Verdict], artifacts: str
) -> list[str]:
    """The title, then a line or two for each answer.

    broken: the worst first. warned: other verdicts to tell. artifacts: the folder of the kept files.
    """
    told = [line for answer in answers(window, nodeid, broken, warned, artifacts) for line in _laid_out(answer)]
    return [_title(window, nodeid), *([""] if told else []), *told]


class Answer(NamedTuple):
    """A printable text of the first screen, and its label; "" if it goes on with what the label before it begins."""

    label: str
    text: str

    @property
    def is_command(self) -> bool:
        """Whether it is to be pasted, and so never wrapped."""
        return self.label in _COMMANDS


def answers(
    window: WindowRecord, nodeid: str, broken: Sequence[Verdict], warned: Sequence[Verdict], artifacts: str
) -> Iterator[Answer]:
    """What broke, who did it, since what, and the next commands; the arguments are those of `first_screen`."""
    yield from _limits(broken, warned)
    who = [*_who(window, broken), *holder_sentences(window), *trace_sentences(window, broken)]
    yield from _labelled("who", who)
    yield from _labelled("since", _since(window, broken))
    commands = next_commands(window, broken, nodeid, artifacts)
    yield from (Answer(label, command) for label, command in zip(_COMMANDS, commands, strict=False))


def _laid_out(answer: Answer) -> list[str]:
    label = f"  {answer.label:<5} "
    return [label + answer.text] if answer.is_command else wrapped(answer.text, WIDTH, label)


def _title(window: WindowRecord, nodeid: str) -> str:
    judged = _judged(window.verdicts) or "no limit judged"
    ops = "" if window.ops is None else f", {window.ops} ops"
    name = f"window '{window.name}' of " if window.name else ""
    return printable(f"{nodeid}: {judged}  ({name}{window.service}, {window.duration:.1f} s{ops})")


def _judged(verdicts: Sequence[Verdict]) -> str:
    """How many of the user's limits broke, and how many of the metrics compared by default."""
    declared = [verdict.status in FAILING for verdict in verdicts if verdict.budget.scope != BY_DEFAULT]
    unasked = [verdict.status in FAILING for verdict in verdicts if verdict.budget.scope == BY_DEFAULT]
    parts = [f"{sum(declared)} of {len(declared)} limits broken"] if declared else []
    if unasked and (any(unasked) or not declared):
        parts.append(f"{sum(unasked)} of {len(unasked)} compared metrics worse")
    return ", ".join(parts)


def _limits(broken: Sequence[Verdict], warned: Sequence[Verdict]) -> Iterator[Answer]:
    told = [*broken, *warned]
    for verdict in told[:_LIMITS]:
        yield from _labelled("warn" if verdict.status is Status.WARN else "FAIL", [statement(verdict)])
    if rest := told[_LIMITS:]:
        yield from _labelled("", [f"and {len(rest)} more, see below: {', '.join(map(budget_name, rest))}"])


def statement(verdict: Verdict) -> str:
    """The verdict in one sentence: metric, limit as written, and by how much it is missed."""
    if not verdict.reason:
        return f"{budget_name(verdict)} misses its limit of {limit_text(verdict)}"
    name, reason = budget_name(verdict), printable(verdict.reason)
    return f"{name}: {reason}" if verdict.budget.glob and not reason.startswith(name) else reason


def _who(window: WindowRecord, broken: Sequence[Verdict]) -> list[str]:
    """Who caused each broken limit, or why nobody is named; each once, with its metrics if there are several.

    Goroutines that explain the memory come first where no limit is on them.
    """
    metrics_of: dict[str, dict[str, None]] = {}
    told: dict[object, str] = {}
    asked = any(verdict.budget.metric in GOROUTINE_METRICS for verdict in broken)
    if not asked and goroutines_matter(broken, window) and (group := main_group(window.goroutine_groups)):
        metrics_of[goroutine_sentence(group)] = {"goroutines": None}
    for verdict in broken:
        if answer := _answer(window, verdict):
            text = told.setdefault(answer[0], answer[1])
            metrics_of.setdefault(text, {})[verdict.budget.metric] = None
    if len(metrics_of) == 1:
        return list(metrics_of)
    return [f"{', '.join(map(printable, metrics))}: {text}" for text, metrics in list(metrics_of.items())[:_NAMED]]


def _answer(window: WindowRecord, verdict: Verdict) -> tuple[object, str] | None:
    """What tells this answer from others, and its text: bytes and objects of one line are one answer."""
    if group := group_of(window, verdict):
        return group, goroutine_sentence(group)
    if first := first_of(window, verdict):
        return (first.function, first.file, first.line), culprit_sentence(first)
    words = window.culprit_summaries.get(verdict.budget.metric, "")
    return (words, printable(words)) if words else None


def _since(window: WindowRecord, broken: Sequence[Verdict]) -> list[str]:
    """What else is known to differ: modules, Go, and the commit of the first culprit's line."""
    named = [culprit for verdict in broken if (culprit := first_of(window, verdict))]
    differences = [*_changes(window, named), *_commit(named)]
    base = window.base.build.ref if window.base and any(verdict.kind == REGRESSION for verdict in broken) else ""
    return [printable("; ".join(filter(None, [base, *differences])))] if differences else []


def _changes(window: WindowRecord, named: Sequence[Culprit]) -> Iterator[str]:
    """The modules with another version, those of the culprits first."""
    of_culprits = [culprit.module_change for culprit in named if culprit.module_change in window.modules]
    changes = list(dict.fromkeys([*filter(None, of_culprits), *window.modules]))
    if all(change.module != GO for change in changes):
        yield from _go_versions(window)
    yield from (change.text for change in changes[:FEW_CHANGES])
    if rest := len(changes) - FEW_CHANGES if len(changes) > FEW_CHANGES else 0:
        yield f"{rest} more module{'s' * (rest > 1)}"


def _go_versions(window: WindowRecord) -> Iterator[str]:
    """The Go releases if the sides were built by different ones: then more than the code differs."""
    base, now = window.base.build.go_version if window.base else "", window.build.go_version
    if base and now and base != now:
        yield f"built by different Go versions: {base}, and now {now}"


def _commit(named: Sequence[Culprit]) -> Iterator[str]:
    found = ((culprit, cause) for culprit in named for cause in culprit.causes if cause.kind == "git")
    for culprit, cause in islice(found, 1):
        yield f"{culprit.file}:{culprit.line}: {cause.text}"


def _labelled(label: str, texts: Sequence[str]) -> Iterator[Answer]:
    yield from (Answer("" if number else label, text) for number, text in enumerate(texts))
