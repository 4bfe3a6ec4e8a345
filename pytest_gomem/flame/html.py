"""The interactive flame graph: one HTML file with all sample types, which loads nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from pytest_gomem import __version__
from pytest_gomem.base.errors import GomemError
from pytest_gomem.base.printable import printable
from pytest_gomem.flame.frame import ROOT, TEXT
from pytest_gomem.flame.picture import Picture, View, name_of
from pytest_gomem.flame.wording import Wording
from pytest_gomem.pprof.group import Frame

_HERE = Path(__file__).parent
_MOST_VANISHED = 40


def page(picture: Picture, chosen: int) -> str:
    """The page, opened at view number `chosen`; raises GomemError without jinja2 (extra [report]).

    Names are JSON with escaped <, >, & and quotes, and the script writes them only as text. The page's policy allows
    only this script and this style sheet, by hash, and no connection.
    """
    try:
        from jinja2 import Environment, FileSystemLoader
    except ImportError:
        raise GomemError("a page needs jinja2: pip install 'pytest-gomem[report]', or write an .svg") from None
    wording = picture.wording
    labels = list(wording.fills["light"])
    style, script = _style(labels, wording), (_HERE / "page.js").read_text()
    template = Environment(loader=FileSystemLoader(_HERE), autoescape=True).get_template("page.html")
    return template.render(
        version=__version__,
        title=printable(picture.asked.title),
        base_title=printable(picture.asked.base_title),
        is_differential=picture.is_differential,
        wording=wording,
        labels=[label.value for label in labels],
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data=_data(picture, chosen, labels),
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _style(labels: Sequence[Enum], wording: Wording) -> str:
    """The style sheet, with the colours of both themes as variables."""
    text = (_HERE / "page.css").read_text().replace("TEXT_COLOUR", TEXT)
    for theme, fills in wording.fills.items():
        variables = [f"--above: {ROOT[theme]};", *(f"--k{at}: {fills[label]};" for at, label in enumerate(labels))]
        text = text.replace(f"{theme.upper()}_COLOURS", " ".join(variables))
    return text + "".join(f".k{at} {{ background: var(--k{at}); }}\n" for at in range(len(labels)))


def _data(picture: Picture, chosen: int, labels: Sequence[Enum]) -> dict[str, Any]:
    used = sorted({box.node for view in picture.views for box in view.layout.boxes})
    frames = [picture.tree.frames[node] for node in used]
    unique: dict[Frame, int] = {}
    places = [unique.setdefault(frame, len(unique)) for frame in frames]
    return {
        "differential": picture.is_differential,
        "default": chosen,
        "whole": picture.wording.whole,
        "frames": {
            "name": [name_of(frame) for frame in unique],
            "short": [picture.short(frame) for frame in unique],
            "file": [printable(frame.file or "") for frame in unique],
        },
        "nodes": {"frame": places},
        "views": [_view(picture, view, {node: at for at, node in enumerate(used)}, labels) for view in picture.views],
    }


def _view(picture: Picture, view: View, number: Mapping[int, int], labels: Sequence[Enum]) -> dict[str, Any]:
    boxes = view.layout.boxes
    place = {box.node: at for at, box in enumerate(boxes)}
    nodes = [box.node for box in boxes]
    of_label = {label: at for at, label in enumerate(labels)}
    columns = {
        "node": [number[node] for node in nodes],
        "parent": [place.get(picture.tree.parents[node], -1) for node in nodes],
        "left": [box.left for box in boxes],
        "width": [box.width for box in boxes],
        "flat": [view.now.flat[node] for node in nodes],
        "cum": [view.now.cum[node] for node in nodes],
        "category": [of_label[picture.category(view, node)] for node in nodes],
    }
    if view.before:
        columns["beforeFlat"] = [view.before.flat[node] for node in nodes]
        columns["beforeCum"] = [view.before.cum[node] for node in nodes]
    return {
        "type": printable(view.kind.type),
        "unit": printable(view.kind.unit),
        "meaning": view.meaning,
        "summary": view.summary,
        "notes": view.notes,
        "total": view.now.total,
        "vanished": _vanished(picture, view),
        **columns,
    }


def _vanished(picture: Picture, view: View) -> dict[str, Any]:
    def row(node: int, before: int) -> tuple[int, str, str]:
        parent = picture.tree.parents[node]
        caller = name_of(picture.tree.frames[parent]) if parent > 0 else ""
        return before, name_of(picture.tree.frames[node]), caller

    return {
        "count": len(view.vanished),
        "sum": sum(one.before for one in view.vanished),
        "rows": [row(one.node, one.before) for one in view.vanished[:_MOST_VANISHED]],
    }
