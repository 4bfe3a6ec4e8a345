"""The interactive flame graph in a headless Chromium: search, zoom, keys, themes, and what a screen reader hears."""

from __future__ import annotations

import json
from array import array
from dataclasses import replace
from pathlib import Path

import pytest

import pytest_gomem.page
from pytest_gomem.flame.bounded import Shown, flame_record, tree_of_profiles
from pytest_gomem.flame.html import page
from pytest_gomem.flame.picture import Asked, picture
from pytest_gomem.flame.tree import call_tree
from pytest_gomem.launch.go_module import GoModule
from pytest_gomem.page.flame_style import flame_style
from pytest_gomem.pprof.model import Function, Line, Location, Profile, ValueType, pack
from pytest_gomem.pprof.table import value_text

TYPES = (ValueType("alloc_space", "bytes"), ValueType("inuse_space", "bytes"))
HOSTILE = "main.</script><img src=x onerror=alert(1)>\u202e"
SHOWN = r"main.</script><img src=x onerror=alert(1)>\u202e"
STACKS = {  # the root first; bytes allocated and held
    ("main.main", "main.serve", "main.leak"): (7000, 6000),
    ("main.main", "main.serve", "net/http.(*conn).serve", "main.leak"): (1000, 1000),
    ("main.main", "main.work"): (1500, 0),
    ("main.main", HOSTILE): (500, 1000),
}


def location(name):
    return Location(None, 0, (Line(Function(name, name, "/src/main.go", 1), 1, 0),), False)


def profile_of(stacks):
    ids = {name: number for number, name in enumerate(dict.fromkeys(name for stack in stacks for name in stack), 1)}
    return Profile(
        TYPES,
        [pack(ids[name] for name in reversed(stack)) for stack in stacks],
        tuple(array("q", column) for column in zip(*stacks.values(), strict=True)),
        None,
        {number: location(name) for name, number in ids.items()},
    )


@pytest.fixture
def draw(chromium, tmp_path):
    """Opens the flame graph that the page of a report draws of stacks, beside others where there are some."""

    def draw(stacks, base=None, **changed):
        lines = tree_of_profiles([profile_of(stacks)], [profile_of(base)] if base else [], GoModule("example.com/app"))
        shown = Shown("inuse_space", "bytes live at the close", "at the opening" if base else "")
        data = json.dumps(vars(replace(flame_record(lines, shown), **changed))).replace("<", "\\u003c")
        script = Path(pytest_gomem.page.__file__).with_name("assets").joinpath("flame.js").read_text()
        path = tmp_path / "record.html"
        path.write_text(
            f"<!doctype html><meta charset=utf-8><style>{flame_style()}</style><div id=flame></div><script>{script}\n"
            f"drawFlame(document.getElementById('flame'), {data}, 'live');</script>"
        )
        chromium.open(path)
        return chromium

    yield draw
    assert chromium.complaints == []


@pytest.fixture
def show(chromium, tmp_path):
    """Opens the flame graph of stacks, compared with others where there are some; nothing may go wrong in it."""

    def show(stacks, base=None, hide_below=0.001):
        new, old = profile_of(stacks), profile_of(base) if base else None
        asked = Asked("new.pb.gz", "base.pb.gz" if base else "", hide_below=hide_below)
        drawn = picture(new, call_tree(new, old), asked)
        path = tmp_path / "flame.html"
        path.write_text(page(drawn, drawn.default))
        chromium.requests.clear()
        chromium.open(path)
        return chromium

    yield show
    assert chromium.complaints == []
    assert {address.partition(":")[0] for address in chromium.requests} == {"file"}


def text(browser, selector):
    return browser.evaluate(f"document.querySelector({selector!r}).innerText")


def boxes(browser, selector=".box"):
    """The visible text of frames, with their place: {text: (left, width, row)}."""
    script = f"""[...document.querySelectorAll({selector!r})].map((b) =>
        [b.getAttribute('aria-label').split(':')[0], b.offsetLeft, b.offsetWidth, b.offsetTop / 20])"""
    return [(name, left, width, row) for name, left, width, row in browser.evaluate(script)]


def focused(browser):
    return browser.evaluate("document.activeElement.getAttribute('aria-label').split(':')[0]")


def test_search_tells_the_share_of_what_matches(show):
    """Matches within matches count once; a broken expression is searched as text; Escape ends it."""
    browser = show(STACKS)
    assert "inuse_space - bytes live when the profile was taken; total 8.00 kB" in text(browser, "#what")
    browser.press("/")
    browser.write("LEAK|conn")
    assert text(browser, "#found") == "3 frames match: 7.00 kB, 88% of the total"
    assert [name for name, *_ in boxes(browser, ".box.match")] == ["main.leak", "net/http.(*conn).serve", "main.leak"]
    browser.press("Enter")
    assert focused(browser) == "main.leak"
    browser.press("n")
    assert focused(browser) == "net/http.(*conn).serve"
    browser.press("N")
    assert focused(browser) == "main.leak"
    browser.press("/")
    browser.evaluate("document.getElementById('search').select()")
    browser.write("(*conn")
    assert text(browser, "#found") == "1 frame matches: 1.00 kB, 13% of the total"
    browser.press("Escape")
    assert text(browser, "#found") == ""
    assert boxes(browser, ".box.match") == []


