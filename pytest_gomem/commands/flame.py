"""`gomem flame`: draws one profile, or the difference of two, as a flame graph."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

from pytest_gomem.base.errors import GomemError
from pytest_gomem.base.files import write_whole
from pytest_gomem.base.units import RATIO, parse_quantity
from pytest_gomem.commands.cli import Parser, checked, refused
from pytest_gomem.commands.top import add_selection
from pytest_gomem.flame.html import page
from pytest_gomem.flame.picture import Asked, Picture, View, picture
from pytest_gomem.flame.svg import png, svg
from pytest_gomem.flame.tree import call_tree
from pytest_gomem.pprof.read import read_profile

_DEFAULT_FILE = "flame.html"


def flame(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Draw, and print the name of the file; 0, or 2 with one line in `err` for bad input."""
    given = _parser().parse_intermixed_args(argv)
    try:
        drawn = _draw(given)
    except GomemError as error:
        return refused("flame", error, err)
    _print(given, drawn, out)
    return 0


def _parser() -> Parser:
    parser = Parser(
        "gomem flame",
        "Draw NEW as a flame graph: an interactive page (.html, all sample types), or one sample type as .svg or .png. "
        "With BASE, widths are those of NEW, and colours show what changed since BASE.",
    )
    parser.add_argument("base", nargs="?", metavar="BASE", help="a pprof file to compare with")
    parser.add_argument("new", metavar="NEW", help="the pprof file to draw")
    parser.add_argument(
        *("-o", "--output"),
        dest="file",
        type=checked(_file),
        default=_DEFAULT_FILE,
        metavar="FILE",
        help=f".html, .svg or .png (default: {_DEFAULT_FILE})",
    )
    add_selection(parser)
    parser.add_argument(
        "--hide-below",
        type=checked(_ratio),
        default=Asked.hide_below,
        metavar="SHARE",
        help="leave out frames below this share of the total (default: 0.1%%)",
    )
    parser.add_argument("--title", metavar="TEXT", help="default: the name of NEW")
    parser.add_argument("--json", action="store_true", help="print JSON about what was drawn")
    return parser


def _file(written: str) -> Path:
    file = Path(written)
    if file.suffix.lower() not in _WRITERS:
        raise ValueError(f"{file}: a flame graph is written as {', '.join(_WRITERS)}")
    return file


def _ratio(written: str) -> float:
    value = parse_quantity(written, RATIO).value
    if value >= 1:
        raise ValueError(f"{written} would hide everything; write a percentage, such as 0.1%")
    return value


class _Drawn(NamedTuple):
    picture: Picture
    chosen: View


def _draw(given: argparse.Namespace) -> _Drawn:
    title, base_name = given.title or Path(given.new).name, Path(given.base or "").name
    asked = Asked(title, base_name, given.focus, given.ignore, given.hide_below)
    new = read_profile(given.new, labels=False)
    base = read_profile(given.base, labels=False) if given.base else None
    tree = call_tree(new, base, given.by, asked.focus, asked.ignore)
    whole = picture(new, tree, asked)
    chosen = tree.default
    if given.sample:
        declared = new.sample_types[new.sample_index(given.sample)]
        if declared not in tree.sample_types:
            raise GomemError(f"{given.base} has no {declared.type} ({declared.unit}) to compare with")
        chosen = tree.sample_types.index(declared)
    content = _WRITERS[given.file.suffix.lower()](whole, chosen)
    try:
        write_whole(given.file, content)
    except OSError as error:
        raise GomemError(f"{given.file}: {error.strerror or error}") from None
    return _Drawn(whole, whole.views[chosen])


def _print(given: argparse.Namespace, drawn: _Drawn, out: TextIO) -> None:
    view = drawn.chosen
    if not given.json:
        notes = " ".join(view.notes)
        out.write(f"{given.file}: {view.kind.type}, {view.summary}; {len(view.layout.boxes)} frames. {notes}\n")
        return
    views = [
        {
            "sample_type": each.kind.type,
            "unit": each.kind.unit,
            "total": each.now.total,
            "base_total": each.before.total if each.before else None,
            "frames": len(each.layout.boxes),
            "hidden_frames": each.layout.hidden,
            "hidden": each.layout.hidden_width,
            "vanished": [
                {"function": str(drawn.picture.tree.frames[one.node]), "before": one.before} for one in each.vanished
            ],
        }
        for each in drawn.picture.views
    ]
    json.dump({"file": str(given.file), "sample_type": view.kind.type, "views": views}, out, indent=2)
    out.write("\n")


def _page(whole: Picture, chosen: int) -> bytes:
    return page(whole, chosen).encode()


def _svg(whole: Picture, chosen: int) -> bytes:
    return svg(whole, whole.views[chosen]).encode()


def _png(whole: Picture, chosen: int) -> bytes:
    return png(svg(whole, whole.views[chosen]))


_WRITERS: dict[str, Callable[[Picture, int], bytes]] = {".html": _page, ".svg": _svg, ".png": _png}
