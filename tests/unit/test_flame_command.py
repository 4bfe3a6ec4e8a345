"""`gomem flame`: what it writes and says, and how it ends."""

from __future__ import annotations

import io
import json
import sys
from xml.etree import ElementTree as ET

import pytest
from pprof_profiles import HEAP, SPACE, location, profile

from pytest_gomem.commands.cli import main
from pytest_gomem.pprof.write import compressed

PLACES = {1: location("main.leak"), 2: location("main.main"), 3: location("main.small")}


def run(*argv):
    out, err = io.StringIO(), io.StringIO()
    return main(["flame", *map(str, argv)], out, err), out.getvalue(), err.getvalue()


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """Profiles "new" and "base" in the working folder, and some files that are none."""
    monkeypatch.chdir(tmp_path)
    held = {"base": [([1, 2], 1000), ([3, 2], 500)], "new": [([1, 2], 9000), ([2], 1000)]}
    for name, samples in held.items():
        made = profile([(ids, (1, value, 1, value)) for ids, value in samples], PLACES, HEAP)
        (tmp_path / name).write_bytes(compressed(made._replace(default_sample_type="inuse_space")))
    (tmp_path / "other").write_bytes(compressed(profile([([1], (5,))], PLACES, SPACE)))
    (tmp_path / "html").write_bytes(b"<!doctype html>")
    return tmp_path


def test_a_page_is_the_default(saved):
    """flame.html in the working folder, and one line that says what is drawn and what is hidden."""
    assert run("new") == (0, "flame.html: inuse_space, total 10.0 kB; 3 frames. No frame is hidden.\n", "")
    assert "<h1><bdi>new</bdi></h1>" in (saved / "flame.html").read_text()


def test_pictures_of_one_sample_type(saved):
    """The name decides the form; options are obeyed, and the same call gives the same bytes."""
    options = ("--sample", "alloc_space", "--title", "Before & after", "--hide-below", "20%")
    status, out, _ = run("new", "-o", "a.svg", *options)
    assert (status, out) == (
        0,
        "a.svg: alloc_space, total 10.0 kB; 3 frames. No frame is hidden.\n",
    )
    text = (saved / "a.svg").read_text()
    assert {"Before & after"} <= {element.text for element in ET.fromstring(text).iter()}
    run("new", "-o", "b.svg", *options)
    assert (saved / "b.svg").read_text() == text
    assert run("new", "-o", "a.png", *options)[0] == 0
    assert (saved / "a.png").read_bytes().startswith(b"\x89PNG\r\n")


def test_two_profiles_are_compared(saved):
    """Widths are those of the first one; what has vanished is in the file and in the JSON."""
    status, out, _ = run("base", "new", "--json", "--by", "function", "-o", "d.svg")
    assert status == 0
    answer = json.loads(out)
    assert {key: answer[key] for key in ("file", "sample_type")} == {"file": "d.svg", "sample_type": "inuse_space"}
    assert answer["views"][3] == {
        "sample_type": "inuse_space",
        "unit": "bytes",
        "total": 10_000,
        "base_total": 1500,
        "frames": 3,
        "hidden_frames": 0,
        "hidden": 0,
        "vanished": [{"function": "main.small", "before": 500}],
    }
    assert "500 B main.small, called by main.main" in (saved / "d.svg").read_text()


def test_focus_and_ignore_choose(saved):
    """As in `gomem top`; the note says which part is drawn."""
    _, out, _ = run("base", "--focus", "main", "--ignore", "leak")
    assert "Chosen by focus 'main' and ignore 'leak': 500 B, 33% of the total" in out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        ([], "the following arguments are required: NEW"),
        (["a", "b", "c"], "unrecognized arguments: c"),
        (["nowhere"], "nowhere: No such file or directory"),
        (["html"], "html: an HTML page, not a profile"),
        (["new", "other"], "no sample type in common"),
        (["new", "--sample", "cpu"], "no sample type 'cpu'"),
        (["new", "--by", "module"], "argument --by: invalid choice: 'module'"),
        (["new", "--focus", "("], "'(' is not a regular expression"),
        (["new", "-o", "a.gif"], "argument -o/--output: a.gif: a flame graph is written as .html, .svg, .png"),
        (["new", "-o", "other/a.svg"], "other/a.svg: Not a directory"),
        (["new", "--hide-below", "100%"], "argument --hide-below: 100% would hide everything"),
        (["new", "--hide-below", "5MB"], "'MB' does not fit ratio"),
        (["new", "--colour", "red"], "unrecognized arguments: --colour red"),
    ],
)
def test_bad_input_is_one_line_and_status_2(saved, argv, says):
    """The mistake goes to standard error, in one line; nothing is written."""
    before = sorted(saved.iterdir())
    status, out, err = run(*argv)
    assert (status, out) == (2, "")
    assert says in err
    assert err.count("\n") == 1
    assert sorted(saved.iterdir()) == before


@pytest.mark.parametrize(("file", "module"), [("a.html", "jinja2"), ("a.png", "resvg_py")])
def test_a_missing_extra_is_named(saved, monkeypatch, file, module):
    """Without the library the command says what to install; an SVG needs none."""
    monkeypatch.setitem(sys.modules, module, None)
    status, _, err = run("new", "-o", file)
    assert status == 2
    assert "pip install 'pytest-gomem[report]'" in err
    assert not (saved / file).exists()
    assert run("new", "-o", "a.svg")[0] == 0


def test_help(saved):
    """--help is an answer."""
    status, out, _ = run("--help")
    assert status == 0
    assert out.startswith("usage: gomem flame ")