def test_zoom_by_mouse(show):
    """A click widens a frame to the whole chart, its callers stay above it, and the path and the button lead back."""
    browser = show(STACKS)
    room = browser.evaluate("document.getElementById('chart').clientWidth")
    before = boxes(browser)
    browser.click(".box[aria-level='5']")
    assert [(name, width) for name, left, width, _ in boxes(browser) if left == 0] == [
        (name, room) for name in ("all", "main.main", "main.serve", "net/http.(*conn).serve", "main.leak")
    ]
    assert len(boxes(browser)) == 5
    assert text(browser, "#path").split("\n")[-1].endswith("main.leak")
    browser.click("#path li:nth-child(3) button")
    assert len(boxes(browser)) == 6
    browser.click("#reset")
    assert boxes(browser) == before
    assert browser.evaluate("document.getElementById('reset').disabled")


def test_all_by_keyboard(show):
    """Tab enters the chart once; arrows walk the tree, Enter zooms, Escape goes back, Home to the root."""
    browser = show(STACKS)
    browser.evaluate("document.getElementById('theme').focus()")
    for _ in range(2):  # the path has one button
        browser.press("Tab")
    assert focused(browser) == "all"
    walk = ["ArrowDown main.main", "ArrowDown main.serve", f"ArrowRight {SHOWN}", "ArrowLeft main.serve"]
    for step in [*walk, "ArrowDown main.leak", "ArrowUp main.serve"]:
        key, _, name = step.partition(" ")
        browser.press(key)
        assert focused(browser) == name
    assert "with all it calls" in text(browser, "#tip")
    browser.press("Enter")
    assert {name for name, left, *_ in boxes(browser) if left == 0} == {"all", "main.main", "main.serve", "main.leak"}
    assert focused(browser) == "main.serve"
    browser.press("Escape")
    browser.press("Escape")
    assert browser.evaluate("document.getElementById('reset').disabled")
    browser.press("Home")
    assert focused(browser) == "all"


def test_tooltips_and_names_tell_the_values(show):
    """Flat and cumulative, in prefixed and exact bytes and as shares; every control and frame has a name."""
    browser = show(STACKS)
    browser.hover(".box[aria-level='3']")
    shown = " ".join(text(browser, "#tip").split())
    assert "main.serve" in shown
    assert "/src/main.go" in shown
    assert "with all it calls 7.00 kB 88% 7 000 B" in shown
    assert "itself 0 B 0% 0 B" in shown
    labels = browser.evaluate("[...document.querySelectorAll('.box')].map((b) => b.getAttribute('aria-label'))")
    assert "main.serve: with all it calls 7.00 kB (88%), itself 0 B (0%)" in labels
    nodes = browser.ask("Accessibility.getFullAXTree")["nodes"]
    controls = ("button", "searchbox", "radio", "treeitem", "tree")
    named = {kind: [n["name"]["value"] for n in nodes if n.get("role", {}).get("value") == kind] for kind in controls}
    assert all(names and all(names) for names in named.values()), named


def test_every_sample_type_is_in_the_page(show):
    """Another choice draws the other values, and keeps the zoom where that frame is there too."""
    browser = show(STACKS)
    browser.click(".box[aria-level='3']")
    browser.click("#samples label:nth-of-type(1) input")
    assert "alloc_space" in text(browser, "#what")
    assert text(browser, "#path").split("\n")[-1].endswith("main.serve")
    browser.click("#reset")
    assert "main.work" in {name for name, *_ in boxes(browser)}


def test_themes_follow_the_system_and_the_button(show):
    """prefers-color-scheme decides until the button is pressed."""
    browser = show(STACKS)
    paper = "getComputedStyle(document.body).backgroundColor"
    browser.prefer("light")
    assert browser.evaluate(paper) == "rgb(255, 255, 255)"
    browser.prefer("dark")
    dark = browser.evaluate(paper)
    assert dark != "rgb(255, 255, 255)"
    browser.click("#theme")
    assert browser.evaluate(paper) == "rgb(255, 255, 255)"
    browser.prefer("light")


