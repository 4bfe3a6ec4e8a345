"""Writes what `gomem tune` has found: the text, JSON, the curve as SVG, and a page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TextIO

from pytest_gomem.base.errors import ConfigError, Place
from pytest_gomem.commands.own_outputs import write_file, write_json
from pytest_gomem.page.tune import tune_page
from pytest_gomem.tune.answer import answer_lines, answer_to_dict
from pytest_gomem.tune.picture import curve
from pytest_gomem.tune.records import Answer
from pytest_gomem.tune.state import State

_PAGE = "--html"


@dataclass(frozen=True)
class Outputs:
    """Where the user wants the answer, beside the text; None: nowhere."""

    json: str | None
    svg: str | None
    html: str | None

    def __post_init__(self) -> None:
        if self.html and find_spec("jinja2") is None:  # better said now than after the last run
            raise ConfigError("the page needs jinja2", Place(key=_PAGE), "pip install 'pytest-gomem[report]'")

    def write(
        self, answer: Answer, state: State, service: str, units: Mapping[str, str], out: TextIO, width: int
    ) -> None:
        """Print the text, or JSON in its place, then write the files; raises GomemError after all that could be."""
        if self.json != "-":
            out.write("\n".join(answer_lines(answer, state, service, units, width)) + "\n")
        if self.json:
            write_json(self.json, answer_to_dict(answer, state, service, units), out)
        if self.html:
            write_file(Path(self.html), tune_page(answer, state, service, units, _PAGE))
        if self.svg:
            write_file(Path(self.svg), curve(answer, state.asked.question, state.asked.test))
