"""All that the page shows of one test, as data that its script draws when the test is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from pytest_gomem.base.printable import printable, printable_lines
from pytest_gomem.base.unavailable import Unavailable
from pytest_gomem.judge.decide import FAILING
from pytest_gomem.judge.regressions import REGRESSION
from pytest_gomem.judge.verdict import Verdict
from pytest_gomem.page.bill import bill_of
from pytest_gomem.page.causes import culprits_of, flames_of, goroutines_of, growths_of, holders_of
from pytest_gomem.page.checks import disagreements_of, histograms_of, known_leaks_of
from pytest_gomem.page.course import course_of
from pytest_gomem.page.rounds import rounds_of
from pytest_gomem.page.rows import limit_of
from pytest_gomem.page.words import Words
from pytest_gomem.report.bill import limit_sentence
from pytest_gomem.report.comparison import Row, cells
from pytest_gomem.report.failure import failure_text, search_words, told_first
from pytest_gomem.report.failure_details import KEY_METRICS, details_of, load_texts, size_class_text
from pytest_gomem.report.first_screen import answers
from pytest_gomem.report.text import finite, metric_unit, value_text, window_labels
from pytest_gomem.report.traces import trace_texts
from pytest_gomem.results.run_record import TestRecord
from pytest_gomem.results.window_record import MetricValue, WindowRecord

Json = dict[str, Any]
_KEY = {name: at for at, name in enumerate(name for _, names in KEY_METRICS for name in names)}


class Places(NamedTuple):
    """Where the kept files are: for commands from the current folder, for links from the page's."""

    artifacts: str = ""
    links: str = ""


def detail_of(test: TestRecord, words: Words, places: Places) -> Json:
    """The test and its windows."""
    return {
        "id": printable(test.nodeid),
        "outcome": printable(test.outcome),
        "reason": printable(test.reason),
        "line": test.line,
        "matrix": _pairs(test.matrix),
        "windows": [
            {"label": printable(label), **_window(window, test.nodeid, words, places)}
            for label, window in zip(window_labels(test), test.windows, strict=True)
        ],
    }


def _window(window: WindowRecord, nodeid: str, words: Words, places: Places) -> Json:
    found: Json = {
        "about": list(_about(window)),
        **_failure(window, nodeid, places),
        "verdicts": [_verdict(verdict, window) for verdict in window.verdicts],
        "course": course_of(window),
        "bill": bill_of(window),
        "limit": limit_sentence(window),
        "metrics": _metrics(window.metrics, words),
        "phases": [
            {"name": printable(p.name), "ops": p.ops, "metrics": _metrics(p.metrics, words)} for p in window.phases
        ],
        "culprits": culprits_of(window),
        "holders": holders_of(window),
        "trace": list(trace_texts(window)),
        "goroutines": goroutines_of(window),
        "known_leaks": known_leaks_of(window),
        "disagreements": disagreements_of(window),
        "histograms": histograms_of(window),
        "growths": growths_of(window),
        "flames": flames_of(window),
        "rounds": rounds_of(window),
        "loads": load_texts(window),
        "gc": _settings(window),
        "sizes": printable(size_class_text(window.size_classes)),
        "conditions": [*_build(window), *_pairs(window.conditions)],
        "modules": [printable(change.text) for change in window.modules],
        "notes": [printable(note) for note in (*search_words(window), *window.notes)],
        "log": printable_lines(window.log_tail.rstrip()) if window.log_tail.strip() else "",
        "artifacts": [
            (printable(name), printable(path), _link(places.links, path)) for name, path in window.artifacts.items()
        ],
    }
    return {name: value for name, value in found.items() if value not in (None, "", [], {})}


def _failure(window: WindowRecord, nodeid: str, places: Places) -> Json:
    """The first screen, where something broke or is close to it; the headline as everywhere."""
    broken, warned = told_first(window)
    if not broken and not warned:
        return {"uncompared": printable(window.no_base)}
    headline = failure_text(window, nodeid)[0] if broken else ""
    told = answers(window, nodeid, broken, warned, places.artifacts)
    return {
        "headline": headline,
        "answers": [(one.label, printable(one.text), one.is_command) for one in told],
        "uncompared": printable(window.no_base),
    }


def _about(window: WindowRecord) -> Iterator[tuple[str, str]]:
    yield "service", printable(window.service)
    yield "duration", f"{window.duration:.1f} s"
    if window.ops is not None:
        yield "operations", str(window.ops)
    if window.build.go_version:
        yield "Go", printable(window.build.go_version)
    if window.base:
        yield "compared with", printable(window.base.build.ref or "the base")


def _verdict(verdict: Verdict, window: WindowRecord) -> Json:
    unit = metric_unit(window, verdict.budget.metric, verdict.limit.unit.name)
    found = {
        **limit_of(verdict),
        "failing": verdict.status in FAILING,
        "phase": printable(verdict.budget.phase),
        "value": "" if verdict.actual is None else value_text(verdict.actual, unit),
        "reason": printable(verdict.reason),
        "details": [printable(text) for text in details_of(verdict, window)],
        "declared": printable(str(verdict.budget.place))
        if verdict.budget.place.file
        else printable(verdict.budget.scope),
    }
    if verdict.kind == REGRESSION:
        _, base, now, change, word, interval, *_ = cells(Row("", verdict, window))
        found |= {"base": base, "now": now, "change": change, "word": word, "interval": interval}
    return found


def _metrics(metrics: tuple[MetricValue, ...], words: Words) -> list[tuple[int, str, int, int]]:
    """Name, value, source and what is to be known of it, the key metrics first; of an unavailable one the reason."""
    found = []
    for metric in sorted(metrics, key=lambda one: _KEY.get(one.name, len(_KEY))):
        result = finite(metric.result)
        name = words.number(printable(metric.name))
        if isinstance(result, Unavailable):
            found.append((name, "", 0, words.number(printable(result.reason))))
        else:
            note = "; ".join(filter(None, (result.precision, result.note)))
            source, noted = words.number(printable(result.source)), words.number(printable(note))
            found.append((name, value_text(result.value, metric.unit), source, noted))
    return found


def _settings(window: WindowRecord) -> list[tuple[str, str, str]]:
    """Each GC setting as asked for and as found in force."""
    asked, found = window.gc.requested, window.gc.effective
    names = dict.fromkeys([*asked, *found])
    rows = [(printable(name), printable(asked.get(name, "")), printable(found.get(name, ""))) for name in names]
    return [row for row in rows if row[1] or row[2]]


def _build(window: WindowRecord) -> Iterator[tuple[str, str]]:
    """What the binary was built from."""
    build = window.build
    facts = {"built from": build.ref, "revision": build.revision, "flags": " ".join(build.flags)}
    yield from ((name, printable(value)) for name, value in facts.items() if value)


def _pairs(facts: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(printable(name), printable(value)) for name, value in facts.items()]


def _link(folder: str, path: str) -> str:
    """A relative address, "" where the folder is not known, or none can have the name; it can't be another scheme."""
    try:
        return f"./{quote(os.fsencode(f'{folder}/{path}'))}" if folder else ""
    except UnicodeEncodeError:
        return ""
