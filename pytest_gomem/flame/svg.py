"""The static flame graph: one view as an SVG without scripts and links, or as a PNG."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from pytest_gomem.base.errors import GomemError
from pytest_gomem.base.printable import printable
from pytest_gomem.flame.frame import ROOT, TEXT
from pytest_gomem.flame.picture import Picture, View, counted, name_of
from pytest_gomem.flame.tree import Box
from pytest_gomem.pprof.table import value_text
from pytest_gomem.report.text import clip
from pytest_gomem.report.text import short_name as shortest

_WIDTH, _MARGIN, _ROW, _LINE = 1200, 16, 18, 17
_GLYPH = 6.65  # width of a character of a monospaced font of 11 px
_MOST_VANISHED = 8
_FEWEST_CELLS = 5
_FONT = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
_SANS = "system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', 'Liberation Sans', Arial, sans-serif"
_GREY = "#555b61"


def svg(picture: Picture, view: View) -> str:
    """The view as an SVG document; its text is escaped and has no control characters."""
    return _Drawing(picture, view).document()


class _Drawing:
    def __init__(self, picture: Picture, view: View) -> None:
        self._picture, self._view = picture, view
        self._fills = picture.wording.fills["light"]
        self._y = float(_MARGIN)  # where the next line stands below
        attributes = {"xmlns": "http://www.w3.org/2000/svg", "font-family": _SANS, "font-size": "12", "fill": TEXT}
        self._root = ET.Element("svg", attributes, role="img")
        ET.SubElement(self._root, "title").text = printable(picture.asked.title)
        self._paper = ET.SubElement(self._root, "rect", width=str(_WIDTH), fill="#ffffff")

    def document(self) -> str:
        self._head()
        self._legend()
        self._frames()
        self._foot()
        height = f"{self._y + _MARGIN / 2:g}"
        self._paper.set("height", height)
        self._root.attrib.update(width=str(_WIDTH), height=height, viewBox=f"0 0 {_WIDTH} {height}")
        return ET.tostring(self._root, encoding="unicode") + "\n"

    def _text(self, text: str, indent: int = 0, size: int = 12, **attributes: str) -> None:
        self._y += _LINE
        # 0.6: a generous width of a mean character, as a part of the size, so that text stays in the picture.
        room = int((_WIDTH - 2 * _MARGIN - indent) / (size * 0.6))
        place = {"x": f"{_MARGIN + indent}", "y": f"{self._y:g}", "font-size": f"{size}"}
        ET.SubElement(self._root, "text", place, **attributes).text = clip(text, room)

    def _head(self) -> None:
        asked, view = self._picture.asked, self._view
        self._y -= 6
        self._text(printable(asked.title), size=17)
        if self._picture.is_differential:
            self._text(f"compared with {printable(asked.base_title)}", fill=_GREY)
        self._text(f"{printable(view.kind.type)}: {view.meaning}; {view.summary}")
        for note in view.notes:
            self._text(note, fill=_GREY)

    def _legend(self) -> None:
        self._y += _LINE + 4
        x = float(_MARGIN)
        widths = self._picture.wording.legend
        ET.SubElement(self._root, "text", x=f"{x:g}", y=f"{self._y:g}", fill=_GREY).text = widths
        x += 7 * len(widths)
        for kind in self._fills:
            square = {"x": f"{x:g}", "y": f"{self._y - 10:g}", "width": "12", "height": "12"}
            ET.SubElement(self._root, "rect", square, fill=self._fills[kind], stroke="#8a9097")
            ET.SubElement(self._root, "text", x=f"{x + 17:g}", y=f"{self._y:g}").text = kind.value
            x += 17 + 6.6 * len(kind.value) + 14
        self._y += 10

    def _frames(self) -> None:
        layout = self._view.layout
        if not layout.width:
            return
        group = ET.SubElement(self._root, "g", {"font-family": _FONT, "font-size": "11"})
        scale = (_WIDTH - 2 * _MARGIN) / layout.width
        for box in layout.boxes:
            self._frame(group, box, _MARGIN + box.left * scale, box.width * scale)
        self._y += (1 + max(box.depth for box in layout.boxes)) * _ROW

    def _frame(self, group: ET.Element, box: Box, x: float, width: float) -> None:
        y = self._y + box.depth * _ROW
        drawn = ET.SubElement(group, "g")
        ET.SubElement(drawn, "title").text = self._tooltip(box)
        fill = self._fills[self._picture.category(self._view, box.node)] if box.node else ROOT["light"]
        place = {"x": f"{x:.2f}", "y": f"{y:g}", "width": f"{width:.2f}", "height": str(_ROW - 1)}
        line = {"stroke": "#ffffff", "stroke-width": f"{min(0.6, width / 3):.2f}"}
        ET.SubElement(drawn, "rect", place | line, fill=fill, rx="1.5")
        cells = int((width - 7) / _GLYPH)
        if cells >= _FEWEST_CELLS:
            ET.SubElement(drawn, "text", x=f"{x + 4:.2f}", y=f"{y + 12.5:g}").text = self._label(box, cells)

    def _label(self, box: Box, cells: int) -> str:
        name = self._picture.short(self._picture.tree.frames[box.node])
        now, before = self._view.now.cum[box.node], self._view.before
        moved = value_text(now - before.cum[box.node], self._view.kind.unit, signed=True) if before else ""
        value = moved if before and now != before.cum[box.node] else value_text(now, self._view.kind.unit)
        return shortest((f"{name} {value}", name, name.rpartition(".")[2]), cells)

    def _tooltip(self, box: Box) -> str:
        view, unit = self._view, self._view.kind.unit
        flat, cum = view.now.flat[box.node], view.now.cum[box.node]
        lines = [
            name_of(self._picture.tree.frames[box.node]),
            f"{self._picture.wording.whole} {value_text(cum, unit)} ({view.share(cum)}), "
            f"itself {value_text(flat, unit)} ({view.share(flat)})",
        ]
        if view.before:
            old = view.before.cum[box.node]
            lines.append(f"before {value_text(old, unit)}: {value_text(cum - old, unit, signed=True)}")
        return "\n".join(lines)

    def _foot(self) -> None:
        for number, line in enumerate(vanished_lines(self._picture, self._view, _MOST_VANISHED)):
            self._text(line, indent=_MARGIN if number else 0)


def vanished_lines(picture: Picture, view: View, most: int) -> Iterator[str]:
    """Lines on what has vanished, the largest first; none if nothing has."""
    if not view.vanished:
        return
    unit = view.kind.unit
    total = value_text(sum(one.before for one in view.vanished), unit)
    yield f"Vanished, and so not drawn: {total} of before, in {counted(len(view.vanished), 'place')}"
    for one in view.vanished[:most]:
        parent = picture.tree.parents[one.node]
        below = f", {picture.wording.above} {name_of(picture.tree.frames[parent])}" if parent > 0 else ""
        yield f"{value_text(one.before, unit)} {name_of(picture.tree.frames[one.node])}{below}"
    if len(view.vanished) > most:
        yield f"and {len(view.vanished) - most} more"


_SHARP = 2  # pixels of the PNG for one of the SVG
_HIGHEST = 16_000  # pixels; taller pictures are drawn less sharp, or they would take hundreds of MB


def png(svg: str) -> bytes:
    """One of our SVGs as a PNG; raises GomemError without the extra, or if resvg fails."""
    try:
        import resvg_py
    except ImportError:
        raise GomemError("a PNG needs resvg: pip install 'pytest-gomem[report]', or write an .svg") from None
    zoom = _SHARP if float(ET.fromstring(svg).get("height", "0")) * _SHARP <= _HIGHEST else 1
    try:
        return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=zoom))
    except ValueError as error:
        raise GomemError(f"the picture could not be drawn as PNG: {error}") from None
