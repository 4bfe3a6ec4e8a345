"""GitLab: the files of its code quality report and its metrics report."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from pytest_gomem.base.files import output_asked_for, write_whole
from pytest_gomem.base.printable import printable
from pytest_gomem.ci.findings import Figure, Issue, Told, clear_names
from pytest_gomem.report.text import clip

QUALITY = "gl-code-quality-report.json"
METRICS = "metrics.txt"
_SEVERITY = {"error": "major", "warning": "minor", "accepted": "info"}
_LONGEST = 500  # characters of a description, which GitLab shows in one line
_NO_NAME = re.compile(r"[^a-zA-Z0-9_]")
_UNITS = {"bytes": "bytes", "seconds": "seconds", "ratio": "as a share of 1"}


def write_gitlab(told: Told, folder: Path, option: str) -> None:
    """Write both files into the folder, each whole or not at all; raises ConfigError. option: names the folder."""
    files = {QUALITY: json.dumps(quality(told), indent=1) + "\n", METRICS: "".join(metrics(told))}
    for name, content in files.items():
        with output_asked_for("the file for GitLab cannot be written", folder / name, option, "folder"):
            write_whole(folder / name, content)


def quality(told: Told) -> list[dict[str, object]]:
    """The code quality report: each broken limit, and each warning, at its line of Go or its test."""
    names, seen = clear_names(told.nodeids), Counter[str]()
    found: list[dict[str, object]] = []
    for issue in told.issues:
        if not issue.spot.file:  # GitLab takes none without a file
            continue
        key = _fingerprint(issue)
        seen[key] += 1
        name = names[issue.nodeid] + (f" / {issue.label}" if issue.label else "")
        found.append(
            {
                "description": clip(f"{name}: {issue.text}", _LONGEST),
                "check_name": f"gomem/{issue.metric}",
                "fingerprint": _hash(f"{key} {seen[key]}") if seen[key] > 1 else key,
                "severity": _SEVERITY[issue.level],
                "location": {"path": issue.spot.file, "lines": {"begin": max(issue.spot.line, 1)}},
            }
        )
    return found


def _fingerprint(issue: Issue) -> str:
    """The same in every run for the same limit of the same window, whatever was measured and whichever line did it."""
    return _hash(json.dumps([issue.nodeid, issue.label, issue.metric, issue.kind, issue.phase]))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:32]


def metrics(told: Told) -> Iterator[str]:
    """The metrics report, OpenMetrics text: a gauge for each metric, a sample for each window."""
    figures = sorted(told.figures, key=lambda one: _name(one.metric))
    for name, alike in groupby(figures, key=lambda one: _name(one.metric)):
        samples = list(alike)
        yield f"# TYPE {name} gauge\n"
        if words := _UNITS.get(samples[0].unit):
            yield f"# HELP {name} {words}\n"
        yield from _samples(name, samples)
    yield "# EOF\n"


def _samples(name: str, figures: Sequence[Figure]) -> Iterator[str]:
    """Two windows of one name are told apart by their labels, which the report has numbered."""
    for figure in figures:
        labels = {"test": figure.nodeid, "window": figure.label, "service": figure.service}
        if not name.endswith(figure.metric):
            labels["metric"] = figure.metric
        shown = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items() if value)
        yield (
            f"{name}{{{shown}}} {figure.value:.6g}\n" if figure.value % 1 else f"{name}{{{shown}}} {figure.value:.0f}\n"
        )


def _name(metric: str) -> str:
    return f"gomem_{_NO_NAME.sub('_', metric)}"


def _escaped(value: str) -> str:
    """As OpenMetrics has it. "#" begins a comment for GitLab, wherever it stands: it is written as in an address."""
    plain = printable(value).replace("%", "%25").replace("#", "%23")
    return plain.replace("\\", r"\\").replace('"', r"\"")