def test_a_difference_tells_changes_and_what_has_vanished(show):
    """Labels are changes, colours their steps, and what is gone stands in a table."""
    base = {
        ("main.main", "main.serve", "main.leak"): (1, 1000),
        ("main.main", "main.work"): (1, 3000),
        ("main.main", HOSTILE): (1, 1000),
    }
    browser = show(STACKS, base)
    assert "5.00 kB before, 8.00 kB now: +3.00 kB" in text(browser, "#what")
    script = "[...document.querySelectorAll('.box')].map((b) => [b.innerText, b.ariaLabel.split(':')[0], b.className])"
    shown = browser.evaluate(script)
    assert ["main.leak  +5.00 kB", "main.leak", "box k6"] in shown
    assert [SHOWN, "box k3"] in [row[1:] for row in shown]
    assert text(browser, "#vanished-sum") == "3.00 kB of before, in 1 place:"
    assert text(browser, "#vanished-rows").split("\t") == ["3.00 kB", "main.work", "main.main"]
    browser.hover(".box[aria-level='4']")
    assert "6.00 kB 75% 6 000 B 1.00 kB +5.00 kB" in " ".join(text(browser, "#tip").split())
    browser.click("#samples label:nth-of-type(1) input")
    assert browser.evaluate("document.getElementById('vanished').hidden")


def test_five_thousand_frames(show):
    """All are there to be searched and zoomed into; what is narrower than a pixel waits for the zoom."""
    stacks = {("main.main", f"main.f{n // 10}", *(f"main.g{n}x{k}" for k in range(10))): (1, 1) for n in range(500)}
    browser = show(stacks, hide_below=0)
    assert len(boxes(browser)) == 5052
    browser.press("/")
    browser.write("main")
    assert text(browser, "#found").startswith("5051 frames match: ")
    browser.press("Escape")
    browser.click(".box[aria-level='3']")
    assert len([row for *_, row in boxes(browser) if row == 4]) == 10


def test_values_read_as_everywhere_else(show):
    """The script writes bytes as Python does."""
    values = [1, 999, 1000, 9994, 9995, 99_950, 999_499, 999_500, 1_234_567, 5 * 10**9, 2**50]
    chain = [f"main.f{value}" for value in values]  # the largest is the leaf, so that no frame is too narrow
    browser = show({tuple(chain[: at + 1]): (1, value) for at, value in enumerate(values)}, hide_below=0)
    labels = browser.evaluate("[...document.querySelectorAll('.box')].map((b) => b.getAttribute('aria-label'))")
    told = {label.partition(":")[0]: label for label in labels}
    for value in values:
        assert f"itself {value_text(value, 'bytes')} (" in told[f"main.f{value}"]


def told(browser):
    """Each frame of a record's flame graph, as a screen reader has it: {label: (left, share of the width, class)}."""
    script = """[...document.querySelectorAll('.flame-box')].map((b) => [b.ariaLabel, b.offsetLeft,
        Math.round(100 * b.offsetWidth / b.parentNode.clientWidth), b.className])"""
    return {label: (left, width, kind) for label, left, width, kind in browser.evaluate(script)}


def test_the_page_of_a_report_draws_what_grew(draw):
    """Then all there is; colours are changes, the user's own functions are marked, and what is gone is told."""
    base = {
        ("main.main", "main.serve", "main.leak"): (1, 1000),
        ("main.main", "main.work"): (1, 3000),
        ("main.main", HOSTILE): (1, 1000),
    }
    browser = draw(STACKS, base)
    leak = "main.leak (main.go:1): 6.00 kB, 75%; 1.00 kB at the opening, change +5.00 kB"
    assert told(browser)[leak] == (0, 83, "flame-box flame-c6 flame-own")
    assert not any("onerror" in label for label in told(browser))  # it has not grown
    assert "5.00 kB at the opening, 8.00 kB now: +3.00 kB" in text(browser, ".flame-head")
    assert "Gone, and so not drawn: 3.00 kB. 3.00 kB main.work." in text(browser, ".flame-notes")
    browser.click(".flame-choice label:last-child input")
    assert told(browser)[leak][1] == 75
    same = next(one for label, one in told(browser).items() if "onerror" in label)
    assert same[1:] == (13, "flame-box flame-c3")


def test_the_flame_graph_of_a_report_by_keyboard(draw):
    """Arrows walk, Enter zooms, Escape goes back, / searches; what is focused is told."""
    browser = draw(STACKS, notes=("Mean of 2 rounds.",), dropped=3)
    assert told(browser)["all: 8.00 kB, 100%"] == (0, 100, "flame-box flame-root")
    assert "Mean of 2 rounds. 3 smaller frames are left out." in text(browser, ".flame-notes")
    browser.evaluate("document.querySelector('.flame-box[tabindex=\"0\"]').focus()")
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowLeft", "Enter"):
        browser.press(key)
    assert focused(browser) == "main.serve (main.go"
    assert "main.serve main.go:1 7.00 kB with all it calls, 88% of all" in text(browser, ".flame-about")
    assert [width for left, width, _ in told(browser).values() if left == 0] == [100, 100, 100, 86]
    browser.press("Escape")
    browser.press("Home")
    assert focused(browser) == "all"
    browser.press("/")
    browser.write("LEAK|conn")
    assert text(browser, ".flame-found") == "3 frames match: 7.00 kB, 88% of all"
    browser.press("Enter")
    assert focused(browser).startswith("main.leak")
    assert sum("flame-match" in kind for *_, kind in told(browser).values()) == 3
