"""Writes the page of a run: one HTML file with its script, style and data, test by test."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from pytest_gomem import __version__
from pytest_gomem.base.files import from_here, output_asked_for, write_whole
from pytest_gomem.base.printable import printable
from pytest_gomem.page.detail import Places, detail_of
from pytest_gomem.page.flame_style import flame_style
from pytest_gomem.page.parts import hash_of, read_asset, template
from pytest_gomem.page.rows import counts, row_of
from pytest_gomem.page.tables import columns_compared, comparison_of, matrices_of
from pytest_gomem.page.words import Words
from pytest_gomem.report.json_parts import environment_of
from pytest_gomem.report.terminal import COLUMNS, for_tables
from pytest_gomem.results.run_record import RunRecord, TestRecord

Json = dict[str, Any]
_STYLES = ("uplot/uPlot.min.css", "page.css")
_LIBRARY = "uplot/uPlot.iife.min.js"
_SCRIPTS = (
    *("text.js", "paint.js", "chart.js", "growth.js", "flame.js", "parts.js", "limits.js", "causes.js", "checks.js"),
    *("test.js", "list.js", "compared.js", "address.js", "page.js"),
)
_FACTS = {"go_version": "Go", "cpus": "CPUs", "thp": "huge pages", "python": "Python"}
_FIRST = ("go_version", "platform", "cpus")
_UNSAFE = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def write_page(run: RunRecord, path: Path, key: str) -> None:
    """Write the page to `path`, whole or not at all; raises ConfigError if that fails, or without jinja2.

    key: how the path was given, for the error. The records of no more than one test are in memory.
    """
    page = template("page.html.j2", key)
    with (
        output_asked_for("the page cannot be written", path, key),
        tempfile.TemporaryFile("w+", encoding="utf-8") as details,
    ):
        whole = _gather(run, path, details)
        details.seek(0)
        write_whole(path, page.generate(title=whole["title"], data=_text(whole), tests=details, **_assets()))


def _gather(run: RunRecord, path: Path, details: IO[str]) -> Json:
    """What the list shows of all tests; the details of each become a line of the file."""
    words, rows, compared, of_matrix = Words(), [], [], list[TestRecord]()
    for number, test in enumerate(run.tests):
        row = row_of(test)
        rows.append(row)
        compared += [{"test": number, **one} for one in comparison_of(test)]
        if test.matrix:
            of_matrix.append(for_tables(test))
        details.write(_text(detail_of(test, words, _places(run, path))) + "\n")
    return {
        "title": _title(run),
        "facts": list(_facts(run)),
        "warnings": list(_warnings(run)),
        "shards": list(_shards(run)),
        "counts": counts(rows),
        "columns": list(COLUMNS.items()),
        "rows": rows,
        "compared": {"columns": columns_compared(), "rows": compared},
        "matrices": matrices_of(of_matrix),
        "words": words.texts,
    }


def _places(run: RunRecord, path: Path) -> Places:
    if not run.artifacts:
        return Places()
    return Places(from_here(run.artifacts), os.path.relpath(run.artifacts, path.parent))


def _text(data: object) -> str:
    """JSON on one line that can end no script, whatever names are in it."""
    return json.dumps(data, allow_nan=False, ensure_ascii=False, separators=(",", ":")).translate(_UNSAFE)


def _title(run: RunRecord) -> str:
    return printable(Path(run.folder).name if run.folder else "") or "gomem report"


def _facts(run: RunRecord) -> Iterator[tuple[str, str]]:
    """What the head of the page says of the run; unknown facts are left out."""
    if run.commit:
        yield "commit", printable(run.commit)
    if run.folder:
        yield "folder", printable(run.folder)
    if run.against:
        yield "compared with", printable(run.against)
    if run.shards:
        yield "shards", str(len(run.shards))
    yield from _environment(environment_of(run))
    yield "pytest-gomem", printable(run.tool_version)


def _environment(facts: Mapping[str, str | int | float | None]) -> Iterator[tuple[str, str]]:
    known = {name: str(value) for name, value in facts.items() if value is not None}
    platform = "/".join(known.pop(name) for name in ("goos", "goarch") if name in known)
    if platform:
        known["platform"] = platform
    for name in (*_FIRST, *(name for name in known if name not in _FIRST)):
        if name in known:
            yield printable(_FACTS.get(name, name.replace("_", " "))), printable(known[name])


def _warnings(run: RunRecord) -> Iterator[str]:
    yield from map(printable, run.problems)
    if run.interrupted:
        yield "The run was interrupted: tests are missing."
    elif not run.complete:
        yield "Not each test that was to be measured has a result."
    if run.deselected:
        left = len(run.deselected)
        yield f"{left} test{'s' * (left != 1)} that would have been measured {'were' if left > 1 else 'was'} left out."


def _shards(run: RunRecord) -> Iterator[tuple[str, str, str, str]]:
    """The reports that a merged run is made of: file, number of tests, environment, and how each ended."""
    for shard in run.shards:
        facts = ", ".join(f"{name} {value}" for name, value in _environment(shard.environment))
        ended = "interrupted" if shard.interrupted else f"exit status {shard.exit_status}"
        yield printable(shard.file), str(len(shard.tests)), facts, ended if shard.complete else f"{ended}, incomplete"


def _assets() -> Mapping[str, str]:
    """The script that runs before the page is painted, the other one, and the style, each with its hash."""
    early = read_asset("theme.js")
    style = "\n".join([*map(read_asset, _STYLES), flame_style()])
    own = "\n".join(map(read_asset, _SCRIPTS))
    script = f'{read_asset(_LIBRARY)}\n(() => {{\n"use strict";\n{own}}})();\n'
    found = {"early": early, "style": style, "script": script}
    return {**found, **{f"{name}_hash": hash_of(text) for name, text in found.items()}, "version": __version__}
