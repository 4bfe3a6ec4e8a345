"""The page of a search for settings in a headless Chromium: light, dark, and on a phone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "unit"))  # the answer that its words are tested with
from test_tune_words import ANSWER, QUESTION, UNITS

from pytest_gomem.page.tune import tune_page
from pytest_gomem.tune.state import Asked, State


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_page_shows_all_on_any_screen(chromium, tmp_path, theme):
    """It asks for nothing, its policy allows what it holds, and a phone need not scroll it sideways."""
    page = tmp_path / "tune.html"
    page.write_text(tune_page(ANSWER, State(Asked("t.py::test_work", QUESTION), ""), "api", UNITS, "--html"))
    chromium.requests.clear()
    chromium.prefer(theme)
    for width in (1200, 390):
        chromium.resize(width, 900)
        chromium.open(page)
        assert chromium.evaluate("document.documentElement.scrollWidth") <= width
    assert chromium.evaluate("document.documentElement.dataset.theme") == theme
    assert chromium.evaluate("document.querySelector('img.curve').naturalWidth") > 0
    assert chromium.evaluate("document.querySelector('.chosen').innerText").split("\t")[0] == "200 MiB"
    assert chromium.evaluate("document.querySelectorAll('.lines dd').length") == 3
    assert chromium.complaints == []
    assert {address for address in chromium.requests if not address.startswith("data:")} == {page.as_uri()}
