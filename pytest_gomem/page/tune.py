"""The page of a search for settings: one HTML file that loads nothing from elsewhere."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from pytest_gomem import __version__
from pytest_gomem.base.printable import printable
from pytest_gomem.page.parts import hash_of, read_asset, template
from pytest_gomem.tune.answer import cost_words, pasted, question_words, survival_lines
from pytest_gomem.tune.paste import setting_words
from pytest_gomem.tune.picture import curve
from pytest_gomem.tune.records import Answer
from pytest_gomem.tune.rows_text import points_of, table_cells
from pytest_gomem.tune.state import State


def tune_page(answer: Answer, state: State, service: str, units: Mapping[str, str], key: str) -> str:
    """The page's text; raises ConfigError without jinja2. key: how it was asked for, for the error."""
    question, nodeid = state.asked.question, state.asked.test
    picture = curve(answer, question, nodeid) if points_of(answer) else ""
    style, early = "\n".join([read_asset("page.css"), read_asset("tune.css")]), read_asset("theme.js")
    head, *rows = table_cells(answer, question, units)
    return template("tune.html.j2", key).render(
        version=__version__,
        title=printable(nodeid.rpartition("::")[2]),
        nodeid=printable(nodeid),
        service=printable(service),
        question=printable(question_words(question)),
        status="bad" if answer.setting is None else "warn" if answer.needs_rounds else "good",
        setting=printable(setting_words(answer.setting)) if answer.setting else "",
        reason=printable(answer.reason),
        notes=[printable(note) for note in answer.notes],
        lines=[tuple(part.strip() for part in line.split("  ", 1)) for line in survival_lines(answer)],
        pasted={name: "\n".join(lines) for name, lines in pasted(answer.setting, service).items()}
        if answer.setting
        else {},
        head=[printable(cell) for cell in head],
        rows=[[printable(cell) for cell in row] for row in rows],
        picture=base64.b64encode(picture.encode()).decode(),
        cost=cost_words(state.results),
        style=style,
        style_hash=hash_of(style),
        early=early,
        early_hash=hash_of(early),
    )
