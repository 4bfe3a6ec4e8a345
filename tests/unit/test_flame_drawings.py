"""What flame graphs say and how they say it safely: changes, whose code, notes, colours, hostile names."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pprof_profiles import HEAP, location, profile, profiles

from pytest_gomem.flame.frame import (
    CHANGES,
    HELD,
    KINDS,
    MARK,
    ROOT,
    TEXT,
    Change,
    Kind,
    change,
    contrast,
    kind_of,
    path,
    vanished,
)
from pytest_gomem.flame.html import page
from pytest_gomem.flame.picture import Asked, picture, short_name
from pytest_gomem.flame.svg import svg
from pytest_gomem.flame.tree import call_tree
from pytest_gomem.pprof.group import Frame
from pytest_gomem.pprof.model import ValueType

PLACES = {number: location(name) for number, name in enumerate(["main.leaf", "main.main", "net/http.serve", "a.b"], 1)}
HOSTILE = [
    "main.</script><script>alert(1)</script>",
    "<!--<script>",
    """main.T["quote'd"]&amp;<img src=x onerror=alert(1)>""",
    "main.\u202eevil\u2066x",
    "main.\x00\x07\x1b[31m\u2028\ufffe",
    "ראשי.עבודה",
    "]]>{{ 7 * 7 }}{% raw %}",
]


def drawn(samples, places=PLACES, base=None, types=None, asked=None, **headers):
    new = profile(samples, places, **({"sample_types": types} if types else {}), **headers)
    old = profile(base, places, **({"sample_types": types} if types else {})) if base is not None else None
    return picture(new, call_tree(new, old), asked or Asked("new.pb.gz", "base.pb.gz" if base is not None else ""))


def notes(made):
    return " ".join(made.views[0].notes)


class Page(HTMLParser):
    """The tags of a page and the texts of its scripts, as a browser tells them apart."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.scripts, self._in = [], [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self._in = tag

    def handle_endtag(self, tag):
        self._in = None

    def handle_data(self, data):
        if self._in == "script":
            self.scripts.append(data)


@pytest.mark.parametrize(
    ("before", "now", "step"),
    [
        (0, 0, Change.SAME),
        (100, 101, Change.SAME),
        (1000, 1011, Change.GROWN_LITTLE),
        (1000, 989, Change.SHRUNK_LITTLE),
        (90, 100, Change.GROWN_LITTLE),
        (89, 100, Change.GROWN),
        (100, 89, Change.SHRUNK),
        (50, 100, Change.GROWN),
        (49, 100, Change.GROWN_MUCH),
        (100, 49, Change.GONE_MOSTLY),
        (0, 1, Change.GROWN_MUCH),
        (5, -5, Change.GONE_MOSTLY),
    ],
)
def test_steps_of_change(before, now, step):
    """The step that the legend promises, on both sides of each limit."""
    assert change(before, now) is step


@given(st.integers(0, 2**50), st.integers(0, 2**50))
def test_there_and_back_are_mirrored(one, other):
    """What grows by a step shrinks by the same one, turned around."""
    steps = list(Change)
    assert steps.index(change(one, other)) == len(steps) - 1 - steps.index(change(other, one))


def test_vanished_frames_are_told_in_words():
    """Only the outermost of a path that is gone, the largest first; nothing of them is drawn."""
    made = drawn([([2], (5,))], base=[([1, 2], (70,)), ([3, 4, 2], (30,)), ([4], (900,))])
    (view,) = made.views
    assert [(str(made.tree.frames[one.node]), one.before) for one in view.vanished] == [
        ("a.b", 900),
        ("main.leaf", 70),
        ("a.b", 30),
    ]
    assert len(view.layout.boxes) == 2
    text = svg(made, view)
    assert "Vanished, and so not drawn: 1.00 kB of before, in 3 places" in text
    assert "70.0 B main.leaf, called by main.main" in text
    assert "net/http.serve" not in text


@given(profiles(), profiles())
@settings(max_examples=30)
def test_vanished_frames_have_no_box(base, new):
    """What is told as vanished is not drawn, and what had something before is drawn or lies below a vanished frame."""
    tree = call_tree(new, base)
    for view in picture(new, tree, Asked("n", "b", hide_below=0)).views:
        boxes = {box.node for box in view.layout.boxes if box.width}
        gone = {one.node for one in vanished(tree, view.before, view.now)}
        assert not boxes & gone
        for node, before in enumerate(view.before.cum):
            assert not before or boxes.intersection(path(tree, node)) or gone.intersection(path(tree, node))


