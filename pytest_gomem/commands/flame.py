"""Owns `gomem flame`: from one profile, or two, to a flame graph in a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from getopt import gnu_getopt
from pathlib import Path
from typing import NamedTuple, TextIO

from pytest_gomem.commands import arguments
from pytest_gomem.errors import GomemError
from pytest_gomem.flame.page import page
from pytest_gomem.flame.picture import Asked, Picture, View, picture
from pytest_gomem.flame.png import png
from pytest_gomem.flame.svg import svg
from pytest_gomem.flame.tree import call_tree
from pytest_gomem.pprof.group import GRANULARITIES
from pytest_gomem.pprof.read import read_profile
from pytest_gomem.quantity import RATIO, parse_quantity

USAGE = """\
usage: gomem flame PROFILE [BASE] [-o FILE.html|.svg|.png] [--sample S] [--by function|line|file|package]
                   [--focus REGEX] [--ignore REGEX] [--hide-below 0.1%] [--title TEXT] [--json]

Draws PROFILE as a flame graph: an interactive page (.html, all sample types), or one sample type as .svg or .png.
With BASE widths are those of PROFILE, and colours tell what has changed since BASE.
"""
_FLAGS = ("sample=", "by=", "focus=", "ignore=", "hide-below=", "title=", "json", "help")
_DEFAULT_FILE = "flame.html"


class _Wish(NamedTuple):
    profile: str
    base: str
    file: Path
    sample: str
    by: str
    asked: Asked
    json: bool


def flame(argv: Sequence[str], out: TextIO, err: TextIO) -> int:
    """Draw and name the file that was written; 0, or 2 with one line in `err` for bad input."""
    wish = arguments.wish("flame", USAGE, _parse, argv, out, err)
    if isinstance(wish, int):
        return wish
    try:
        drawn = _draw(wish)
    except GomemError as error:
        err.write(f"gomem flame: {' '.join(str(error).split())}\n")
        return 2
    _tell(wish, drawn, out)
    return 0


def _parse(argv: Sequence[str]) -> _Wish:
    """The wish of a command line; raises GetoptError or ValueError for one that is not understood."""
    flags, paths = gnu_getopt(list(argv), "o:", list(_FLAGS))
    said = dict(flags)
    if len(paths) not in (1, 2):
        raise ValueError(f"a profile and perhaps its base are wanted, {len(paths)} files given")
    by, file = said.get("--by", "function"), Path(said.get("-o", _DEFAULT_FILE))
    if by not in GRANULARITIES:
        raise ValueError(f"--by {by} is not one of {', '.join(GRANULARITIES)}")
    if file.suffix.lower() not in _WRITERS:
        raise ValueError(f"-o {file}: a flame graph is written as {', '.join(_WRITERS)}")
    profile, base = paths[0], "".join(paths[1:])
    asked = Asked(
        said.get("--title") or Path(profile).name,
        Path(base).name,
        said.get("--focus", ""),
        said.get("--ignore", ""),
        _ratio(said["--hide-below"]) if "--hide-below" in said else Asked.hide_below,
    )
    return _Wish(profile, base, file, said.get("--sample", ""), by, asked, "--json" in said)


def _ratio(written: str) -> float:
    value = parse_quantity(written, RATIO).value
    if value >= 1:
        raise ValueError(f"--hide-below {written} would hide everything; write a percentage, such as 0.1%")
    return value


class _Drawn(NamedTuple):
    picture: Picture
    chosen: View


def _draw(wish: _Wish) -> _Drawn:
    new = read_profile(wish.profile, labels=False)
    base = read_profile(wish.base, labels=False) if wish.base else None
    tree = call_tree(new, base, wish.by, wish.asked.focus, wish.asked.ignore)
    whole = picture(new, tree, wish.asked)
    chosen = tree.default
    if wish.sample:
        declared = new.sample_types[new.sample_index(wish.sample)]
        if declared not in tree.sample_types:
            raise GomemError(f"{wish.base} has no {declared.type} ({declared.unit}) to compare with")
        chosen = tree.sample_types.index(declared)
    content = _WRITERS[wish.file.suffix.lower()](whole, chosen)
    try:
        wish.file.write_bytes(content)
    except OSError as error:
        raise GomemError(f"{wish.file}: {error.strerror or error}") from None
    return _Drawn(whole, whole.views[chosen])


def _tell(wish: _Wish, drawn: _Drawn, out: TextIO) -> None:
    view = drawn.chosen
    if not wish.json:
        notes = " ".join(view.notes)
        out.write(f"{wish.file}: {view.kind.type}, {view.summary}; {len(view.layout.boxes)} frames. {notes}\n")
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
    json.dump({"file": str(wish.file), "sample_type": view.kind.type, "views": views}, out, indent=2)
    out.write("\n")


def _page(whole: Picture, chosen: int) -> bytes:
    return page(whole, chosen).encode()


def _svg(whole: Picture, chosen: int) -> bytes:
    return svg(whole, whole.views[chosen]).encode()


def _png(whole: Picture, chosen: int) -> bytes:
    return png(svg(whole, whole.views[chosen]))


_WRITERS: dict[str, Callable[[Picture, int], bytes]] = {".html": _page, ".svg": _svg, ".png": _png}
