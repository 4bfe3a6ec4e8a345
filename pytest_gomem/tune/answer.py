"""What a search for settings has found, as lines and as plain data for JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from statistics import fmean
from typing import Any

from pytest_gomem.base.printable import printable
from pytest_gomem.report.text import clip, wrapped
from pytest_gomem.tune.paste import environment_line, kubernetes_lines, setting_words, yaml_lines
from pytest_gomem.tune.records import Answer, Find, Question, RunResult, Setting
from pytest_gomem.tune.rows_text import mib, points_of, sketch_lines, table_lines
from pytest_gomem.tune.state import State

_FIND = {Find.GOMEMLIMIT: "the smallest GOMEMLIMIT", Find.LIMIT: "the smallest memory limit"}


def question_words(question: Question) -> str:
    """What was asked: "the smallest memory limit that keeps cpu_per_op<=1.25x"."""
    cheapest = f"the setting that costs least under a memory limit of {mib(question.limit or 0)}"
    what = _FIND.get(question.find, cheapest)
    kept = " and ".join(map(str, question.kept))
    return f"{what} that keeps {kept}" if kept else what


def survival_lines(answer: Answer) -> Iterator[str]:
    """The three lines, those that were found out."""
    if answer.killed_below is not None:
        yield f"killed below       {mib(answer.killed_below)}"
    if answer.thrashing_below is not None:
        yield f"thrashing below    {mib(answer.thrashing_below)}"
    if answer.comfortable_above is not None:
        yield f"comfortable above  {mib(answer.comfortable_above)}"


def answer_lines(answer: Answer, state: State, service: str, units: Mapping[str, str], width: int) -> Iterator[str]:
    """The answer for a person, in lines of at most `width` cells; units: those of the metrics, by name."""
    question = state.asked.question
    yield from wrapped(printable(f"{state.asked.test}: {question_words(question)}"), width)
    if answer.setting is not None:
        yield from wrapped(printable(f"{service or 'the service'}: {setting_words(answer.setting)}"), width)
    yield from wrapped(printable(answer.reason), width, "  ")
    for note in answer.notes:
        yield from wrapped(printable(note), width, "  ")
    if answer.setting is not None:
        yield ""
        yield from (clip(line, width) for line in paste_lines(answer.setting, service))
    lines = list(survival_lines(answer))
    yield from ["", *(clip(line, width) for line in lines)] if lines else []
    table = table_lines(answer, question, units, width - 2)
    yield from ["", *(clip(f"  {line}", width) for line in table)] if table else []
    sketch = list(sketch_lines(points_of(answer), width))
    yield from ["", *(clip(f"  {line}", width) for line in sketch)] if sketch else []
    yield ""
    yield cost_words(state.results)


def paste_lines(setting: Setting, service: str) -> Iterator[str]:
    """The setting under the name of each place where it can stand."""
    for name, lines in pasted(setting, service).items():
        yield f"  {name:<13} {lines[0]}"
        yield from (f"  {'':<13} {line}" for line in lines[1:])


def pasted(setting: Setting, service: str) -> dict[str, tuple[str, ...]]:
    """What to paste, by where; a place that would have nothing is left out."""
    every = {
        "environment": tuple(filter(None, [environment_line(setting)])),
        "gomem.yaml": tuple(yaml_lines(setting, service)),
        "Kubernetes": tuple(kubernetes_lines(setting)),
    }
    return {name: lines for name, lines in every.items() if lines}


def cost_words(results: tuple[RunResult, ...]) -> str:
    """How many runs it took, and how long."""
    count, seconds = len(results), sum(result.seconds for result in results)
    return f"{count} run{'s' * (count != 1)}, {seconds:.0f} s"


def to_go(question: Question, results: tuple[RunResult, ...], left: int) -> float | None:
    """Seconds until the answer, if so many further runs take as long as those so far; None before the first one.

    left: 0 if that is not known. A time budget ends it earlier.
    """
    spent = [result.seconds for result in results]
    expected = [left * fmean(spent)] if spent and left else []
    budget = [question.budget_seconds - sum(spent)] if question.budget_seconds is not None else []
    return max(min(*expected, *budget, float("inf")), 0.0) if expected or budget else None


def answer_to_dict(answer: Answer, state: State, service: str, units: Mapping[str, str]) -> dict[str, Any]:
    """The answer as plain data; figures are in the metric's unit, memory in bytes."""
    question = state.asked.question
    named = {name for row in answer.rows for name in row.figures} | {bound.metric for bound in question.kept}
    return {
        "found": answer.setting is not None,
        "reason": answer.reason,
        "test": state.asked.test,
        "service": service or None,
        "find": question.find.value,
        "limit": question.limit,
        "bounds": [asdict(bound) | {"written": str(bound)} for bound in question.kept],
        "setting": asdict(answer.setting) if answer.setting else None,
        "paste": {name: "\n".join(lines) for name, lines in pasted(answer.setting, service).items()}
        if answer.setting
        else {},
        "killed_below": answer.killed_below,
        "thrashing_below": answer.thrashing_below,
        "comfortable_above": answer.comfortable_above,
        "needs_rounds": answer.needs_rounds,
        "confirmed": answer.confirmed,
        "expected": dict(answer.expected),
        "notes": list(answer.notes),
        "rows": [{**asdict(row), "figures": dict(row.figures), "keeps": dict(row.keeps)} for row in answer.rows],
        "runs": [asdict(result) | {"ended": result.ended.value} for result in state.results],
        "units": {name: units[name] for name in sorted(named) if name in units},
        "seconds": round(sum(result.seconds for result in state.results), 1),
    }