@pytest.mark.parametrize(
    ("function", "file", "kind"),
    [
        ("main.main", "/home/me/app/main.go", Kind.OWN),
        ("example.com/app/store.(*DB).Get[go.shape.int]", "/src/app/store/db.go", Kind.OWN),
        ("gopkg.in/yaml%2ev3.Load", "/root/go/pkg/mod/gopkg.in/yaml.v3@v3.0.1/yaml.go", Kind.DEPENDENCY),
        ("github.com/x/y.F", "github.com/x/y@v1.2.3/f.go", Kind.DEPENDENCY),
        ("github.com/x/y.F", "/src/app/vendor/github.com/x/y/f.go", Kind.DEPENDENCY),
        ("net/http.(*conn).serve", "/usr/local/go/src/net/http/server.go", Kind.STANDARD),
        ("internal/poll.(*FD).Read", "", Kind.STANDARD),
        ("runtime.mallocgc", "/usr/local/go/src/runtime/malloc.go", Kind.RUNTIME),
        ("internal/runtime/maps.grow", "", Kind.RUNTIME),
        ("[libc.so.6]", "", Kind.RUNTIME),
        ("<unknown>", "", Kind.RUNTIME),
        (None, "net/http/server.go", Kind.STANDARD),
        (None, "/usr/local/go/src/runtime/proc.go", Kind.RUNTIME),
        (None, "/home/me/app/main.go", Kind.OWN),
    ],
)
def test_whose_code(function, file, kind):
    """Told by import path and file."""
    assert kind_of(Frame(function, file or None)) is kind


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_can_be_read_on_every_colour(theme):
    """At least 4.5 to 1, as WCAG's level AA asks for; the root and faded frames too."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    for colour in (ROOT[theme], *KINDS[theme].values(), *HELD[theme].values(), *CHANGES[theme].values()):
        assert contrast(TEXT, colour) >= 4.5, colour
        assert contrast(MARK[theme], colour) >= 3, colour


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("go/types.(*Checker).expr", "types.(*Checker).expr"),
        ("example.com/m.Map[github.com/a/b.T].func1", "m.Map[...].func1"),
        ("[libc.so.6]", "[libc.so.6]"),
        ("main.main", "main.main"),
        ("main.\x1b", r"main.\x1b"),
    ],
)
def test_short_names(name, short):
    """Without the path before the package; control characters stay escapes."""
    assert short_name(Frame(name)) == short


def test_what_is_measured_and_hidden_is_said():
    """Meaning, total, threshold, the share of what is hidden, and the sampling rate."""
    made = drawn(
        [([1], (0, 0, 0, 9990)), ([2], (0, 0, 0, 6)), ([4, 2], (0, 0, 0, 4))],
        types=HEAP,
        period_type=ValueType("space", "bytes"),
        period=524288,
        default_sample_type="inuse_space",
    )
    view = made.views[made.default]
    assert view.meaning == "bytes live when the profile was taken"
    assert view.summary == "total 10.0 kB"
    assert view.notes == (
        "Not drawn: 1 frame below 0.1% (10.0 B), together 4.00 B, <0.1%.",
        "Estimated from samples: one for each 524 kB allocated, on average.",
    )
    assert made.views[0].notes[0] == "Nothing to draw: no stack has any alloc_objects."


def test_a_small_threshold_is_said_as_it_is():
    """Not as "less than 0.1%"."""
    made = drawn([([1], (10**6 - 9,)), ([2], (9,))], asked=Asked("x", hide_below=0.00012))
    assert "1 frame below 0.012% (120 B)" in notes(made)


def test_doubts_are_said():
    """Values below 0, stacks cut for their depth, and the part that was chosen."""
    assert "Values below 0, together -3.00 B, have no width" in notes(drawn([([1], (5,)), ([2], (-3,))]))
    assert "1 stack cut at 1024 frames" in notes(drawn([([1] * 2000, (5,))]))
    made = profile([([1], (5,)), ([2], (15,))], PLACES)
    said = picture(made, call_tree(made, focus="leaf"), Asked("x", focus="leaf")).views[0].notes[0]
    assert said == "Chosen by focus 'leaf': 5.00 B, 25% of the total; shares are of the total."


def test_a_delta_says_how_long_it_took():
    """Seconds of a delta, else the process's life."""
    made = drawn([([1], (1, 1, 1, 1))], types=HEAP, duration_nanos=5_000_000_000)
    assert made.views[1].meaning == "bytes allocated within 5.00 s"


def test_a_unit_is_not_a_format():
    """Braces in what the profile calls its unit are text."""
    (view,) = drawn([([1], (1,))], types=(ValueType("{since}", "} {0} {since.x}"),)).views
    assert view.meaning == "} {0} {since.x}"


def hostile():
    places = {number: location(name) for number, name in enumerate(HOSTILE, 1)}
    samples = [([number, 2], (1000 + number,)) for number in places]
    return drawn(samples, places, asked=Asked(HOSTILE[0] + HOSTILE[3], "", HOSTILE[2]))


def test_hostile_names_stay_text_in_the_page():
    """They open no tag, end no script, and reach the script as the very names, control characters as escapes."""
    text = page(hostile(), 0)
    read = Page(text)
    calm = Page(page(drawn([([1], (1,))]), 0))
    assert set(read.tags) == set(calm.tags)
    assert read.tags.count("script") == 2
    assert not {name for name in read.attributes if name.startswith("on")}
    data = json.loads(read.scripts[0])
    assert set(data["frames"]["name"]) == {
        "all",
        *(name for name in HOSTILE if name.isprintable()),
        r"main.\u202eevil\u2066x",
        r"main.\x00\x07\x1b[31m\u2028\ufffe",
    }
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", text)


def test_hostile_names_stay_text_in_the_svg():
    """It is well-formed, has no element but drawing and text, and says the very names."""
    made = hostile()
    root = ET.fromstring(svg(made, made.views[0]))
    assert {element.tag.rpartition("}")[2] for element in root.iter()} == {"svg", "g", "rect", "text", "title"}
    titles = {(element.text or "").partition("\n")[0] for element in root.iter("{http://www.w3.org/2000/svg}title")}
    assert {HOSTILE[0], HOSTILE[2], r"main.\u202eevil\u2066x"} <= titles


@given(st.lists(st.text(max_size=30), min_size=1, max_size=6, unique=True))
@settings(max_examples=50)
def test_any_name_is_text(names):
    """Whatever a function is called, the SVG is well-formed and the page's data can be read."""
    places = {number: location(name) for number, name in enumerate(names, 1)}
    made = drawn([([number], (number,)) for number in places], places)
    ET.fromstring(svg(made, made.views[0]))
    read = Page(page(made, 0))
    assert len(json.loads(read.scripts[0])["frames"]["name"]) >= 2
    assert read.tags.count("script") == 2


def test_the_page_asks_for_nothing_from_elsewhere():
    """No address but that of the policy's empty picture; the policy admits this script and style alone."""
    text = page(drawn([([1], (1,))]), 0)
    assert not re.search(r"https?://|//[a-z]|@import|url\(", text)
    assert "default-src 'none'" in text
    assert len(re.findall(r"'sha256-[\w+/]+='", text)) == 2


def test_the_svg_draws_every_box_to_scale():
    """One rectangle for each box, none of negative width, none beyond the paper, names where they fit."""
    made = drawn([([1, 2], (700,)), ([3, 2], (299,)), ([4, 2], (1,))])
    root = ET.fromstring(svg(made, made.views[0]))
    space = {"s": "http://www.w3.org/2000/svg"}
    rects = root.findall(".//s:g/s:g/s:rect", space)
    assert len(rects) == len(made.views[0].layout.boxes) == 5
    for rect in rects:
        assert float(rect.get("width")) > 0
        assert float(rect.get("x")) + float(rect.get("width")) <= float(root.get("width"))
        assert float(rect.get("y")) < float(root.get("height"))
    texts = [element.text for element in root.findall(".//s:g/s:g/s:text", space)]
    assert texts == ["all 1.00 kB", "main.main 1.00 kB", "main.leaf 700 B", "http.serve 299 B"]
